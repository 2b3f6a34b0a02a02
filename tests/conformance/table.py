"""The forms of which the tables are made: rows, what is asked, what is typed, what is expected.

`<ns>` and `<other>` stand for the two namespaces of a row, `<auth>` for the key of the first,
`<tenant>` for the first half of that, and `<name>` for an activation id that a step saved as
`name`, wherever they occur in what is sent or expected. The placeholders of recorded answers
(`<id>`, `<n>`, …) stand for what they stand for there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

NOTHING: Final = object()
"""In place of a body: none is sent, or it may be anything."""
ABSENT: Final = object()
"""In place of a value: the key is not there."""

Expected: TypeAlias = Any
"""JSON where objects may have further keys, unless in `Exactly`; functions and patterns tell of a
value."""


@dataclass(frozen=True, slots=True)
class Exactly:
    """An object with these keys and no others; a list in any order."""

    value: Any


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and how it is answered."""

    method: str
    path: str
    body: Any = NOTHING
    """Bytes are sent as they are, anything else as JSON."""
    status: int = 200
    shows: Expected = NOTHING
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Sent as well; None leaves one out."""
    has: Mapping[str, str | None] = field(default_factory=dict)
    """Of the answer, lower case; None where one must not be there."""
    auth: str | None = "own"
    """`own`, `other`, None for no credentials, or the header as it is sent."""
    save: str = ""
    """Under which name the activation id of the answer is known from here on."""
    eventually: bool = False
    """Whether it may take a while until it is answered so."""


@dataclass(frozen=True, slots=True)
class Typed:
    """One line of `wsk`, with how it ends and what it prints."""

    line: str
    exit: int = 0
    out: str | re.Pattern[str] = ""
    err: str | re.Pattern[str] = ""
    shows: Expected = NOTHING
    """The JSON after *out* (after *err*, if it ends with a failure)."""
    save: str = ""
    eventually: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One story, told by requests, by typed lines, or both; requests are told first."""

    about: str
    """The paragraphs of the contract, with blanks between: `3.8`, `t16` for trap 16, `c2.9`."""
    title: str
    steps: Sequence[Ask | Typed]
    files: Mapping[str, str] = field(default_factory=dict)
    """What lies in the folder where lines are typed."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Of the namespace, beyond the installation's."""

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """What it is about."""
        return tuple(self.about.split())


def ask(line: str, body: Any = NOTHING, status: int = 200, **more: Any) -> Ask:
    """Return a request; *line* is a method and a path, below the own namespace unless with `/`."""
    method, _, path = line.partition(" ")
    return Ask(method, path if path[:1] in "/~" else f"{OWN}/{path}", body, status, **more)


def refused(line: str, status: int, error: Expected, body: Any = NOTHING, **more: Any) -> Ask:
    """Return a request that is answered with *error*, in the one form of errors."""
    return ask(line, body, status, shows=Exactly({"error": error, "code": "<transid>"}), **more)


def typed(line: str, out: str | re.Pattern[str] = "", **more: Any) -> Typed:
    """Return a line of `wsk` that prints *out*."""
    return Typed(f"wsk {line}", out=out, **more)


def fails(line: str, code: int, err: str | re.Pattern[str], **more: Any) -> Typed:
    """Return a line of `wsk` that ends with *code* and prints *err* on standard error."""
    return Typed(f"wsk {line}", exit=code, err=err, **more)


def holding(*words: str) -> re.Pattern[str]:
    """Return what finds a text with all these *words*, in order."""
    return re.compile(".*".join(map(re.escape, words)), re.DOTALL)


OWN: Final = "/api/v1/namespaces/_"
ECHO: Final = "def main(args):\n    return args\n"
CODE: Final = {"exec": {"kind": "python:default", "code": ECHO}}


def code(source: str, **fields: Any) -> dict[str, Any]:
    """Return the document of an action whose source is *source*."""
    return {"exec": {"kind": "python:default", "code": source}, **fields}


def pairs(**values: Any) -> list[dict[str, Any]]:
    """Return parameters or annotations."""
    return [{"key": key, "value": value} for key, value in values.items()]


def sequence(*components: Any, **fields: Any) -> dict[str, Any]:
    """Return the document of a sequence of actions of the own namespace, or of full names."""
    named = [
        f"/_/{each}" if isinstance(each, str) and each[:1] != "/" else each for each in components
    ]
    return {"exec": {"kind": "sequence", "components": named}, **fields}
