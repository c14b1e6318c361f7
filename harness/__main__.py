"""The `harness` command, also as `python -m harness`."""

import sys


def main() -> None:
    """Run it. Importing the commands takes half a second, and Ctrl-C is no traceback there either."""
    try:
        from harness.cli import main as run
    except KeyboardInterrupt:
        exec("")  # hit in code that is a string, Python would end by SIGINT, not with 130: see `harness.cli`
        print("harness: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
