"""OpenWhisk's face of a runtime: `POST /init` and `POST /run` over one lean HTTP/1.1 connection.

A Protocol and a parser, no client library: a call costs two buffers and one future. What OpenWhisk
demands is demanded: an answer has a `Content-Length`, and 204 is no answer. A connection is kept
between calls, but not for long, because a server may close it just when the next call goes out, and
a run is never sent twice; and not across a pause. Only for `/init` is a refused connection tried
again: the server of a fresh container needs a moment. Everything a server can do ends in `Died`.
Source: OpenWhisk's `ApacheBlockingContainerClient.scala`.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final, cast

import httptools

from invoker.driver.port import Answer, Died, Expired, Operation, Reply

RETRY_S: Final = 0.02
KEEP_S: Final = 1.0
"""The shortest time after which servers in use close an idle connection is 2 s."""
MAX_HEAD_BYTES: Final = 65_536
_REFUSED: Final = (ConnectionRefusedError, ConnectionResetError)
_NO_CONTENT: Final = 204
_FIRST_FINAL_STATUS: Final = 200

Dial = Callable[[], Awaitable[socket.socket]]
"""Returns a connected socket. Raises `OSError`."""


class HttpChannel:
    """Calls one server; `call` is never entered twice at a time."""

    def __init__(
        self, dial: Dial, host: str, has_ended: Callable[[], bool] = lambda: False
    ) -> None:
        """Call whatever *dial* connects to.

        host: what the `Host` header says.
        has_ended: whether a server that refuses a connection will never take one.
        """
        self._dial = dial
        self._has_ended = has_ended
        self._host = host
        self._connection: _Connection | None = None
        self._is_spent = False

    def __repr__(self) -> str:
        state = "spent" if self._is_spent else "connected" if self._connection else "idle"
        return f"<HttpChannel {self._host} {state}>"

    async def call(
        self, operation: Operation, payload: bytes, *, timeout_s: float, answer_limit_bytes: int
    ) -> Reply:
        """Send the body of /init or /run and return what came of it; never raises for it.

        After `Expired` or `Died`, or when cancelled, a further call returns `Died`.
        """
        if self._is_spent:
            return Died("an earlier call was given up")
        self._is_spent = True  # until there is an answer
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._connected(retry=operation == "init")
                request = self._head(operation, len(payload)) + payload
                reply = await connection.exchange(request, answer_limit_bytes)
        except TimeoutError:
            reply = Expired()
        except OSError as error:
            reply = Died(f"it can't be connected to: {error.strerror or error}")
        if isinstance(reply, Answer):
            self._is_spent = False
        else:
            self.disconnect()
        return reply

    def disconnect(self) -> None:
        """Drop the connection; the next call makes another. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def close(self) -> None:
        """Let go of everything; a call under way returns `Died`. Idempotent."""
        self._is_spent = True
        self.disconnect()

    async def _connected(self, *, retry: bool) -> "_Connection":
        if self._connection is not None and self._connection.is_fresh:
            return self._connection
        self.disconnect()
        connected = await self._dialled(retry=retry)
        loop = asyncio.get_running_loop()
        _, self._connection = await loop.create_connection(_Connection, sock=connected)
        return self._connection

    async def _dialled(self, *, retry: bool) -> socket.socket:
        while True:
            try:
                return await self._dial()
            except _REFUSED:
                if not retry or self._has_ended():
                    raise
            await asyncio.sleep(RETRY_S)

    def _head(self, operation: Operation, size_bytes: int) -> bytes:
        return (
            f"POST /{operation} HTTP/1.1\r\nHost: {self._host}\r\n"
            "Content-Type: application/json\r\nAccept: application/json\r\n"
            f"Content-Length: {size_bytes}\r\n\r\n"
        ).encode()


class _Connection(asyncio.Protocol):
    """One connection. The methods named `on_…` are called by the parser."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._idle_since_s = self._loop.time()
        self._is_open = True
        self._limit_bytes = 0
        self._begin()

    def _begin(self) -> None:
        self._status = 0
        self._size_bytes: int | None = None
        self._head_bytes = 0
        self._body = bytearray()

    @property
    def is_fresh(self) -> bool:
        """Whether another call may go out on it."""
        return self._is_open and self._loop.time() - self._idle_since_s < KEEP_S

    async def exchange(self, request: bytes, limit_bytes: int) -> Reply:
        """Send *request* and return the answer, of whose body *limit_bytes* are kept."""
        if not self._is_open or self._transport is None:
            return Died("the connection was closed")
        self._begin()
        self._limit_bytes = limit_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._reply = self._loop.create_future()
        self._transport.write(request)
        try:
            return await self._reply
        finally:
            self._reply = None

    def abort(self) -> None:
        """Close it at once."""
        self._fail("the connection was closed")

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's are none of asyncio's, and do the same.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came; what comes without having been asked for ends the connection."""
        if self._reply is None or self._reply.done() or self._parser is None:
            self._fail("it spoke without being asked")
            return
        if not self._status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            # What a callback of ours raised is inside; otherwise the parser says what it is.
            self._fail(str(error.__context__ or error) or "an answer that is no HTTP")
            return
        if not self._status and self._head_bytes > MAX_HEAD_BYTES:
            self._fail("an answer with a head that does not end")

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call under way."""
        self._fail("the connection was reset" if exc else "the connection ended without an answer")

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Refuse a second answer that comes together with the first."""
        if self._reply is None or self._reply.done():
            raise _NoAnswer("it spoke without being asked")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note the length. Nothing else in the head matters."""
        if name.lower() == b"content-length":
            self._size_bytes = int(value)

    def on_headers_complete(self) -> None:
        """Decide whether this is an answer as OpenWhisk's contract wants it."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS:  # "100 Continue" and the like come before it
            return
        if status == _NO_CONTENT or self._size_bytes is None:
            raise _NoAnswer("an answer without a Content-Length")
        self._status = status

    def on_body(self, body: bytes) -> None:
        """Keep the beginning, count nothing: the length was told."""
        room_bytes = self._limit_bytes - len(self._body)
        if room_bytes > 0:
            self._body += body[:room_bytes]

    def on_message_complete(self) -> None:
        """Hand over the answer."""
        if not self._status or self._reply is None or self._reply.done():
            return
        assert self._parser is not None and self._size_bytes is not None
        self._idle_since_s = self._loop.time()
        self._reply.set_result(Answer(self._status, bytes(self._body), self._size_bytes))
        if not self._parser.should_keep_alive():
            self._shut()

    def _fail(self, how: str) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(Died(how))
        self._shut()

    def _shut(self) -> None:
        self._is_open = False
        if self._transport is not None:
            self._transport.abort()


class _NoAnswer(Exception):
    """Stops the parser."""
