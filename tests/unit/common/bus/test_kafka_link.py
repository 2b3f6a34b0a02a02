"""Answers come to who asked, in whatever pieces, and nobody waits for a broker that has gone."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    CorrelationIdError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    NodeNotReadyError,
    RequestTimedOutError,
)
from aiokafka.protocol.admin import ApiVersionResponse_v0

from common.bus import kafka_wire
from common.bus.kafka_link import Link, Links
from common.settings import KafkaSettings
from tests.fakes.certificates import self_signed

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CALL = (1, 11)
DEADLINE_S = 10


async def request(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the number and the body of the next request."""
    size = int.from_bytes(await reader.readexactly(4), "big")
    data = await reader.readexactly(size)
    client_bytes = int.from_bytes(data[8:10], "big")
    return int.from_bytes(data[4:8], "big"), data[10 + client_bytes :]


def answer(number: int, body: bytes) -> bytes:
    return (4 + len(body)).to_bytes(4, "big") + number.to_bytes(4, "big") + body


@asynccontextmanager
async def broker(
    serve: Serve, tls: ssl.SSLContext | None = None, *, fetch_version: int = kafka_wire.FETCH[1]
) -> AsyncIterator[int]:
    """Yield the port of a broker that says what it speaks, and then does *serve*."""

    ends: list[asyncio.Future[None]] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(asyncio.get_running_loop().create_future())
        end = ends[-1]
        try:
            number, _ = await request(reader)
            produce, fetch = kafka_wire.PRODUCE, (kafka_wire.FETCH[0], fetch_version)
            spoken = [(call, 0, version) for call, version in (produce, fetch)]
            versions = ApiVersionResponse_v0(0, spoken)
            writer.write(answer(number, bytes(versions.encode())))
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            end.set_result(None)

    async with await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*ends)


@asynccontextmanager
async def linked(serve: Serve, *, timeout_s: float = DEADLINE_S) -> AsyncIterator[Link]:
    async with broker(serve) as port:
        link = await Link.to("127.0.0.1", port, KafkaSettings(request_timeout_s=timeout_s))
        try:
            async with asyncio.timeout(DEADLINE_S):
                yield link
        finally:
            await link.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(answer(*await request(reader)))


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1 << 16):
        pass


async def test_answers_come_to_who_asked_whatever_pieces_they_come_in() -> None:
    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = [await request(reader) for _ in range(3)]
        data = b"".join(answer(number, b"re:" + body) for number, body in asked)
        for at in range(0, len(data), 5):
            writer.write(data[at : at + 5])
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with linked(in_pieces) as link:
        waiting = [link.ask(CALL, body) for body in (b"one", b"", b"three" * 1000)]
        assert await asyncio.gather(*waiting) == [b"re:one", b"re:", b"re:" + b"three" * 1000]


async def test_who_has_left_does_not_get_anothers_answer() -> None:
    async with linked(echo) as link:
        link.ask(CALL, b"left").cancel()
        assert await link.ask(CALL, b"stayed") == b"stayed"


async def test_who_waits_is_told_when_the_broker_hangs_up() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)

    async with linked(hang_up) as link:
        with pytest.raises(KafkaConnectionError):
            await link.ask(CALL, b"")
        assert not link.is_open
        with pytest.raises(KafkaConnectionError):
            await link.ask(CALL, b"")


async def test_who_waits_is_told_when_the_link_is_closed() -> None:
    async with linked(never) as link:
        waiting = link.ask(CALL, b"")
        await link.close()
        with pytest.raises(KafkaConnectionError):
            await waiting


async def test_a_link_can_be_closed_by_the_next_one_if_somebody_does_not_wait_for_it() -> None:
    async with linked(never) as link:
        closing = asyncio.get_running_loop().create_task(link.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await link.close()


async def test_a_broker_that_does_not_answer_is_given_up() -> None:
    async with linked(never, timeout_s=0.05) as link:
        waiting = [link.ask(CALL, b""), link.ask(CALL, b"")]
        for each in waiting:
            with pytest.raises(RequestTimedOutError):
                await each
        assert not link.is_open


async def test_a_broker_that_answers_something_else_is_not_believed() -> None:
    async def confused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, body = await request(reader)
        writer.write(answer(number + 1, body))
        await reader.read()

    async with linked(confused) as link:
        with pytest.raises(CorrelationIdError):
            await link.ask(CALL, b"")
        assert not link.is_open


class Cluster:
    """Knows one broker, which leads everything."""

    def __init__(self, port: int | None) -> None:
        self.port = port
        self.looked = 0
        self.cluster = self

    def leader_for_partition(self, _: Any) -> int:
        return 1

    def broker_metadata(self, _: int) -> Any:
        return self.port and SimpleNamespace(host="127.0.0.1", port=self.port)

    def force_metadata_update(self) -> None:
        self.looked += 1


async def test_a_link_that_has_ended_is_made_anew() -> None:
    connections = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.write(answer(*await request(reader)))
        await writer.drain()

    async with broker(once) as port, asyncio.timeout(DEADLINE_S):
        links = Links(KafkaSettings(), Cluster(port))
        for body in (b"one", b"two"):
            assert await links.ask("t", CALL, body) == body
            [link] = links._links.values()
            await asyncio.shield(link._is_lost)
        assert len(connections) == 2
        await links.close()


async def test_a_link_may_be_secured(tmp_path: Path) -> None:
    pair = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*pair)
    settings = KafkaSettings(security="SSL", ca_file=pair[0])
    async with broker(echo, tls) as port, asyncio.timeout(DEADLINE_S):
        link = await Link.to("127.0.0.1", port, settings)
        assert await link.ask(CALL, b"secret" * 100_000) == b"secret" * 100_000
        await link.close()


async def test_a_broker_that_is_too_old_is_named() -> None:
    async with broker(never, fetch_version=10) as port, asyncio.timeout(DEADLINE_S):
        with pytest.raises(IncompatibleBrokerVersion, match=f"{port} does not speak"):
            await Links(KafkaSettings(), Cluster(port)).ask("t", CALL, b"")


@pytest.mark.parametrize("port", [None, 1], ids=["unknown", "absent"])
async def test_a_broker_that_is_not_there_is_looked_for_elsewhere(port: int | None) -> None:
    cluster = Cluster(port)
    with pytest.raises(NodeNotReadyError):
        await Links(KafkaSettings(), cluster).ask("t", CALL, b"")
    assert cluster.looked == 1
