"""What a container of a stranger prints: the engine's attached stream, as it comes.

A Protocol on the engine's socket and no task: the request goes out once, the answer is a head and
then pieces until the container ends. Attached before the start, it misses nothing; with the log of
the engine itself switched off, nothing is written to a disk.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, cast

from invoker.driver.docker.engine import API, EngineFailed, EngineUnreachable
from invoker.driver.docker.multiplex import BrokenStream, Demultiplexer
from invoker.driver.port import Stream

ATTACH_S: Final = 10.0
_MAX_HEAD_BYTES: Final = 16_384
_GOOD: Final = (b"HTTP/1.1 200 ", b"HTTP/1.1 101 ")

Take = Callable[[Stream, bytes], None]


class Attachment(asyncio.Protocol):
    """One attached stream; owned by the sandbox until `close`."""

    def __init__(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._request = request
        self._head = b""
        self._pieces = Demultiplexer()
        self._attached: asyncio.Future[bool] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self.take: Take = _drop

    @classmethod
    async def open(cls, engine: Path, container: str) -> Self:
        """Attach to *container*, which need not run yet. Raises `EngineFailed`."""
        request = (
            f"POST {API}/containers/{container}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\n"
            "Host: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ATTACH_S):
                _, attachment = await loop.create_unix_connection(lambda: cls(request), str(engine))
                try:
                    is_attached = await attachment._attached
                except BaseException:
                    attachment.close()
                    raise
        except (OSError, TimeoutError) as error:
            raise EngineUnreachable("the output of a container can't be had") from error
        if not is_attached:
            attachment.close()
            raise EngineFailed("the engine does not show the output of a container")
        return attachment

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self.take = _drop
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        # uvloop's are none of asyncio's, and do the same.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take the head of the answer, then pieces."""
        if not self._attached.done():
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if end or len(self._head) > _MAX_HEAD_BYTES:
                self._head = b""
                self._attached.set_result(bool(end) and head.startswith(_GOOD))
            if not end:
                return
        try:
            for stream, text in self._pieces.feed(data):
                self.take(stream, text)
        except BrokenStream:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        if not self._attached.done():
            self._attached.set_result(False)
        if not self.ended.done():
            self.ended.set_result("it ended")


def _drop(stream: Stream, text: bytes) -> None:
    """Take what belongs to no activation."""
