"""What a child process runs: one call, whose request and answer are files, or an object that serves through the pipes."""

import sys

from harness.processes import answer_call, end_with_caller
from harness.processes.remote import serve
from harness.processes.surroundings import hide_future_warnings

hide_future_warnings()
end_with_caller()
if len(sys.argv) > 1:
    sys.exit(answer_call(*sys.argv[1:]))
serve()
