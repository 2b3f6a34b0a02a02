"""The hot face: what it answers itself, what it passes on, and that nothing is lost in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from controller.edge.hot import (
    MOST_BYTES,
    MOST_HEAD_BYTES,
    HotListener,
    PlainRequest,
    Reply,
    Shorts,
    Spawn,
)
from tests.fakes.turns import until

PLAIN = (
    b"POST /hot/a?x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Basic abc\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)


def answered(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@dataclass
class Faces:
    """Both faces on one port. The short one answers `short`, the long one `long` and the body."""

    port: int
    listener: HotListener
    seen: list[PlainRequest] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    declines: bool = False
    at_once: bool = False
    replies: list[Reply] = field(default_factory=list)

    def begin(self, request: PlainRequest, reply: Reply, spawn: Spawn) -> bool:
        if self.at_once:
            self.seen.append(request)
            self.replies.append(reply)
        return self.at_once

    async def answer(self, request: PlainRequest) -> bytes | None:
        self.seen.append(request)
        await self.gate.wait()
        return None if self.declines else answered(b"short " + request.target)


@asynccontextmanager
async def faces() -> AsyncIterator[Faces]:
    async def long(request: web.BaseRequest) -> web.Response:
        body = await request.read()
        return web.Response(text=f"long {request.method} {request.path} {len(body)}")

    server = web.Server(long)
    both = Faces(0, None)  # type: ignore[arg-type]  # each needs the other
    listener = both.listener = HotListener(
        Shorts(posts=(b"/hot/", both), gets=(b"/page/", both)), server
    )
    both.gate.set()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(listener.serve())
        bound = await asyncio.get_running_loop().create_server(listener, "127.0.0.1", 0)
        both.port = bound.sockets[0].getsockname()[1]
        try:
            yield both
        finally:
            bound.close()
            both.gate.set()
            await listener.drain(5)
            await server.shutdown(5)
            serving.cancel()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def answer(self) -> bytes:
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(h[15:]) for h in lines if h.startswith(b"content-length:"))
            return await self.reader.readexactly(length)


@asynccontextmanager
async def client(both: Faces) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", both.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_plain_requests_are_answered_one_after_the_other_on_one_connection() -> None:
    async with faces() as both, client(both) as caller:
        for _ in range(3):
            await caller.send(PLAIN)
            assert await caller.answer() == b"short /hot/a?x=1"
        assert both.seen[0] == PlainRequest(b"/hot/a?x=1", b"Basic abc", b"", b"{}")


@pytest.mark.parametrize("cut", range(1, len(PLAIN), 7))
async def test_a_request_may_come_in_pieces(cut: int) -> None:
    async with faces() as both, client(both) as caller:
        await caller.send(PLAIN[:cut], PLAIN[cut:])
        assert await caller.answer() == b"short /hot/a?x=1"
        assert both.seen == [PlainRequest(b"/hot/a?x=1", b"Basic abc", b"", b"{}")]


PAGE = b"GET /page/a HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\nX-Own: 1\r\n\r\n"


async def test_a_plain_get_comes_with_all_of_its_headers() -> None:
    async with faces() as both, client(both) as caller:
        for _ in range(2):
            await caller.send(PAGE)
            assert await caller.answer() == b"short /page/a"
        headers = ((b"Host", b"h"), (b"Accept", b"text/html"), (b"X-Own", b"1"))
        assert both.seen == [PlainRequest(b"/page/a", b"", b"", b"", headers)] * 2


@pytest.mark.parametrize(
    "request_bytes",
    [
        PAGE.replace(b"GET", b"HEAD"),
        PAGE.replace(b"GET", b"DELETE"),
        PAGE.replace(b"X-Own: 1", b"Content-Length: 1") + b"x",
        PAGE.replace(b"X-Own: 1", "X-Own: \u00e9".encode()),
        PAGE.replace(b"X-Own: 1", b"X-Own: " + b"x" * MOST_HEAD_BYTES),
        PAGE.replace(b"X-Own: 1", b"Connection: close"),
    ],
)
async def test_a_get_that_is_not_plain_is_seen_by_aiohttp_alone(request_bytes: bytes) -> None:
    async with faces() as both, client(both) as caller:
        await caller.send(request_bytes)
        async with asyncio.timeout(5):
            assert await caller.reader.readline()
        assert not both.seen


def unusual(old: bytes, new: bytes) -> bytes:
    assert old in PLAIN
    return PLAIN.replace(old, new)


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"GET /hot/a HTTP/1.1\r\nHost: h\r\n\r\n", b"long GET /hot/a 0"),
        (unusual(b"/hot/a", b"/cold"), b"long POST /cold 2"),
        (unusual(b"Host: h", b"Host: h\r\nExpect: 100-continue"), b"long POST /hot/a 2"),
        (unusual(b"Host: h", b"Host: h\r\nConnection: close"), b"long POST /hot/a 2"),
        (unusual(b"application/json", b"text/plain"), b"long POST /hot/a 2"),
        (unusual(b"Content-Type: application/json\r\n", b""), b"long POST /hot/a 2"),
        (unusual(b"Host: h", b"Host: h\r\nAccept: text/html"), b"long POST /hot/a 2"),
        (unusual(b"Host: h", b"Host: h\r\nContent-Encoding: deflate"), None),
        (unusual(b"Host: h", b"Host: h\r\nAuthorization: Basic twice"), b"long POST /hot/a 2"),
        (
            unusual(b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n")
            + b"2\r\n{}\r\n0\r\n\r\n",
            b"long POST /hot/a 2",
        ),
    ],
)
async def test_what_is_not_plain_goes_to_the_long_face_whole(
    request_bytes: bytes, answer: bytes | None
) -> None:
    async with faces() as both, client(both) as caller:
        await caller.send(request_bytes)
        if answer is None:
            status = await asyncio.wait_for(caller.reader.readline(), 5)
            assert b" 400 " in status
        else:
            assert await caller.answer() == answer
        assert both.seen == []


async def test_rubbish_is_refused_by_the_long_face() -> None:
    async with faces() as both, client(both) as caller:
        await caller.send(b"\x16\x03\x01 rubbish\r\n\r\n")
        status = await asyncio.wait_for(caller.reader.readline(), 5)
        assert b" 400 " in status
        assert both.seen == []


async def test_a_long_body_goes_to_the_long_face() -> None:
    body = b"x" * (2 * MOST_BYTES)
    request = unusual(b"Content-Length: 2\r\n\r\n{}", b"Content-Length: %d\r\n\r\n" % len(body))
    async with faces() as both, client(both) as caller:
        await caller.send(request + body)
        assert await caller.answer() == b"long POST /hot/a %d" % len(body)


async def test_what_the_short_way_declines_goes_the_long_way_and_stays_there() -> None:
    async with faces() as both, client(both) as caller:
        both.declines = True
        await caller.send(PLAIN)
        assert await caller.answer() == b"long POST /hot/a 2"
        await caller.send(PLAIN)
        assert await caller.answer() == b"long POST /hot/a 2"
        assert len(both.seen) == 1


async def test_requests_sent_at_once_are_answered_in_order_by_the_long_face() -> None:
    async with faces() as both, client(both) as caller:
        await caller.send(PLAIN + unusual(b"/hot/a", b"/hot/b"))
        assert await caller.answer() == b"long POST /hot/a 2"
        assert await caller.answer() == b"long POST /hot/b 2"
        assert both.seen == []


async def test_a_request_that_comes_while_another_is_answered_waits_for_it() -> None:
    async with faces() as both, client(both) as caller:
        both.gate.clear()
        await caller.send(PLAIN)
        await until(lambda: bool(both.seen))
        await caller.send(unusual(b"/hot/a", b"/hot/b"), b"")
        assert len(both.seen) == 1
        both.gate.set()
        assert await caller.answer() == b"short /hot/a?x=1"
        assert await caller.answer() == b"short /hot/b?x=1"


async def test_a_client_that_floods_while_it_is_answered_is_not_read_from() -> None:
    async with faces() as both, client(both) as caller:
        both.gate.clear()
        await caller.send(PLAIN)
        await until(lambda: bool(both.seen))
        [connection] = both.listener.connections
        for _ in range(64):
            caller.writer.write(b"y" * MOST_BYTES)
        await until(lambda: connection._is_paused)
        assert len(connection._raw) < 16 * MOST_BYTES
        caller.writer.transport.abort()


async def test_a_connection_that_idles_is_closed_and_a_busy_one_is_not() -> None:
    async with faces() as both, client(both) as idle, client(both) as half, client(both) as busy:
        both.gate.clear()
        await half.send(PLAIN[:20])
        await busy.send(PLAIN)
        await until(lambda: bool(both.seen))
        for connection in list(both.listener.connections):
            connection.close_if_idle_since(asyncio.get_running_loop().time())
        assert await asyncio.wait_for(idle.reader.read(), 5) == b""
        assert await asyncio.wait_for(half.reader.read(), 5) == b""
        both.gate.set()
        assert await busy.answer() == b"short /hot/a?x=1"


async def test_a_client_that_leaves_does_not_disturb_the_answer_to_come() -> None:
    async with faces() as both:
        both.gate.clear()
        async with client(both) as caller:
            await caller.send(PLAIN)
            await until(lambda: bool(both.seen))
        both.gate.set()
        await until(lambda: not both.listener.connections)


async def test_an_answer_that_was_begun_at_once_may_come_at_any_time() -> None:
    async with faces() as both, client(both) as caller:
        both.at_once = True
        for number in range(2):
            await caller.send(PLAIN)
            await until(lambda number=number: len(both.replies) > number)  # type: ignore[misc]
            both.replies[number](answered(b"%d" % number))
            assert await caller.answer() == b"%d" % number


async def test_an_answer_to_nobody_is_dropped() -> None:
    async with faces() as both:
        both.at_once = True
        async with client(both) as caller:
            await caller.send(PLAIN)
            await until(lambda: bool(both.replies))
        await until(lambda: not both.listener.connections)
        both.replies[0](answered(b"late"))


async def test_draining_waits_for_what_was_begun_and_closes_the_rest() -> None:
    async with faces() as both, client(both) as idle, client(both) as caller:
        both.at_once = True
        await caller.send(PLAIN)
        await until(lambda: bool(both.replies))
        async with asyncio.TaskGroup() as tasks:
            draining = tasks.create_task(both.listener.drain(5))
            assert await asyncio.wait_for(idle.reader.read(), 5) == b""
            assert not draining.done()
            both.replies[0](answered(b"last"))
            assert await caller.answer() == b"last"
        assert await asyncio.wait_for(caller.reader.read(), 5) == b""
