"""What a trigger is given of messages, and how many of them at a time. Pure.

A batch is a range of offsets of each partition. It is written down before it is fired, so that it
is the same batch whoever fires it again, under the same name. Source: OpenWhisk's package `kafka`.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from common.codec import MalformedJson, decode, encode

MAX_BATCH_BYTES: Final = 900_000
"""Of all messages of a firing, as they are sent; less than a trigger takes."""
MAX_BATCH_MESSAGES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a broker."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """How a user wants keys and values."""

    is_json: bool = False
    is_binary_key: bool = False
    is_binary_value: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one firing. *ranges*: of each partition the first offset and the last."""

    ranges: Mapping[int, tuple[int, int]]
    shown: Sequence[Mapping[str, Any]]
    skipped: int
    """How many are left out, because each alone is too large for a firing."""

    @property
    def name(self) -> str:
        """Of the firing."""
        return name_of(self.ranges)


def name_of(ranges: Mapping[int, tuple[int, int]]) -> str:
    """Return the name of the firing of these messages."""
    told = ",".join(f"{part}:{first}-{last}" for part, (first, last) in sorted(ranges.items()))
    return blake2b(told.encode(), digest_size=16).hexdigest()


def batch_of(messages: Sequence[Message], form: Form) -> Batch:
    """Return the first of *messages* that fit into a firing, in their order."""
    ranges: dict[int, tuple[int, int]] = {}
    shown: list[Mapping[str, Any]] = []
    size_bytes = skipped = 0
    for message in messages[:MAX_BATCH_MESSAGES]:
        told = shown_as(message, form)
        more_bytes = len(encode(told)) + 1
        if more_bytes > MAX_BATCH_BYTES:
            skipped += 1
        elif size_bytes + more_bytes > MAX_BATCH_BYTES:
            break
        else:
            size_bytes += more_bytes
            shown.append(told)
        first, _ = ranges.get(message.partition, (message.offset, 0))
        ranges[message.partition] = (first, message.offset)
    return Batch(ranges, shown, skipped)


def shown_as(message: Message, form: Form) -> dict[str, Any]:
    """Return what a trigger is given of one message."""
    told: dict[str, Any] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "key": _text(message.key, is_binary=form.is_binary_key),
        "value": _value(message.value, form),
    }
    if message.headers:
        told["headers"] = {name: _text(value, is_binary=False) for name, value in message.headers}
    return told


def _value(value: bytes | None, form: Form) -> Any:
    if form.is_json and value is not None:
        try:
            return decode(value)
        except MalformedJson:
            return _text(value, is_binary=False)
    return _text(value, is_binary=form.is_binary_value)


def _text(value: bytes | None, *, is_binary: bool) -> str | None:
    if value is None:
        return None
    return b64encode(value).decode() if is_binary else value.decode("utf-8", "replace")
