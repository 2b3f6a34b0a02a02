"""YAML as a tree that knows where each of its parts stands: the only module that knows PyYAML.

Only the composer of PyYAML is used, which makes nothing but nodes with their lines. What it makes
of them is decided here: tables have text for keys, each once; a value is one that JSON can hold; an
alias may stand for much, but not for itself, and not for more than `MOST_NODES` parts in all.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from cli.failures import Failure, Remedy
from cli.jsontext import Digits, Json

MOST_BYTES: Final = 1 << 20
"""Of one file: a manifest that is larger holds what belongs into files of its own."""
MOST_NODES: Final = 50_000
MOST_DEPTH: Final = 100
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_MERGE: Final = "tag:yaml.org,2002:merge"
_KNOWN: Final = {
    f"tag:yaml.org,2002:{name}": name for name in ("bool", "float", "int", "null", "str")
}
_AS_TEXT: Final = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"})
"""What JSON has no value for and people write as text: a date, an equals sign."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: as it was written, and what that means in JSON."""

    line: int
    text: str
    value: Json


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Keys and their values, in the order of the file; *lines* is where each key stands."""

    line: int
    items: Mapping[str, "Node"]
    lines: Mapping[str, int]


Node: TypeAlias = Scalar | Many | Table


def parse(text: str, file: str) -> Node | None:
    """Return what *text* holds, None for nothing. Raises `Failure` with the line in *file*."""
    if len(text.encode()) > MOST_BYTES:
        raise Failure(
            f"{file} has more than {MOST_BYTES} bytes",
            remedy=Remedy("files that people write are smaller", "move what is large elsewhere"),
        )
    try:
        composed = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _unreadable(file, error) from error
    except yaml.YAMLError as error:
        raise at(file, None, "no YAML: " + " ".join(str(error).split())) from error
    except RecursionError as error:
        raise at(file, None, "it is nested too deep") from error
    return None if composed is None else _Growing(file).node(composed, ())


def json_of(node: Node) -> Json:
    """Return the value of *node*, without its lines."""
    match node:
        case Scalar(value=value):
            return value
        case Many(items=items):
            return [json_of(item) for item in items]
        case Table(items=entries):
            return {key: json_of(item) for key, item in entries.items()}


def at(file: str, line: int | None, said: str, remedy: Remedy | None = None) -> Failure:
    """Return a failure that says where it is."""
    where = file if line is None else f"{file}:{line}"
    found = remedy or Remedy(fix=f"correct {where}")
    return Failure(f"{where}: {said}", shows_usage=False, remedy=found)


def _unreadable(file: str, error: yaml.MarkedYAMLError) -> Failure:
    mark = error.problem_mark or error.context_mark
    line = None if mark is None else mark.line + 1
    said = ", ".join(part for part in (error.context, error.problem) if part)
    why = "a tab cannot indent YAML" if "'\\t'" in said else "it cannot be read as YAML"
    where = file if line is None else f"{file}:{line}"
    return at(file, line, said or "no YAML", Remedy(why, f"correct {where}"))


class _Growing:
    """A tree in the making: how much of it there is."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0

    def node(self, composed: Any, above: tuple[int, ...]) -> Node:
        """Return *composed* as a node; *above* are the ids of those that it is part of."""
        line = composed.start_mark.line + 1
        self._count += 1
        if self._count > MOST_NODES:
            said = f"its aliases stand for more than {MOST_NODES} values"
            raise at(self._file, line, said, Remedy(fix="write out what is meant"))
        if id(composed) in above:
            said = "an alias stands inside what it stands for"
            raise at(self._file, line, said, Remedy(fix=f"remove the alias in {self._file}"))
        if len(above) > MOST_DEPTH:
            raise at(self._file, line, "it is nested too deep")
        inside = (*above, id(composed))
        match composed:
            case yaml.MappingNode():
                return self._table(composed, line, inside)
            case yaml.SequenceNode():
                return Many(line, tuple(self.node(item, inside) for item in composed.value))
            case _:
                return Scalar(line, composed.value, self._value(composed, line))

    def _table(self, composed: Any, line: int, inside: tuple[int, ...]) -> Table:
        items: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: dict[str, Node] = {}
        for key, value in composed.value:
            at_line = key.start_mark.line + 1
            if key.tag == _MERGE:
                for table in self._merged(value, at_line, inside):
                    merged = {**table.items, **merged}
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise at(self._file, at_line, "a key must be one word or text")
            if key.value in items:
                said = f"the key '{key.value}' is there twice, first in line {lines[key.value]}"
                raise at(self._file, at_line, said, Remedy(fix="keep one of them"))
            items[key.value], lines[key.value] = self.node(value, inside), at_line
        others = {key: item for key, item in merged.items() if key not in items}
        return Table(line, items | others, {key: line for key in others} | lines)

    def _merged(self, composed: Any, line: int, inside: tuple[int, ...]) -> Iterator[Table]:
        """Yield the tables that `<<` takes in, those that win first."""
        several = isinstance(composed, yaml.SequenceNode)
        for one in composed.value if several else [composed]:
            found = self.node(one, inside)
            if not isinstance(found, Table):
                raise at(self._file, line, "<< takes in tables alone")
            yield found

    def _value(self, composed: Any, line: int) -> Json:
        text: str = composed.value
        kind = _KNOWN.get(composed.tag)
        if composed.tag in _AS_TEXT:
            return text
        if kind is None:
            said = f"the tag {composed.tag} has no meaning here"
            raise at(self._file, line, said, Remedy(fix="leave the tag out"))
        # 1e3 is a number to YAML 1.2, to JSON and to people, and text to YAML 1.1.
        if kind == "str" and composed.style is None and _NUMBER.fullmatch(text):
            return Digits(text)
        if kind == "str" or (kind in ("int", "float") and ":" in text):
            return text  # 12:30 is a number of base 60 to YAML 1.1, and to nobody else.
        if kind == "float" and _NUMBER.fullmatch(text):
            return Digits(text)
        try:
            value = yaml.constructor.SafeConstructor().construct_object(composed)
        except (yaml.YAMLError, ValueError) as error:
            raise at(self._file, line, f"'{text}' is no {kind}") from error
        if value != value or value in (float("inf"), float("-inf")):
            raise at(self._file, line, f"JSON has no value for {text}")
        return value
