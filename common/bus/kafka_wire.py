"""The two requests of the hot way as bytes, and what is answered: values in, values out.

Everything that is asked now and then goes by aiokafka, which knows every version of every request.
What is asked for each message, and waited for, is written and read here in one version, in a step
each. Source: Kafka's protocol guide; the tests hold it against aiokafka's own schemas. Both
versions are taken by brokers from 2.3 on.

    request   size:i32 api:i16 version:i16 number:i32 client:string body
    answer    size:i32 number:i32 body
"""

import struct
from dataclasses import dataclass
from typing import Final

PRODUCE: Final = (0, 7)
"""Its number among the requests of Kafka, and the version that is written here."""
FETCH: Final = (1, 11)
HEAD_BYTES: Final = 4
"""What says how much follows."""

_CLIENT: Final = b"brisk"
_BY_ALL_REPLICAS: Final = -1
_NO_REPLICA: Final = -1
_NO_SESSION: Final = (0, -1)
_UNKNOWN: Final = -1
_COMMITTED_OR_NOT: Final = 0

_REQUEST: Final = struct.Struct(f">ihhih{len(_CLIENT)}s")
_FETCH_HEAD: Final = struct.Struct(">iiiibiiih")
_FETCH_PLACE: Final = struct.Struct(">iiiqqiih")
_FETCH_ANSWER: Final = struct.Struct(">ihii")
_FETCH_FOUND: Final = struct.Struct(">iihqqqi")
_PRODUCE_HEAD: Final = struct.Struct(">hhiih")
_PRODUCE_PLACE: Final = struct.Struct(">iii")
_PRODUCE_FOUND: Final = struct.Struct(">iihq")
_ABORTED_BYTES: Final = 16
_I16: Final = struct.Struct(">h")
_I32: Final = struct.Struct(">i")


class MalformedAnswer(ValueError):
    """What a broker has answered is not what it was asked."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a broker says of one topic. *code*: Kafka's of an error, 0 for none."""

    code: int
    end: int
    """The offset that the next message will get."""
    batches: bytes


@dataclass(frozen=True, slots=True)
class Produced:
    """What became of one batch. *code*: Kafka's of an error, 0 for none."""

    code: int
    offset: int
    """Of the first message; -1 where the broker does not know."""


def framed(call: tuple[int, int], number: int, body: bytes) -> bytes:
    """Return what goes to a broker. *number* comes back with the answer."""
    size = _REQUEST.size - HEAD_BYTES + len(body)
    return _REQUEST.pack(size, *call, number, len(_CLIENT), _CLIENT) + body


def fetch(topic: str, offset: int, *, wait_ms: int, most_bytes: int) -> bytes:
    """Ask for batches of a topic from *offset* on, as soon as there are any.

    wait_ms: after which there are none. most_bytes: exceeded by the first batch, if it is larger.
    """
    name = topic.encode()
    least_bytes = 1
    head = _FETCH_HEAD.pack(
        _NO_REPLICA, wait_ms, least_bytes, most_bytes, _COMMITTED_OR_NOT, *_NO_SESSION,
        1, len(name),
    )  # fmt: skip
    partition, nothing_forgotten, no_rack = 0, 0, 0
    place = _FETCH_PLACE.pack(
        1, partition, _UNKNOWN, offset, _UNKNOWN, most_bytes, nothing_forgotten, no_rack
    )
    return b"".join((head, name, place))


def fetched(answer: bytes) -> Fetched:
    """Return what is answered to `fetch`. Raises `MalformedAnswer`."""
    try:
        _, code, _, topics = _FETCH_ANSWER.unpack_from(answer)
        if code and not topics:
            return Fetched(code, -1, b"")
        at = _after_name(answer, _FETCH_ANSWER.size, topics)
        _, _, code, end, _, _, aborted = _FETCH_FOUND.unpack_from(answer, at)
        at += _FETCH_FOUND.size + max(0, aborted) * _ABORTED_BYTES + _I32.size
        [size] = _I32.unpack_from(answer, at)
    except struct.error as error:
        raise MalformedAnswer("A broker's answer ends early.") from error
    at += _I32.size
    return Fetched(code, end, answer[at : at + max(0, size)])


def produce(topic: str, batch: bytes, *, timeout_ms: int) -> bytes:
    """Ask that *batch* be put into a topic, and answered when all replicas have it.

    timeout_ms: how long the broker waits for the others.
    """
    name = topic.encode()
    no_transaction = -1
    head = _PRODUCE_HEAD.pack(no_transaction, _BY_ALL_REPLICAS, timeout_ms, 1, len(name))
    place = _PRODUCE_PLACE.pack(1, 0, len(batch))
    return b"".join((head, name, place, batch))


def produced(answer: bytes) -> Produced:
    """Return what is answered to `produce`. Raises `MalformedAnswer`."""
    try:
        [topics] = _I32.unpack_from(answer)
        _, _, code, offset = _PRODUCE_FOUND.unpack_from(
            answer, _after_name(answer, _I32.size, topics)
        )
    except struct.error as error:
        raise MalformedAnswer("A broker's answer ends early.") from error
    return Produced(code, offset)


def _after_name(answer: bytes, at: int, topics: int) -> int:
    """Return where what is said of the one topic begins, whose name is at *at*."""
    if topics != 1:
        raise MalformedAnswer("A broker's answer is not about one topic.")
    [name_bytes] = _I16.unpack_from(answer, at)
    return at + _I16.size + int(name_bytes)
