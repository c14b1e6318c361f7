"""The tests of what strangers can do."""

import sys
from pathlib import Path

for neighbour in ("serve", "listening"):  # the server in a process of its own; a run folder
    sys.path.append(str(Path(__file__).parents[1] / neighbour))
