"""Puts the table of a sandbox's states into `docs/lifecycle.md`.

The table is declared once, in the docstring of `invoker/pool/container.py`, where a test holds it
against the code. The page around it is written by hand; what is between its two marks is not.
"""

from typing import Final

from invoker.pool import container

BEGIN: Final = "<!-- Written by docs/generate.py from invoker/pool/container.py: `make docs`. -->\n"
END: Final = "<!-- Until here. -->\n"

_HEAD: Final = ["| state | event | next state | command | |", "|---|---|---|---|---|"]


def inserted(page: str) -> str:
    """Return *page* with the table of today between its marks. Raises ValueError without marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no marks for the table of states")
    return f"{before}{BEGIN}{table()}{END}{after}"


def table() -> str:
    """Return the table of the docstring in Markdown."""
    lines = (container.__doc__ or "").splitlines()
    ruler = next(number for number, line in enumerate(lines) if line.lstrip().startswith("---"))
    starts = [at for at, sign in enumerate(lines[ruler]) if lines[ruler][at - 1 : at + 1] == " -"]
    rows = []
    for line in lines[ruler + 1 :]:
        if not line.strip():
            break
        state, event, following, command, note = _cells(line, starts)
        rows.append(f"| {state} | `{event}` | {following} | {command} | {note} |")
    return "\n".join([*_HEAD, *rows]) + "\n"


def _cells(line: str, starts: list[int]) -> list[str]:
    """Return the four columns that begin at *starts*, and what stands behind the last one."""
    *firm, last = [
        line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)
    ]
    command, _, note = last.partition(" ")
    # A row without a command may have a note all the same.
    return [*firm, command, note.strip()] if command[:1].isupper() else [*firm, "", last]
