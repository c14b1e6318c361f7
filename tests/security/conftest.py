"""The tests of what strangers can do."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "serve"))  # the server in a process of its own
