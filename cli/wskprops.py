"""The property file: where the platform is, and the key to it.

One `KEY=VALUE` a line, `#` begins a comment. `WSK_CONFIG_FILE` says where it is, else it is
`~/.wskprops`; a `WSK_CONFIG_FILE` that is empty means that there is none.

Reading is more lenient than OpenWhisk's own: blanks around either part are ignored and a value may
hold `=`. Writing keeps the lines it does not change, comments too, and leaves the file readable to
its owner alone: it holds a key.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cli import environment

VARIABLE: Final = "WSK_CONFIG_FILE"


def location() -> Path | None:
    """Return where the property file is, or should be; None when there is to be none."""
    if environment.is_set(VARIABLE):
        named = environment.variable(VARIABLE)
        return Path(named) if named else None
    return Path.home() / ".wskprops"


def read(path: Path | None) -> dict[str, str]:
    """Return what *path* holds; nothing when it does not exist or cannot be read."""
    if path is None:
        return {}
    try:
        return parse(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return {}  # As without a file: the command says which property it misses.


def parse(text: str) -> dict[str, str]:
    """Return the properties in *text*; of a key that is there twice, the last."""
    pairs = (_pair(line) for line in text.splitlines())
    return dict(pair for pair in pairs if pair is not None)


def revised(text: str, changes: Mapping[str, str | None]) -> str:
    """Return *text* with *changes* made in place; None removes a key."""
    open_changes = {key: value for key, value in changes.items() if value is not None}
    lines: list[str] = []
    for line in text.splitlines():
        pair = _pair(line)
        if pair is None or pair[0] not in changes:
            lines.append(line)
        elif pair[0] in open_changes:
            lines.append(f"{pair[0]}={open_changes.pop(pair[0])}")
    lines += [f"{key}={value}" for key, value in open_changes.items()]
    return "".join(f"{line}\n" for line in lines)


def write(path: Path, changes: Mapping[str, str | None]) -> None:
    """Make *changes* in the file at *path*, whole or not at all. Raises `OSError`."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    # A link stays a link: its target is replaced.
    target = path.resolve()
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(revised(text, changes))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _pair(line: str) -> tuple[str, str] | None:
    key, equals, value = line.partition("#")[0].partition("=")
    return (key.strip(), value.strip()) if equals and key.strip() else None
