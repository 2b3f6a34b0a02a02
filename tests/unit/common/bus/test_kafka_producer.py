"""Batches go into a topic once and in order, whatever the broker says or does not say."""

import asyncio
import struct
from collections.abc import AsyncIterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    DuplicateSequenceNumber,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    NoError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    RequestTimedOutError,
    UnknownProducerId,
)
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7

from common.bus import kafka_producer
from common.bus.kafka_link import Links
from common.bus.kafka_producer import Producer, Record
from common.bus.port import BusDenied, BusUnavailable, MessageTooLarge
from common.settings import KafkaSettings


class ScriptedClient:
    """Answers produce requests as the script says, and remembers what they would have written."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.batches: list[bytes] = []
        self.numbers = 0
        self.looked = 0
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 1)

    async def send(self, node: int, request: Any) -> Any:
        self.numbers += 1
        return SimpleNamespace(error_code=0, producer_id=self.numbers, producer_epoch=0)

    async def ask(self, topic: str, call: tuple[int, int], body: bytes) -> bytes:
        [(_, [(_, data)])] = ProduceRequest_v7.decode(BytesIO(body)).topics
        self.batches.append(data)
        await asyncio.sleep(0)
        outcome = self.script.pop(0) if self.script else NoError
        if isinstance(outcome, Exception):
            raise outcome
        return bytes(ProduceResponse_v7([(topic, [(0, outcome.errno, 7, -1, 0)])], 0).encode())

    @property
    def stamps(self) -> list[tuple[int, int]]:
        """Of each batch: the number of its producer, and its own. Source: Kafka's record format."""
        return [struct.unpack_from(">qhi", data, 43)[::2] for data in self.batches]

    def get_random_node(self) -> int:
        return 1

    def force_metadata_update(self) -> None:
        self.looked += 1

    async def _maybe_wait_metadata(self) -> None:
        await asyncio.sleep(0)


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedClient]:
    monkeypatch.setattr(kafka_producer, "_PAUSE_S", 0.0)
    yield ScriptedClient()


@pytest.fixture
async def producer(client: ScriptedClient) -> Producer:
    made = Producer(KafkaSettings())
    made._client = client
    made._links = cast(Links, client)
    return made


def records(number: int) -> list[Record]:
    return [Record(b"key", b"value %d" % each) for each in range(number)]


async def test_batches_are_numbered_by_topic(producer: Producer, client: ScriptedClient) -> None:
    for topic, number in (("a", 3), ("a", 2), ("b", 1), ("a", 1)):
        assert await producer.put(topic, records(number)) == 7
    assert client.stamps == [(1, 0), (1, 3), (1, 0), (1, 5)]
    assert client.numbers == 1


@pytest.mark.parametrize(
    "fault",
    [
        KafkaConnectionError(),
        RequestTimedOutError(),
        NotLeaderForPartitionError,
        RequestTimedOutError,
    ],
    ids=str,
)
async def test_what_was_not_answered_is_sent_again_as_it_was(
    producer: Producer, client: ScriptedClient, fault: Any
) -> None:
    client.script = [fault, fault]
    await producer.put("a", records(2))
    await producer.put("a", records(1))
    assert client.batches[0] == client.batches[1] == client.batches[2]
    assert client.stamps[2:] == [(1, 0), (1, 2)]
    assert client.looked == 2


async def test_what_the_broker_has_already_is_taken(
    producer: Producer, client: ScriptedClient
) -> None:
    client.script = [KafkaConnectionError(), DuplicateSequenceNumber]
    await producer.put("a", records(2))
    await producer.put("a", records(1))
    assert client.stamps[-1] == (1, 2)


@pytest.mark.parametrize("forgotten", [OutOfOrderSequenceNumber, UnknownProducerId])
async def test_who_is_forgotten_goes_on_under_a_new_number(
    producer: Producer, client: ScriptedClient, forgotten: Any
) -> None:
    await producer.put("a", records(2))
    client.script = [forgotten]
    await producer.put("a", records(1))
    await producer.put("a", records(1))
    assert client.stamps == [(1, 0), (1, 2), (2, 0), (2, 1)]


async def test_what_may_be_there_does_not_go_under_a_new_number(
    producer: Producer, client: ScriptedClient
) -> None:
    client.script = [KafkaConnectionError(), UnknownProducerId]
    with pytest.raises(BusUnavailable):
        await producer.put("a", records(1))
    await producer.put("a", records(1))
    assert client.stamps == [(1, 0), (1, 0), (2, 0)]


async def test_what_is_refused_for_its_size_is_not_counted(
    producer: Producer, client: ScriptedClient
) -> None:
    client.script = [MessageSizeTooLargeError]
    with pytest.raises(MessageTooLarge):
        await producer.put("a", records(2))
    await producer.put("a", records(1))
    assert client.stamps == [(1, 0), (1, 0)]


async def test_what_is_forbidden_is_said_at_once(
    producer: Producer, client: ScriptedClient
) -> None:
    client.script = [ClusterAuthorizationFailedError]
    with pytest.raises(BusDenied):
        await producer.put("a", records(1))
    assert len(client.batches) == 1


async def test_what_is_worth_it_is_compressed(producer: Producer, client: ScriptedClient) -> None:
    for size in (1_000, 100_000):
        await producer.put("a", [Record(b"", b"x" * size)])
    small, large = (len(data) for data in client.batches)
    assert small > 1_000
    assert large < 10_000
