"""The one door to aiokafka: what the bus asks of a broker, in our words, with our errors.

Nothing here decides. Names of topics get the installation's prefix here and nowhere else; a topic
has one partition, because its order is promised, and one consumer group that bears its name.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from common.bus import kafka_reader, kafka_tail, kafka_topics
from common.bus.kafka_connection import begun, connection
from common.bus.kafka_errors import translated
from common.bus.kafka_producer import Producer, Record
from common.bus.kafka_reader import Member, Reader
from common.bus.kafka_tail import Tail
from common.bus.offsets import Commit
from common.bus.port import BusUnavailable
from common.log import logger
from common.message.topics import Topic
from common.settings import KafkaSettings

log = logger(__name__)


class Broker:
    """Connections to the brokers of one installation. Belongs to one event loop."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Producer | None = None
        self._admin: Any = None
        self._largest_bytes: dict[Topic, int] = {}
        self._starting = asyncio.Lock()
        self._asking = asyncio.Lock()

    async def connect(self) -> None:
        """Return when a broker answers. Raises `BusUnavailable`."""
        await self._running_producer()

    async def check(self) -> None:
        """Return when a broker answers now. Raises `BusUnavailable`."""
        await self._ask("describe_cluster")

    async def ensure_topic(self, topic: Topic, *, anew: bool = False) -> int:
        """Make *topic* unless it is there; return the size of the largest message it takes.

        What is wrong with one that is there is said. *anew*: ask, whatever is known.

        Raises `BusUnavailable`.
        """
        known = None if anew else self._largest_bytes.get(topic)
        if known is not None:
            return known
        settings, name = self._settings, self._named(topic)
        wanted = kafka_topics.configuration(topic, settings)
        new = NewTopic(name, 1, settings.replication, topic_configs=wanted)
        answer = await self._ask("create_topics", [new])
        found: Mapping[str, str] = wanted
        for _, code, text in answer.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise BusUnavailable(f"The topic {topic} cannot be made: {text or for_code(code)}.")
            if code:
                found = await self._configuration(name)
        for misfit in kafka_topics.misfits(topic, found, settings):
            log.warning("topic_does_not_fit", topic=name, why=misfit)
        largest = self._largest_bytes[topic] = kafka_topics.largest_bytes(found, settings)
        return largest

    async def _configuration(self, name: str) -> Mapping[str, str]:
        """Return what is known of how a topic is configured; who may not ask knows nothing."""
        asked = dict.fromkeys(kafka_topics.ASKED)
        resource = ConfigResource(ConfigResourceType.TOPIC, name, asked)
        [answer] = await self._ask("describe_configs", [resource])
        return {entry[0]: entry[1] for found in answer.resources for entry in found[4]}

    async def produce(self, topic: Topic, records: Sequence[Record]) -> Awaitable[int]:
        """Return what brings the offset of the first of *records*, and has to be awaited at once.

        It waits for the broker, however long; raises `BusUnavailable` when the broker refuses them
        for good; is -1 when the broker had them and forgot where.

        Raises `BusUnavailable` when nothing was handed over.
        """
        producer = await self._running_producer()
        return producer.put(self._named(topic), records)

    async def committed(self, topic: Topic) -> Commit | None:
        """Return what the topic's consumers committed; None: nothing. Raises `BusUnavailable`."""
        partition = TopicPartition(self._named(topic), 0)
        kept = await self._ask(
            "list_consumer_group_offsets", self._named(topic), partitions=[partition]
        )
        found = kept.get(partition)
        return None if found is None or found.offset < 0 else Commit(found.offset, found.metadata)

    async def members(self, topic: Topic) -> int:
        """Return how many take part in the consumption of *topic*. Raises `BusUnavailable`."""
        [answer] = await self._ask("describe_consumer_groups", [self._named(topic)])
        return sum(len(group[5]) for group in answer.groups)

    def reading(
        self, topic: Topic, name: str, member: Member
    ) -> AbstractAsyncContextManager[Reader]:
        """Take part in the consumption of *topic* while inside; see `kafka_reader.joined`."""
        return kafka_reader.joined(self._settings, self._named(topic), name, member)

    def listening(self, topic: Topic) -> AbstractAsyncContextManager[Tail]:
        """Hear *topic* while inside; see `kafka_tail.opened`."""
        return kafka_tail.opened(self._settings, self._named(topic))

    async def close(self) -> None:
        """Let go of all connections, whatever is under way on them. Idempotent."""
        producer, self._producer = self._producer, None
        admin, self._admin = self._admin, None
        if producer is not None:
            await producer.close()
        if admin is not None:
            await admin.close()

    async def _running_producer(self) -> Producer:
        if self._producer is None:
            async with self._starting:
                if self._producer is None:
                    producer = Producer(self._settings)
                    await self._begin(producer, producer.close)
                    self._producer = producer
        return self._producer

    async def _ask(self, verb: str, *arguments: Any, **named: Any) -> Any:
        async with self._asking:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**connection(self._settings))
                await self._begin(admin, admin.close)
                self._admin = admin
            admin = self._admin
            try:
                with translated():
                    async with asyncio.timeout(self._settings.request_timeout_s):
                        return await getattr(admin, verb)(*arguments, **named)
            except (BusUnavailable, asyncio.CancelledError):
                # Its connection may be the one to a broker that is gone.
                self._admin = None
                await admin.close()
                raise

    async def _begin(self, client: Any, end: Any) -> None:
        try:
            await begun(self._settings, client.start, timeout_s=self._settings.request_timeout_s)
        except BaseException:
            await end()
            raise

    def _named(self, topic: Topic) -> str:
        return f"{self._settings.topic_prefix}{topic}"
