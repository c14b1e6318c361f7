"""The `harness` command, also as `python -m harness`."""

import sys


def main() -> None:
    """Run the command. Its import takes half a second, during which Ctrl-C must not print a traceback either."""
    try:
        from harness.processes.surroundings import set_up

        set_up()  # before anything imports torch
        from harness.cli import main as run
    except KeyboardInterrupt:
        exec("")  # if Ctrl-C interrupts code in a string, Python would end by SIGINT, not with 130: see `harness.cli`
        print("harness: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
