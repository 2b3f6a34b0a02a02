"""Files of variables: `NAME=value` a line, as shells and other tools read them. Pure."""

import re
from typing import Final

from cli.project.section import Place

_LINE: Final = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", re.ASCII)
_QUOTES: Final = "\"'"


def variables_of(text: str, file: str) -> dict[str, str]:
    """Return the variables in *text*. Raises `Failure` for a line that is none."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        match = _LINE.fullmatch(words)
        if match is None:
            place = Place(file, number)
            raise place.refuse("this is no variable", "a line is NAME=value, or begins with #")
        name, value = match.groups()
        is_quoted = len(value) > 1 and value[0] in _QUOTES and value[-1] == value[0]
        found[name] = value[1:-1] if is_quoted else value
    return found
