"""What a namespace may have of its own: the document `lim/<namespace>`, and what it means.

A field that is not there, or cannot be read, counts as not set. The names are OpenWhisk's
(`core/entity/UserLimits.scala`, and the flags of `wskadmin limits set`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Form: TypeAlias = Literal["number", "kinds", "switch", "size"]

FIELDS: Final[Mapping[str, Form]] = {
    "invocationsPerMinute": "number",
    "firesPerMinute": "number",
    "concurrentInvocations": "number",
    "allowedKinds": "kinds",
    "storeActivations": "switch",
    "minActionMemory": "number",
    "maxActionMemory": "number",
    "minActionLogs": "number",
    "maxActionLogs": "number",
    "minActionTimeout": "number",
    "maxActionTimeout": "number",
    "minActionConcurrency": "number",
    "maxActionConcurrency": "number",
    "maxParameterSize": "size",
    "maxPayloadSize": "size",
    "retentionDays": "number",
}
"""Every limit, in the order in which they are shown. Memory and logs are MB, time is ms.

The last is ours: how long records are kept, counted as `retention.records_days` is.
"""
RETENTION: Final = "retentionDays"
MOST: Final = (1 << 31) - 1
_SIZE: Final = re.compile(r"([0-9]{1,10}) ?(B|KB|MB|GB)?", re.IGNORECASE)
_UNITS: Final = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


class NotALimit(ValueError):
    """There is no such limit, or it cannot be that."""


@dataclass(frozen=True, slots=True)
class NamespaceLimits:
    """The limits that a namespace has of its own. What is not among *numbers* is not set."""

    numbers: tuple[tuple[str, int], ...] = ()
    """By name; sizes in bytes."""
    allowed_kinds: tuple[str, ...] | None = None
    """None allows every kind, beside what the installation says."""
    store_activations: bool | None = None
    """False keeps of a record what is billed, and neither result nor log."""

    def number(self, name: str, default: int) -> int:
        """Return the limit *name*, which is a number or a size, or else *default*."""
        return next((value for each, value in self.numbers if each == name), default)


NONE: Final = NamespaceLimits()


def limits_of(body: Mapping[str, Any]) -> NamespaceLimits:
    """Return what a document says; what of it cannot be read is left out, as OpenWhisk does."""
    read = {name: _read(form, body[name]) for name, form in FIELDS.items() if name in body}
    numbers = [(name, value) for name, value in read.items() if type(value) is int]
    kinds, stores = read.get("allowedKinds"), read.get("storeActivations")
    return NamespaceLimits(
        numbers=tuple(numbers),
        allowed_kinds=kinds if isinstance(kinds, tuple) else None,
        store_activations=stores if isinstance(stores, bool) else None,
    )


def changed(body: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with what is *given* over what it said.

    Raises `NotALimit`, which says what it may be.
    """
    for name, value in given.items():
        form = FIELDS.get(name)
        if form is None:
            raise NotALimit(f"there is no limit {name}: one of {', '.join(FIELDS)}")
        if _read(form, value) is None:
            raise NotALimit(f"{name} cannot be {value!r}: {_WORDS[form]}")
    return {**body, **given}


def shown(body: Mapping[str, Any]) -> list[str]:
    """Return the lines `name = value` of a document, as `wskadmin limits get` prints them."""
    return [f"{name} = {_text(body[name])}" for name in FIELDS if name in body]


def size_bytes(text: str) -> int | None:
    """Return how much `1048576 B`, `512 KB` or `1 MB` is; None for what is no size."""
    match = _SIZE.fullmatch(text.strip())
    return None if match is None else int(match[1]) * _UNITS[(match[2] or "B").upper()]


_WORDS: Final[Mapping[Form, str]] = {
    "number": f"a whole number from 0 to {MOST}",
    "kinds": "a list of kinds",
    "switch": "true or false",
    "size": 'a size such as "1048576 B" or "1 MB"',
}


def _read(form: Form, value: object) -> int | tuple[str, ...] | bool | None:
    match form, value:
        case "number", int() if not isinstance(value, bool) and 0 <= value <= MOST:
            return value
        case "kinds", Sequence() if not isinstance(value, str | bytes):
            return tuple(value) if all(isinstance(each, str) for each in value) else None
        case "switch", bool():
            return value
        case "size", str():
            return size_bytes(value)
        case _:
            return None


def _text(value: object) -> str:
    # Python's words for booleans, as wskadmin prints them.
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
