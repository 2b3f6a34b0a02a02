"""The hot face: a listener that answers the plainest requests itself and passes on all others.

A connection begins here. As long as each request on it is a complete, plain POST or GET to a wanted
address, it is answered with one parse and one write. The first request that is anything else goes
to aiohttp, byte for byte and together with its connection, and stays there. So there is one port
and one set of handlers, and every odd case is treated by the server that knows them all.

aiohttp's server costs some 90 µs of processor more for a request than this does.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, cast

import httptools
from aiohttp import web

from common.log import logger

MOST_BYTES: Final = 64 << 10
"""A longer request is for aiohttp, which reads bodies piece by piece."""
MOST_HEAD_BYTES: Final = 8 << 10
"""A longer head of a GET is for aiohttp, too: that is what it takes for a single header."""
IDLE_S: Final = 75.0
"""How long a connection may do nothing, or send half a request. aiohttp's keep-alive is as long."""
SWEEP_S: Final = 5.0

_JSON: Final = b"application/json"

log = logger(__name__)


class PlainRequest(NamedTuple):
    """A POST or a GET with nothing unusual about it. *body* is empty where there is none."""

    target: bytes
    authorization: bytes
    request_id: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """All of a GET, in order, in ASCII; a POST is told by the rest."""


Reply: TypeAlias = Callable[[bytes], None]
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


class Short(Protocol):
    """The short way."""

    def begin(self, request: PlainRequest, reply: Reply, spawn: Spawn) -> bool:
        """Begin to answer, if nothing has to be waited for before; False has begun nothing.

        reply: called once, at any time after this returned, with the bytes of the answer.
        spawn: does what must be waited for on the way.
        """
        ...

    async def answer(self, request: PlainRequest) -> bytes | None:
        """Return the bytes of the answer, or None when the request is for aiohttp after all."""
        ...


class Shorts(NamedTuple):
    """Which plain requests are answered without aiohttp: those whose targets begin so, and how."""

    posts: tuple[bytes, Short]
    gets: tuple[bytes, Short] | None = None


class HotListener:
    """Makes the protocols of one port. `serve` owns what they do; it has to be running."""

    def __init__(self, shorts: Shorts, long: web.Server) -> None:
        """Answer what *shorts* are for by them, and everything else by *long*."""
        self.shorts = shorts
        self.long = long
        self.tasks: asyncio.TaskGroup | None = None
        self.connections: set[HotConnection] = set()
        self._all_answered = asyncio.Event()

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return HotConnection(self)

    async def serve(self) -> None:
        """Answer requests, and close connections that idle, until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as self.tasks:
            while True:
                await asyncio.sleep(SWEEP_S)
                self._close_idle(loop.time() - IDLE_S)

    async def drain(self, drain_s: float) -> None:
        """Close what is idle; return when the rest was answered, or after *drain_s*."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + drain_s
        self._close_idle(math.inf)
        while any(connection.is_busy for connection in self.connections):
            self._all_answered.clear()
            try:
                async with asyncio.timeout_at(give_up_s):
                    await self._all_answered.wait()
            except TimeoutError:
                log.warning("requests_not_answered", after_s=drain_s)
                break
            self._close_idle(math.inf)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Have *work* done; it is this listener's."""
        assert self.tasks, "nobody serves"
        _ = self.tasks.create_task(work)

    def answered(self) -> None:
        """Take note that a connection is not busy any more."""
        self._all_answered.set()

    def _close_idle(self, moment_s: float) -> None:
        for connection in list(self.connections):
            connection.close_if_idle_since(moment_s)


class HotConnection(asyncio.Protocol):
    """One connection, until it is closed or goes to aiohttp."""

    def __init__(self, listener: HotListener) -> None:
        self.is_busy = False
        """Whether a request is being answered; others wait behind it, unparsed."""
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._active_s = self._loop.time()
        self._raw = b""
        self._is_paused = False
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; an activation that is under way goes on, with nobody to tell."""
        self._listener.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        self._active_s = self._loop.time()
        self._raw += data
        if self.is_busy:
            if len(self._raw) > MOST_BYTES and not self._is_paused:
                self._is_paused = True
                self._transport.pause_reading()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._is_plain = False
        if not self._is_plain or len(self._raw) > MOST_BYTES:
            self._pass_on()
        elif self._is_complete:
            request, short = self._request(), self._short
            assert short, "a plain request has one"
            self.is_busy = True
            if not short.begin(request, self._reply, self._listener.spawn):
                self._listener.spawn(self._answer(short, request))

    def close_if_idle_since(self, moment_s: float) -> None:
        """Close the connection if it has done nothing after *moment_s* of the loop's time."""
        if not self.is_busy and self._active_s <= moment_s:
            self._transport.close()

    def _request(self) -> PlainRequest:
        headers = tuple(self._headers) if self._is_get else ()
        return PlainRequest(
            self._target, self._authorization, self._request_id, self._body, headers
        )

    async def _answer(self, short: Short, request: PlainRequest) -> None:
        try:
            answer = await short.answer(request)
        except Exception:
            log.exception("request failed", path=request.target.decode(errors="replace"))
            self._transport.abort()
            self._end_request()
            return
        if answer is not None:
            self._reply(answer)
            return
        self._end_request()
        if not self._transport.is_closing():
            self._pass_on()

    def _reply(self, answer: bytes) -> None:
        self._end_request()
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        rest, self._raw = self._raw[self._length :], b""
        self._begin()
        self._resume()
        if rest:
            self.data_received(rest)

    def _end_request(self) -> None:
        self.is_busy = False
        self._active_s = self._loop.time()
        self._listener.answered()

    def _pass_on(self) -> None:
        """Let aiohttp have the connection, with everything that has not been answered."""
        self._listener.connections.discard(self)
        long = self._listener.long()
        self._transport.set_protocol(long)
        long.connection_made(self._transport)
        self._resume()
        long.data_received(self._raw)

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    # What httptools calls back, for one request after the other.

    def _begin(self) -> None:
        self._is_plain = self._is_json = True
        self._is_complete = self._has_type = self._is_get = False
        self._short: Short | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._target = self._authorization = self._request_id = self._body = b""
        self._length = 0

    def on_url(self, url: bytes) -> None:
        """Take the request's target, or a piece of it."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; what is not known to be harmless is not plain."""
        self._headers.append((name, value))
        match name.lower():
            case b"authorization" if not self._authorization:
                self._authorization = value
            case b"x-request-id" if not self._request_id:
                self._request_id = value
            case b"content-type":
                self._has_type = True
                self._is_json &= value == _JSON
            case b"accept":
                self._is_json &= value in (_JSON, b"*/*")
            case b"connection":
                self._is_plain &= value.lower() == b"keep-alive"
            case b"authorization" | b"x-request-id" | b"expect" | b"upgrade":
                self._is_plain = False
            case b"transfer-encoding" | b"content-encoding" | b"traceparent":
                self._is_plain = False
            case _:
                pass

    def on_headers_complete(self) -> None:
        """Decide whether this is a plain request."""
        posts, gets = self._listener.shorts
        method = self._parser.get_method()
        if method == b"POST" and self._is_json and self._target.startswith(posts[0]):
            self._short = posts[1]
        elif method == b"GET" and gets and self._target.startswith(gets[0]) and self._is_simple():
            self._short, self._is_get = gets[1], True
        self._is_plain &= self._short is not None and self._parser.should_keep_alive()

    def _is_simple(self) -> bool:
        """Tell whether what aiohttp might refuse or read otherwise is missing from the head."""
        return len(self._raw) <= MOST_HEAD_BYTES and all(
            name.isascii() and value.isascii() for name, value in self._headers
        )

    def on_body(self, body: bytes) -> None:
        """Take the body, or a piece of it."""
        self._body += body

    def on_message_begin(self) -> None:
        """Refuse a second request before the first one is answered: aiohttp keeps the order."""
        if self._is_complete:
            self._is_plain = False

    def on_message_complete(self) -> None:
        """Note that everything is there."""
        self._is_complete = True
        self._is_plain &= (self._has_type and not self._is_get) or not self._body
        self._length = len(self._raw)
