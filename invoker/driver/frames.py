"""What a runtime says on its channel: bytes in, frames out. Pure.

A frame is a 4-byte big-endian length (of type and payload), one byte of type, and the payload; the
grammar is in `runtimes/README.md`. The other end runs code of a stranger, who may write whatever it
likes: a frame outside the grammar raises `BrokenFrame`, and no sequence of bytes makes the reader
keep more than one log frame and `limit_bytes` of one answer.
"""

import struct
from typing import Final, NamedTuple, TypeAlias

from common.errors import BriskError

INIT: Final = b"I"
RUN: Final = b"R"
RUN_BESIDE: Final = b"C"
"""A run beside others: the number of the call (4 bytes) comes before its body."""

TEMPLATE: Final = b"T"
"""To a runtime that has loaded its code: be a template. Only a refusal keeps it awake."""
WAKE: Final = b"W"
"""To a copy of a template: the body of init, without the code."""

MAX_LOG_BYTES: Final = 65_536
"""What one `L` frame carries at most; the runtimes cut their output accordingly."""
MAX_HELLO_BYTES: Final = 4_096

OTHERS_ALIVE: Final = 1
MEMORY_EXHAUSTED: Final = 2
SHARES: Final = 4

_HELLO, _LOG, _ANSWER = b"HLA"
_LOG_BESIDE, _ANSWER_BESIDE = b"la"
_ANSWERS: Final = (_ANSWER, _ANSWER_BESIDE)
_CALL_BYTES: Final = 4
_HEADER: Final = struct.Struct(">IB")
_HEADER_BYTES: Final = 5
_LOG_HEAD: Final = struct.Struct(">BQ")
_LOG_HEAD_BYTES: Final = 9
_ANSWER_HEAD_BYTES: Final = 3
# Bounds of the length field, which counts the type byte too.
_LENGTHS: Final = {
    _HELLO: range(1, MAX_HELLO_BYTES + 2),
    _LOG: range(_LOG_HEAD_BYTES + 1, MAX_LOG_BYTES + _LOG_HEAD_BYTES + 2),
    _ANSWER: range(_ANSWER_HEAD_BYTES + 1, 1 << 32),
    _LOG_BESIDE: range(
        _CALL_BYTES + _LOG_HEAD_BYTES + 1, _CALL_BYTES + MAX_LOG_BYTES + _LOG_HEAD_BYTES + 2
    ),
    _ANSWER_BESIDE: range(_CALL_BYTES + _ANSWER_HEAD_BYTES + 1, 1 << 32),
}


class BrokenFrame(BriskError):
    """The runtime sent something that is no frame."""


class HelloFrame(NamedTuple):
    """The runtime is up."""

    body: bytes


class LogFrame(NamedTuple):
    """Something was printed; *stream* is 1 or 2, *time_ns* Unix time, *call* 0 for the only one."""

    stream: int
    time_ns: int
    text: bytes
    call: int = 0


class AnswerFrame(NamedTuple):
    """A call was answered; *body* holds the first `limit_bytes` of *size* bytes."""

    status: int
    flags: int
    body: bytes
    size: int
    call: int = 0


Frame: TypeAlias = HelloFrame | LogFrame | AnswerFrame


class FrameReader:
    """Cuts a stream of bytes into frames. Useless after it raised."""

    limit_bytes: int
    """How much of an answer's body is kept; the rest is counted and dropped."""

    def __init__(self, limit_bytes: int = 0) -> None:
        self.limit_bytes = limit_bytes
        self._pending = b""
        self._status = 0
        self._flags = 0
        self._size = 0
        self._answered = 0
        self._awaited = 0
        self._body = bytearray()

    @property
    def is_inside_frame(self) -> bool:
        """Whether the stream would end in the middle of a frame if it ended now."""
        return bool(self._pending) or self._awaited > 0

    @property
    def is_inside_answer(self) -> bool:
        """Whether the rest of an answer is to come."""
        return self._awaited > 0

    @property
    def is_keeping_answer(self) -> bool:
        """Whether what comes next of an answer is kept."""
        return self._awaited > 0 and len(self._body) < self.limit_bytes

    @property
    def held_bytes(self) -> int:
        """How much is kept between two calls of `feed`."""
        return len(self._pending) + len(self._body)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that *data* completes, in order. Raises `BrokenFrame`."""
        frames: list[Frame] = []
        if self._pending:
            data, self._pending = self._pending + data, b""
        at = 0
        while True:
            if self._awaited:
                at = self._take_body(data, at, frames)
            if len(data) - at < _HEADER_BYTES:
                break
            length, kind = _HEADER.unpack_from(data, at)
            _check(kind, length)
            if kind in _ANSWERS:
                call_bytes = 0 if kind == _ANSWER else _CALL_BYTES
                begin = at + _HEADER_BYTES + call_bytes + _ANSWER_HEAD_BYTES
                if len(data) < begin:
                    break
                self._answered = int.from_bytes(data[at + 5 : begin - 3], "big")
                self._status = int.from_bytes(data[begin - 3 : begin - 1], "big")
                self._flags = data[begin - 1]
                self._size = self._awaited = length - 1 - call_bytes - _ANSWER_HEAD_BYTES
                at = begin
                if not self._size:
                    frames.append(self._answer())
                continue
            end = at + 4 + length
            if len(data) < end:
                break
            frames.append(_whole_frame(kind, data, at + _HEADER_BYTES, end))
            at = end
        self._pending = data[at:]
        return frames

    def _take_body(self, data: bytes, at: int, frames: list[Frame]) -> int:
        """Take what *data* has of an answer's body from *at* on; return where it ends."""
        end = min(len(data), at + self._awaited)
        room = self.limit_bytes - len(self._body)
        if room > 0:
            self._body += memoryview(data)[at : min(end, at + room)]
        self._awaited -= end - at
        if not self._awaited:
            frames.append(self._answer())
            self._body = bytearray()
        return end

    def _answer(self) -> AnswerFrame:
        body = bytes(self._body)
        return AnswerFrame(self._status, self._flags, body, self._size, self._answered)


def _check(kind: int, length: int) -> None:
    lengths = _LENGTHS.get(kind)
    if lengths is None:
        raise BrokenFrame(f"of type 0x{kind:02x}")
    if length not in lengths:
        raise BrokenFrame(f"of type {chr(kind)} and length {length}")


def _whole_frame(kind: int, data: bytes, begin: int, end: int) -> HelloFrame | LogFrame:
    """Return the frame whose payload is *data* from *begin* to *end*."""
    if kind == _HELLO:
        return HelloFrame(data[begin:end])
    call = 0
    if kind == _LOG_BESIDE:
        call = int.from_bytes(data[begin : begin + _CALL_BYTES], "big")
        begin += _CALL_BYTES
    stream, time_ns = _LOG_HEAD.unpack_from(data, begin)
    if stream not in (1, 2):
        raise BrokenFrame(f"of stream {stream}")
    return LogFrame(stream, time_ns, data[begin + _LOG_HEAD_BYTES : end], call)
