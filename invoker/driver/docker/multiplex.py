"""The two streams of a container in one, as an engine sends them: bytes in, pieces out. Pure.

A piece has a head of eight bytes: the stream (0 is stdin's echo, 1, 2), three bytes of nothing, and
the length. Pieces are handed on as they come in, so a piece of any length needs no memory.
"""

from typing import Final

from common.errors import BriskError
from invoker.driver.port import Stream

_HEAD_BYTES: Final = 8
_STREAMS: Final = {1: Stream.STDOUT, 2: Stream.STDERR}


class BrokenStream(BriskError):
    """The engine sent something that is no piece of a container's output."""


class Demultiplexer:
    """Takes the bytes of one connection. Useless after it raised."""

    def __init__(self) -> None:
        self._head = b""
        self._left_bytes = 0
        self._stream = Stream.STDOUT

    def feed(self, data: bytes) -> list[tuple[Stream, bytes]]:
        """Return the pieces, or parts of pieces, that *data* holds. Raises `BrokenStream`."""
        pieces = []
        at = 0
        while at < len(data):
            if not self._left_bytes:
                at = self._take_head(data, at)
                continue
            part = data[at : at + self._left_bytes]
            self._left_bytes -= len(part)
            at += len(part)
            pieces.append((self._stream, part))
        return pieces

    def _take_head(self, data: bytes, at: int) -> int:
        taken = data[at : at + _HEAD_BYTES - len(self._head)]
        self._head += taken
        if len(self._head) == _HEAD_BYTES:
            stream = _STREAMS.get(self._head[0])
            if stream is None or self._head[1:4] != b"\0\0\0":
                raise BrokenStream(f"The engine sent a piece that begins with {self._head.hex()}")
            self._stream = stream
            self._left_bytes = int.from_bytes(self._head[4:], "big")
            self._head = b""
        return at + len(taken)
