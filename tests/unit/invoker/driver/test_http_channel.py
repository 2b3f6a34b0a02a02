"""What a server can do to who calls it: end a call, and nothing else."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoker.driver import http_channel
from invoker.driver.http_channel import HttpChannel
from invoker.driver.port import Answer, Died, Expired, Operation, Reply

LIMIT_BYTES: Final = 1_000
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"{}", status: int = 200, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the first line and the body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    length = next(line for line in lines if line.lower().startswith(b"content-length:"))
    return lines[0], await reader.readexactly(int(length.split(b":")[1]))


class Server:
    """Serves on a loopback port, each connection by *serve*, and counts the connections."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections = 0
        self.requests: list[tuple[bytes, bytes]] = []
        self.port = 0
        self._handlers: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        """End the connections that are still served."""
        for each in self._handlers:
            each.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._handlers.add(task)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort() if task.cancelling() else writer.close()
            self._handlers.discard(task)

    async def dial(self) -> socket.socket:
        near = socket.socket()
        near.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(near, ("127.0.0.1", self.port))
        except BaseException:
            near.close()
            raise
        return near


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[tuple[HttpChannel, Server]]:
    server = Server(serve)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    channel = HttpChannel(server.dial, "test")
    try:
        async with listening:
            yield channel, server
            channel.close()
    finally:
        channel.close()
        await server.end()


def saying(*pieces: bytes, pause_s: float = 0) -> Serve:
    """Answer one request with *pieces* and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return serve


async def keep_alive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        _, body = await read_request(reader)
        writer.write(answer(body))


async def call(
    channel: HttpChannel,
    operation: Operation = "run",
    payload: bytes = b"{}",
    timeout_s: float = 5,
) -> Reply:
    return await channel.call(
        operation, payload, timeout_s=timeout_s, answer_limit_bytes=LIMIT_BYTES
    )


async def test_one_connection_serves_calls_that_follow_each_other() -> None:
    async with serving(keep_alive) as (channel, server):
        replies = [await call(channel, payload=b'{"n":%d}' % n) for n in range(5)]

        assert replies == [Answer(200, b'{"n":%d}' % n, 7) for n in range(5)]
        assert server.connections == 1


async def test_a_request_is_what_openwhisk_sends() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readexactly(2))
        writer.write(answer())

    async with serving(serve) as (channel, _):
        await call(channel, "init")

    assert seen[0].startswith(b"POST /init HTTP/1.1\r\n")
    assert b"Content-Type: application/json\r\n" in seen[0]
    assert b"Content-Length: 2\r\n" in seen[0]
    assert seen[1] == b"{}"


async def test_no_connection_outlives_a_pause() -> None:
    async with serving(keep_alive) as (channel, server):
        await call(channel)
        channel.disconnect()
        assert isinstance(await call(channel), Answer)
        assert server.connections == 2


async def test_a_connection_that_was_idle_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_channel, "KEEP_S", 0)
    async with serving(keep_alive) as (channel, server):
        await call(channel)
        await call(channel)
        assert server.connections == 2


async def test_a_server_that_closes_after_each_answer_is_called_anew() -> None:
    async with serving(saying(answer(more="Connection: close\r\n"))) as (channel, server):
        assert [await call(channel) for _ in range(3)] == [Answer(200, b"{}", 2)] * 3
        assert server.connections == 3


async def test_a_large_answer_is_cut_and_its_length_told() -> None:
    async with serving(saying(answer(b"x" * 300_000))) as (channel, _):
        reply = await call(channel)

    assert reply == Answer(200, b"x" * LIMIT_BYTES, 300_000)


async def test_a_slow_answer_is_an_answer_in_pieces_of_a_byte() -> None:
    pieces = [bytes([each]) for each in answer(b'{"a":1}', 502)]
    async with serving(saying(*pieces)) as (channel, _):
        assert await call(channel) == Answer(502, b'{"a":1}', 7)


async def test_what_comes_before_the_answer_is_skipped() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"[]")
    async with serving(saying(early)) as (channel, _):
        assert await call(channel) == Answer(200, b"[]", 2)


@pytest.mark.parametrize(
    ("said", "how"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "Content-"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "ended"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", ""),
        (b"", "ended"),
        (b"SSH-2.0-OpenSSH\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, "head"),
    ],
    ids=["chunked", "204", "no length", "short", "negative", "silence", "no HTTP", "endless head"],
)
async def test_what_is_no_answer_is_a_death(said: bytes, how: str) -> None:
    async with serving(saying(said)) as (channel, _):
        reply = await call(channel)
        assert isinstance(reply, Died)
        assert how in reply.how
        assert isinstance(await call(channel), Died)


async def test_a_reset_is_a_death() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.transport.abort()

    async with serving(serve) as (channel, _):
        assert isinstance(await call(channel), Died)


async def test_a_server_that_says_nothing_expires() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve) as (channel, _):
        assert await call(channel, timeout_s=0.05) == Expired()
        assert isinstance(await call(channel), Died)


async def test_a_body_that_drips_for_ever_expires() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async with serving(serve) as (channel, _):
        assert await call(channel, timeout_s=0.1) == Expired()


async def test_who_speaks_unasked_is_called_anew() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(b"[1]") + answer(b"[2]"))
        await reader.read()

    async with serving(serve) as (channel, server):
        assert await call(channel) == Answer(200, b"[1]", 3)
        assert await call(channel) == Answer(200, b"[1]", 3)
        assert server.connections == 2


async def test_loading_waits_for_the_server_and_a_run_does_not() -> None:
    refusals = 3

    async with serving(keep_alive) as (_, server):

        async def dial() -> socket.socket:
            nonlocal refusals
            refusals -= 1
            if refusals >= 0:
                raise ConnectionRefusedError(111, "Connection refused")
            return await server.dial()

        running = HttpChannel(dial, "test")
        assert await call(running) == Died("it can't be connected to: Connection refused")
        loading = HttpChannel(dial, "test")
        assert await call(loading, "init") == Answer(200, b"{}", 2)
        loading.close()


async def test_a_server_that_never_comes_up_expires() -> None:
    async def dial() -> socket.socket:
        raise ConnectionRefusedError(111, "Connection refused")

    assert await call(HttpChannel(dial, "test"), "init", timeout_s=0.05) == Expired()


async def test_a_cancelled_call_spends_the_channel() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve) as (channel, _):
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(call(channel))
            await asyncio.sleep(0.02)
            calling.cancel()
        assert isinstance(await call(channel), Died)


async def test_close_ends_the_call_under_way() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve) as (channel, _):
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(call(channel))
            await asyncio.sleep(0.02)
            channel.close()
            channel.close()
        assert isinstance(calling.result(), Died)


class Transport(asyncio.Transport):
    """Takes everything and goes nowhere."""

    def write(self, data: object) -> None:
        pass

    def abort(self) -> None:
        pass


@settings(deadline=None)  # each example makes an event loop, which a busy machine takes time for
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), st.booleans())
def test_no_bytes_of_a_server_raise(pieces: list[bytes], with_a_head: bool) -> None:
    async def play() -> None:
        connection = http_channel._Connection()
        connection.connection_made(Transport())
        async with asyncio.TaskGroup() as tasks:
            exchange = tasks.create_task(connection.exchange(b"", LIMIT_BYTES))
            await asyncio.sleep(0)
            if with_a_head:
                connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n")
            for piece in pieces:
                connection.data_received(piece)
            connection.connection_lost(None)
        assert isinstance(exchange.result(), Answer | Died)

    asyncio.run(play())
