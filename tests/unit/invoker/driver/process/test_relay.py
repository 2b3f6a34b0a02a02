import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from invoker.driver.process.relay import Relay, Target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:3233", Target("127.0.0.1", 3233, False)),
        ("https://api.example.org", Target("api.example.org", 443, True)),
        ("http://[::1]:8080/", Target("::1", 8080, False)),
        ("brisk.local:3233", Target("brisk.local", 3233, False)),
        ("http://brisk.local", Target("brisk.local", 80, False)),
    ],
)
def test_where_an_api_host_is(url: str, target: Target) -> None:
    assert Target.of(url) == target


class Api:
    """A server that says how many bytes it was sent, once they have ended."""

    def __init__(self) -> None:
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        sent = await reader.read(-1)
        writer.write(b"%d" % len(sent) + sent[:1] * 300_000)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def api() -> AsyncIterator[tuple[Api, Target]]:
    api = Api()
    async with await asyncio.start_server(api.serve, "127.0.0.1", 0) as server:
        yield api, Target("127.0.0.1", server.sockets[0].getsockname()[1], False)


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


async def test_bytes_pass_both_ways_and_their_end_too(api: tuple[Api, Target]) -> None:
    inside = listener()
    port = inside.getsockname()[1]
    relay = await Relay.open(inside, api[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x" * 500_000)
    writer.write_eof()
    assert await reader.read(-1) == b"500000" + b"x" * 300_000
    writer.close()
    relay.close()


async def test_an_api_that_is_away_ends_the_connection_and_not_the_relay() -> None:
    with listener() as nobody:
        target = Target("127.0.0.1", nobody.getsockname()[1], False)
    inside = listener()
    port = inside.getsockname()[1]
    relay = await Relay.open(inside, target)
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
    relay.close()


async def test_the_end_of_a_relay_ends_its_connections(api: tuple[Api, Target]) -> None:
    inside = listener()
    port = inside.getsockname()[1]
    relay = await Relay.open(inside, api[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        while not api[0].connections:  # noqa: ASYNC110 - of another connection
            await asyncio.sleep(0.001)
        relay.close()
        relay.close()
        assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
