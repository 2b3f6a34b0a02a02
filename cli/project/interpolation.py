"""`$NAME` and `${NAME}` in a manifest: what stands there instead. Pure.

    $NAME         at the beginning of a text: a variable of the environment, or an input
    ${NAME}       the same, anywhere in a text
    $${NAME}      is ${NAME}, as it is

A variable of the environment wins over an input, so that one manifest serves several places. What
is neither is empty. A text that is one name and nothing else becomes the input's value, whatever
its type; in a longer text it is written out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cli.jsontext import Json, encode

_NAME: Final = re.compile(r"(\$\$\{[^{}$]*\})|\$\{([^{}$]+)\}|^\$([A-Za-z_]\w*)", re.ASCII)


@dataclass(slots=True)
class Scope:
    """What names mean in one place of a manifest.

    environment: of the process, or of a file of variables.
    inputs: of the package and the project around it.
    is_lenient: whether what is required may have no value: who removes something needs none.
    unset: gathers the names that mean nothing; notes: what else people should know.
    """

    environment: Mapping[str, str]
    inputs: Mapping[str, Json] = field(default_factory=dict)
    is_lenient: bool = False
    unset: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def within(self, inputs: Mapping[str, Json]) -> "Scope":
        """Return the scope of a place that has *inputs* of its own."""
        merged = {**self.inputs, **inputs}
        return Scope(self.environment, merged, self.is_lenient, self.unset, self.notes)

    def value(self, name: str) -> Json:
        """Return what *name* means; the empty text where it means nothing."""
        if self.environment.get(name):
            return self.environment[name]
        if name not in self.inputs and name not in self.environment:
            self.unset.add(name)
        return self.inputs.get(name, "")


def replaced(value: Json, scope: Scope) -> Json:
    """Return *value* with the names in its texts replaced, however deep they are."""
    match value:
        case str():
            return _replaced_text(value, scope)
        case dict():
            return {key: replaced(item, scope) for key, item in value.items()}
        case list():
            return [replaced(item, scope) for item in value]
        case _:
            return value


def text_of(value: str, scope: Scope) -> str:
    """Return the text *value* with its names replaced."""
    return _written(_replaced_text(value, scope))


def _replaced_text(text: str, scope: Scope) -> Json:
    whole = _NAME.fullmatch(text)
    if whole and not whole[1]:
        return scope.value(whole[2] or whole[3])

    def instead(found: re.Match[str]) -> str:
        return found[1][1:] if found[1] else _written(scope.value(found[2] or found[3]))

    return _NAME.sub(instead, text)


def _written(value: Json) -> str:
    return value if isinstance(value, str) else encode(value).decode()
