"""What a terminal is given: colour only where a person looks, results apart from the rest.

Results go to standard output, errors and hints to standard error. Colour and bold are for terminals
and respect `NO_COLOR`; what is piped holds plain text, and ASCII where the encoding needs it.
"""

import sys
from collections.abc import Iterator
from typing import Final, TextIO

from cli import environment
from cli.failures import Failure, Misspelt
from cli.jsontext import Json, encode, pretty

_GREEN: Final = "32"
_RED: Final = "31"
_BOLD: Final = "1"


def ok(text: str, stream: TextIO | None = None) -> None:
    """Say that something was done: on standard output unless *stream* says otherwise."""
    where = stream or sys.stdout
    print(f"{styled('ok:', _GREEN, where)} {text}", file=where)


def bold(text: str) -> str:
    """Return *text* as a name or a heading."""
    return styled(text, _BOLD, sys.stdout)


def print_json(value: Json, stream: TextIO | None = None) -> None:
    """Print *value* with four spaces of indentation."""
    print(pretty(value), file=stream or sys.stdout)


def print_failure(failure: Failure, program: str, *, as_json: bool = False) -> None:
    """Say why the command ends: as `wsk` in OpenWhisk's lines, as `brisk` in four at most."""
    stream = sys.stderr
    if program == "brisk":
        print("\n".join(_told(failure, stream, as_json=as_json)), file=stream)
    elif isinstance(failure, Misspelt):
        print(failure.text, file=stream)
    else:
        print(f"{styled('error:', _RED, stream)} {failure.text}", file=stream)
        if failure.shows_usage:
            print(f"Run '{program} --help' for usage.", file=stream)


def _told(failure: Failure, stream: TextIO, *, as_json: bool) -> Iterator[str]:
    """Return what failed, why, and what mends it; for programs as one line of JSON."""
    why, fix = failure.remedy.why, failure.remedy.fix
    if not fix and failure.shows_usage:
        fix = "brisk --help"
    text = [line for line in failure.text.splitlines() if line.strip()]
    if as_json:
        told = {"error": "\n".join(text), "why": why, "fix": fix, "exit": failure.exit_code}
        yield encode({key: value for key, value in told.items() if value}).decode()
        return
    first, *more = text or [""]
    yield f"{styled('error:', _RED, stream)} {first}"
    if more:
        yield "; ".join(more)
    for name, said in (("why", why), ("fix", fix)):
        if said:
            yield f"{name}: {' '.join(said.split())}"


def marks() -> tuple[str, str]:
    """Return the signs of what is well and what is not, as the terminal can show them."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return ("✓", "✗") if encoding == "utf8" else ("+", "x")


def styled(text: str, code: str, stream: TextIO) -> str:
    """Return *text* in a style, where *stream* is a terminal that shows styles."""
    plain = environment.variable("NO_COLOR") or environment.variable("TERM") == "dumb"
    return text if plain or not stream.isatty() else f"\x1b[{code}m{text}\x1b[0m"
