"""The door to brokers of users: reads topics from offsets that others keep.

No group shares a topic out here, because providers share feeds themselves; the group of a feed only
shows where it has come to. Every broker that a cluster names has to be one that may be read from.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.helpers import create_ssl_context

from controller.events import sources
from controller.events.consumers import SourceAway
from controller.events.messages import MAX_BATCH_MESSAGES, Message
from controller.events.messaging import Place
from controller.events.provider import Refused

CONNECT_S: Final = 15.0
WAIT_MS: Final = 2_000
"""How long a batch waits for its first message."""
COMMIT_S: Final = 5.0
MAX_FETCH_BYTES: Final = 4 << 20


class KafkaBrokers:
    """See `controller.events.messaging.Brokers`."""

    def __init__(self, *, allowed: str) -> None:
        self._allowed = allowed

    def __repr__(self) -> str:
        return "<KafkaBrokers>"

    async def ends(self, place: Place) -> dict[int, int]:
        """Return the offset of each partition that its next message gets. Raises `SourceAway`."""
        async with self._consumer(place) as consumer:
            parts = await _partitions(consumer, place)
            found = await consumer.end_offsets(parts)
        return {each.partition: offset for each, offset in found.items()}

    @asynccontextmanager
    async def reading(self, place: Place) -> AsyncIterator["KafkaTopic"]:
        """Read a topic while inside. Raises `SourceAway`."""
        async with self._consumer(place) as consumer:
            parts = await _partitions(consumer, place)
            yield KafkaTopic(consumer, place.topic, frozenset(each.partition for each in parts))

    @asynccontextmanager
    async def _consumer(self, place: Place) -> AsyncIterator[Any]:
        secure: dict[str, Any] = {}
        if place.user:
            secure = {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "PLAIN",
                "sasl_plain_username": place.user,
                "sasl_plain_password": place.password,
                "ssl_context": create_ssl_context(),
            }
        consumer = AIOKafkaConsumer(
            bootstrap_servers=list(place.brokers),
            # Slashes are in no name of a group that tools of Kafka can be given.
            group_id=place.group.strip("/").replace("/", "."),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_FETCH_BYTES,
            **secure,
        )
        try:
            try:
                async with asyncio.timeout(CONNECT_S):
                    await consumer.start()
                self._require_allowed(consumer)
                yield consumer
            except (KafkaError, OSError, TimeoutError) as error:
                why = str(error) or type(error).__name__
                raise SourceAway(f"{', '.join(place.brokers)}: {why}") from error
        finally:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    await consumer.stop()

    def _require_allowed(self, consumer: Any) -> None:
        for broker in consumer._client.cluster.brokers():
            try:
                sources.require(self._allowed, broker.host, broker.port)
            except Refused as error:
                raise SourceAway(f"a broker of the cluster is elsewhere: {error}") from error


class KafkaTopic:
    """A topic that is being read. See `controller.events.messaging.Topic`."""

    def __init__(self, consumer: Any, topic: str, partitions: frozenset[int]) -> None:
        self.partitions = partitions
        self._consumer = consumer
        self._topic = topic
        self._at: dict[int, int] = {}

    async def read(self, offsets: Mapping[int, int]) -> Sequence[Message]:
        """Return messages from *offsets* on, perhaps none after a while."""
        self._go_to(dict(offsets))
        try:
            found = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=MAX_BATCH_MESSAGES)
        except OffsetOutOfRangeError:
            found = {}
        messages = [_message(each) for batch in found.values() for each in batch]
        for each in messages:
            self._at[each.partition] = each.offset + 1
        return messages

    async def bounds(self, partition: int) -> tuple[int, int]:
        """Return the offset of the first message there is, and of the next one to come.

        Raises `SourceAway`.
        """
        part = TopicPartition(self._topic, partition)
        try:
            begins = await self._consumer.beginning_offsets([part])
            ends = await self._consumer.end_offsets([part])
        except (KafkaError, OSError, TimeoutError) as error:
            raise SourceAway(f"the broker does not answer: {error}") from error
        return begins[part], ends[part]

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the broker where the feed has come to; for people who look there."""
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(COMMIT_S):
                await self._consumer.commit(
                    {TopicPartition(self._topic, part): at for part, at in offsets.items()}
                )

    def _go_to(self, offsets: Mapping[int, int]) -> None:
        if self._at == offsets:
            return
        if self._at.keys() != offsets.keys():
            self._consumer.assign([TopicPartition(self._topic, part) for part in offsets])
            self._at = {}
        for part, offset in offsets.items():
            if self._at.get(part) != offset:
                self._consumer.seek(TopicPartition(self._topic, part), offset)
        self._at = dict(offsets)


async def _partitions(consumer: Any, place: Place) -> list[TopicPartition]:
    async with asyncio.timeout(CONNECT_S):
        # Of all topics: a question for one by its name would have some brokers make it.
        cluster = await consumer._client.fetch_all_metadata()
    parts = cluster.partitions_for_topic(place.topic)
    if not parts:
        raise SourceAway(f"there is no topic {place.topic}")
    return [TopicPartition(place.topic, part) for part in sorted(parts)]


def _message(record: Any) -> Message:
    return Message(
        record.topic, record.partition, record.offset, record.key, record.value, record.headers
    )
