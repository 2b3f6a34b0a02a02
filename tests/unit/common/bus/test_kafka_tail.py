"""A topic is read from where one has come to, and each message once."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import NoError, NotLeaderForPartitionError, OffsetOutOfRangeError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.fetch import FetchResponse_v11

from common.bus.kafka_link import Links
from common.bus.kafka_tail import Tail
from common.bus.port import BusUnavailable


def batch(first: int, values: Sequence[bytes]) -> bytes:
    builder = BatchBuilder(1 << 20, 0)
    for value in values:
        builder.append(timestamp=1, key=b"k", value=value)
    data = bytearray(builder._build())
    data[:8] = first.to_bytes(8, "big")  # which the checksum leaves out
    return bytes(data)


class ScriptedClient:
    """Has one topic with *data*, or an error in its place."""

    def __init__(self, data: bytes = b"", error: Any = NoError) -> None:
        self.data = data
        self.error = error
        self.looked = 0
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 1)

    async def send(self, node: int, request: Any) -> Any:
        return SimpleNamespace(topics=[("t", [(0, 0, -1, 40)])])

    async def ask(self, topic: str, call: tuple[int, int], body: bytes) -> bytes:
        part: tuple[Any, ...] = (0, self.error.errno, 9, 9, 0, [], -1, self.data)
        return bytes(FetchResponse_v11(0, 0, 0, [(topic, [part])]).encode())

    def force_metadata_update(self) -> None:
        self.looked += 1


def reads(client: ScriptedClient) -> Tail:
    return Tail(client, cast(Links, client), "t")


async def test_messages_come_from_where_one_has_come_to() -> None:
    data = batch(5, [b"five", b"six"]) + batch(7, [b"seven"])
    tail = reads(ScriptedClient(data))

    found, go_on = await tail.fetch(6)

    assert [(each.offset, each.value) for each in found] == [(6, b"six"), (7, b"seven")]
    assert (go_on, tail.end) == (8, 9)


async def test_where_nothing_is_new_it_goes_on_where_it_was() -> None:
    assert await reads(ScriptedClient()).fetch(6) == ([], 6)


async def test_what_is_gone_is_passed_over() -> None:
    tail = reads(ScriptedClient(error=OffsetOutOfRangeError))
    assert await tail.fetch(6) == ([], 40)


async def test_a_leader_that_has_changed_is_looked_for() -> None:
    client = ScriptedClient(error=NotLeaderForPartitionError)
    with pytest.raises(BusUnavailable):
        await reads(client).fetch(6)
    assert client.looked == 1


async def test_a_damaged_batch_is_not_read() -> None:
    data = bytearray(batch(5, [b"five"]))
    data[-2] ^= 1
    with pytest.raises(BusUnavailable, match="Corrupt"):
        await reads(ScriptedClient(bytes(data))).fetch(5)
