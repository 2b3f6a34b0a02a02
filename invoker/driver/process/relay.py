"""How functions reach the platform's API without a way to this host.

A socket keeps the network in which it was made. So a sandbox listens on its own loopback while it
is set up, and hands that socket to the platform before any code of a user is there; the platform
accepts on it and passes bytes to the API and back. It works whatever else a sandbox may reach, and
nothing but the API can be reached by it.
"""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from common.log import logger

PORT: Final = 3233
ADDRESS_INSIDE: Final = f"http://127.0.0.1:{PORT}"
"""Where a sandbox reaches the API."""
MOST_CONNECTIONS: Final = 64
"""Of one sandbox at the same time; more wait."""
CONNECT_S: Final = 5.0
_CHUNK_BYTES: Final = 1 << 16
_log: Final = logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the API is, as this host reaches it."""

    host: str
    port: int
    is_secure: bool

    @classmethod
    def of(cls, url: str) -> "Target":
        """Return what *url* names."""
        parts = urlsplit(url if "//" in url else f"//{url}")
        is_secure = parts.scheme == "https"
        return cls(
            parts.hostname or "127.0.0.1", parts.port or (443 if is_secure else 80), is_secure
        )


class Relay:
    """The way of one sandbox to the API, until `close`. Made by `open`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)

    def __repr__(self) -> str:
        return f"<Relay to {self._target} connections={len(self._connections)}>"

    @classmethod
    async def open(cls, listener: socket.socket, target: Target) -> "Relay":
        """Return a relay that owns *listener*, which listens in the sandbox's network."""
        relay = cls(target)
        try:
            relay._server = await asyncio.start_server(
                relay._serve, sock=listener, limit=_CHUNK_BYTES, start_serving=False
            )
            await relay._server.start_serving()
        except BaseException:
            relay.close()
            listener.close()
            raise
        return relay

    def close(self) -> None:
        """End every connection and listen no more. Idempotent."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = asyncio.current_task()
        assert own is not None, "a server of streams runs this in a task"
        self._connections.add(own)
        try:
            async with self._room:
                await self._pass_on(reader, writer)
        except (OSError, TimeoutError) as error:
            _log.info("api_not_relayed", target=repr(self._target), why=str(error))
        finally:
            self._connections.discard(own)
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = ssl.create_default_context() if self._target.is_secure else None
        async with asyncio.timeout(CONNECT_S):
            far_reader, far_writer = await asyncio.open_connection(
                self._target.host, self._target.port, ssl=context, limit=_CHUNK_BYTES
            )
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, far_writer))
                both.create_task(_copy(far_reader, writer))
        finally:
            far_writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends; a side that breaks takes the other along."""
    try:
        while chunk := await source.read(_CHUNK_BYTES):
            sink.write(chunk)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
    except OSError:
        sink.close()
