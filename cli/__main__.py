"""`brisk` and `wsk`; also `python -m cli`."""

import sys

from cli import environment
from cli.program import complete, run


def main() -> None:
    """Be `brisk`."""
    _run_as("brisk")


def wsk() -> None:
    """Be OpenWhisk's command line."""
    _run_as("wsk")


def _run_as(program: str) -> None:
    for stream in (sys.stdout, sys.stderr):
        # What a terminal cannot show is shown as an escape; it is no reason to fail.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    asks = environment.is_set(f"_{program.upper()}_COMPLETE")
    sys.exit(complete(program) if asks else run(program, sys.argv[1:]))


if __name__ == "__main__":
    main()
