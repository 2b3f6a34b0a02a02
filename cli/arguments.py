"""Keys and values: taken from the line before it is read as flags.

`-p KEY VALUE` has two words, which no flag library knows, and may stand anywhere. So these flags
are cut out of the argument vector first, in the order they were typed, and what is left is an
ordinary line. Files are read at once: a missing one is found before any request is made.

A VALUE is JSON where it can be read as JSON, else it is text.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cli.failures import GENERAL, Change, Failure, Remedy
from cli.jsontext import Json, NotJson, decode, decode_first, encode

Purpose: TypeAlias = Literal["parameter", "annotation", "feed", "trigger"]

PAIR_FLAGS: Final[dict[str, Purpose]] = {
    "-p": "parameter",
    "--param": "parameter",
    "-a": "annotation",
    "--annotation": "annotation",
    "-F": "feed",
    "--feed-param": "feed",
    "-T": "trigger",
    "--trigger-param": "trigger",
}
FILE_FLAGS: Final[dict[str, Purpose]] = {
    "-P": "parameter",
    "--param-file": "parameter",
    "-A": "annotation",
    "--annotation-file": "annotation",
}


OPERATORS: Final = "admin"
"""The noun whose commands have flags of `wskadmin`, and take no keys and values."""


@dataclass(frozen=True, slots=True)
class Pair:
    """`-p KEY VALUE`."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Document:
    """`-P FILE`: what was in it."""

    text: str


@dataclass(slots=True)
class Typed:
    """A line without its keys and values, and these."""

    line: list[str] = field(default_factory=list)
    sources: dict[Purpose, list[Pair | Document]] = field(default_factory=dict)

    def values(self, purpose: Purpose) -> dict[str, Json] | None:
        """Return everything typed for *purpose* as one object, the later wins; None for nothing.

        Raises `Failure` for what is not JSON.
        """
        sources = self.sources.get(purpose)
        if not sources:
            return None
        merged: dict[str, Json] = {}
        for source in sources:
            if isinstance(source, Pair):
                merged[source.key] = _value(source.value, purpose)
            else:
                merged |= _object(source.text, purpose)
        return merged

    def bindings(self, purpose: Purpose) -> list[Json] | None:
        """Return the same as a list of key and value, in the order typed; None for nothing."""
        values = self.values(purpose)
        if values is None:
            return None
        return [{"key": key, "value": value} for key, value in values.items()]


def split(argv: Sequence[str]) -> Typed:
    """Take the keys and values out of *argv*; what follows `--` is left alone.

    Raises `Failure` when a flag lacks its words or a file cannot be read.
    """
    typed = Typed()
    if next((word for word in argv if not word.startswith("-")), "") == OPERATORS:
        typed.line += argv
        return typed
    words = iter(argv)
    for word in words:
        if word == "--":
            typed.line += [word, *words]
        elif purpose := PAIR_FLAGS.get(word):
            typed.sources.setdefault(purpose, []).append(_pair(word, purpose, words))
        elif purpose := FILE_FLAGS.get(word):
            typed.sources.setdefault(purpose, []).append(_document(word, purpose, words))
        else:
            typed.line.append(word)
    return typed


def _pair(flag: str, purpose: Purpose, words: Iterator[str]) -> Pair:
    key, value = next(words, None), next(words, None)
    if key is None or value is None:
        lacks = ("VALUE",) if key is not None else ("NAME", "VALUE")
        said = f"Arguments for '{flag}' must be a key/value pair"
        raise _invalid(purpose, said, Change((), lacks))
    return Pair(key, value)


def _document(flag: str, purpose: Purpose, words: Iterator[str]) -> Document:
    name = next(words, None)
    if name is None:
        raise _invalid(purpose, f"An argument must be provided for '{flag}'")
    if name == "-":
        return Document(sys.stdin.read())
    try:
        return Document(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        from cli.artifacts import no_file  # A line without files needs none of it.

        raise no_file(name).within("Failed to parse arguments") from error


def _invalid(purpose: Purpose, reason: str, change: Change | None = None) -> Failure:
    return Failure(
        f"Failed to parse arguments: The {purpose} arguments are invalid: {reason}",
        GENERAL,
        remedy=Remedy("a key and its value are two words: -p name World", change=change),
    )


def _value(typed: str, purpose: Purpose) -> Json:
    with suppress(NotJson):  # What is no JSON is text.
        return decode(typed)
    try:
        return decode(f'"{typed}"')  # `a\tb` is a tab then, as OpenWhisk's command line has it.
    except NotJson as error:
        if typed.lstrip().startswith(("{", "[", '"')):
            raise _not_json(typed, purpose, error) from error
        return typed


def _object(text: str, purpose: Purpose) -> dict[str, Json]:
    try:
        value = decode_first(text)
    except NotJson as error:
        raise _not_json(text, purpose, error) from error
    if not isinstance(value, dict):
        raise _not_json(text, purpose, NotJson("a JSON object is needed"))
    return value


def _not_json(text: str, purpose: Purpose, reason: NotJson) -> Failure:
    return Failure(
        f"Invalid {purpose} argument '{text}': {reason}",
        remedy=Remedy(
            "it begins like JSON but cannot be read as JSON; as text it is quoted",
            change=Change((text,), (encode(text).decode(),)),
        ),
    )
