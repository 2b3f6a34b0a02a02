"""One table of a manifest while it is read: what is asked for is known, what is left is a mistake.

The reader of each kind of table asks for its keys one by one, so the keys that there are stand in
one place, where they are read. `done` refuses the rest, with the key that may have been meant.
Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from cli.failures import Failure, Remedy
from cli.jsontext import Json
from cli.yamltree import Many, Node, Scalar, Table, at, json_of

_YES_NO: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_SHOWN: Final = 12
"""How many keys an error lists."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written."""

    file: str
    line: int

    def refuse(self, said: str, why: str = "", fix: str = "") -> Failure:
        """Return the failure that what is written here is wrong."""
        return at(self.file, self.line, said, Remedy(why, fix or f"correct {self}"))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Section:
    """A table, and what it is called: `action 'greet'`."""

    table: Table
    file: str
    what: str
    _known: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Where the table begins."""
        return Place(self.file, self.table.line)

    def at(self, key: str) -> Place:
        """Return where *key* stands."""
        return Place(self.file, self.table.lines.get(key, self.table.line))

    def node(self, key: str) -> Node | None:
        """Return what is under *key*; None for nothing."""
        self._known.append(key)
        found = self.table.items.get(key)
        return None if isinstance(found, Scalar) and found.value is None else found

    def text(self, key: str) -> str | None:
        """Return the words under *key* as they were written, also `yes` and `1.0`."""
        found = self.node(key)
        if found is None or isinstance(found, Scalar):
            return None if found is None else found.text
        raise self.at(key).refuse(f"'{key}' of {self.what} must be text")

    def flag(self, key: str) -> bool:
        """Return whether *key* is there and says yes."""
        text = self.text(key)
        if text is None:
            return False
        try:
            return _YES_NO[text.lower()]
        except KeyError as error:
            said = f"'{key}' of {self.what} must be true or false, not '{text}'"
            raise self.at(key).refuse(said) from error

    def number(self, key: str) -> int | None:
        """Return the whole number under *key*."""
        found = self.node(key)
        if found is None:
            return None
        value = found.value if isinstance(found, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.at(key).refuse(f"'{key}' of {self.what} must be a whole number")
        return value

    def json(self, key: str) -> dict[str, Json]:
        """Return the table under *key* as values."""
        return {name: json_of(node) for name, node in self._entries(key)}

    def many(self, key: str) -> tuple[Node, ...]:
        """Return the list under *key*."""
        found = self.node(key)
        if found is None or isinstance(found, Many):
            return () if found is None else found.items
        raise self.at(key).refuse(f"'{key}' of {self.what} must be a list")

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of words under *key*."""
        words = self.many(key)
        if not all(isinstance(word, Scalar) for word in words):
            raise self.at(key).refuse(f"'{key}' of {self.what} must be a list of texts")
        return tuple(word.text for word in words if isinstance(word, Scalar))

    def nodes(self, key: str) -> dict[str, Node]:
        """Return the table under *key*."""
        return dict(self._entries(key))

    def sections(self, key: str, what: str) -> dict[str, "Section"]:
        """Return the tables in the table under *key*, each called *what* and its name."""
        found: dict[str, Section] = {}
        lines = self._lines(key)
        for name, node in self._entries(key):
            where = Place(self.file, lines[name])
            found[name] = section(node, where, f"{what} '{name}'")
        return found

    def inner(self, key: str, what: str) -> "Section | None":
        """Return the table under *key*, called *what*."""
        found = self.node(key)
        return None if found is None else section(found, self.at(key), what)

    def done(self) -> None:
        """Raise `Failure` when a key was not asked for."""
        for key in self.table.items:
            if key not in self._known:
                raise self._unknown(key)

    def _entries(self, key: str) -> Iterator[tuple[str, Node]]:
        found = self.node(key)
        if found is None:
            return
        if not isinstance(found, Table):
            raise self.at(key).refuse(f"'{key}' of {self.what} must be a table of names")
        yield from found.items.items()

    def _lines(self, key: str) -> dict[str, int]:
        found = self.table.items.get(key)
        return dict(found.lines) if isinstance(found, Table) else {}

    def _unknown(self, key: str) -> Failure:
        close = get_close_matches(key, self._known, 1)
        known = sorted(set(self._known))
        listed = ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
        why = f"did you mean '{close[0]}'?" if close else f"the keys there are: {listed}"
        fix = f"write '{close[0]}' in {self.at(key)}" if close else f"remove it from {self.at(key)}"
        return self.at(key).refuse(f"unknown key '{key}' in {self.what}", why, fix)


def section(node: Node, where: Place, what: str) -> Section:
    """Return *node* as a table to read. Raises `Failure` where it is none."""
    match node:
        case Table():
            return Section(Table(where.line, node.items, node.lines), where.file, what)
        case Scalar(value=None):
            return Section(Table(where.line, {}, {}), where.file, what)
        case _:
            raise where.refuse(f"{what} must be a table of keys and values")
