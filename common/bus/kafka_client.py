"""The one door to aiokafka: what the bus asks of a broker, in our words, with our errors.

Nothing here decides. Names of topics get the installation's prefix here and nowhere else; a topic
has one partition, because its order is promised, and one consumer group that bears its name.

The producer is idempotent: it tries until the broker has taken a batch, in order and once. A
producer whose numbering the broker has forgotten is of no use any more; the next batch gets a new
one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, ProducerClosed, TopicAlreadyExistsError, for_code
from aiokafka.producer.message_accumulator import BatchBuilder

from common.bus import kafka_reader, kafka_topics
from common.bus.kafka_connection import connection, diagnosis
from common.bus.kafka_errors import SIZE_ERRORS, translated, translation
from common.bus.kafka_reader import Member, Reader
from common.bus.offsets import Commit
from common.bus.port import BusUnavailable
from common.log import logger
from common.message.topics import Topic
from common.settings import KafkaSettings

MAX_BATCH_BYTES: Final = 512 << 10
"""Half of what a broker takes by default; one larger message goes alone."""
# One usual message shrinks little, and both ends and the broker would pay for it.
_WORTH_COMPRESSING_BYTES: Final = 4 << 10
_NOT_COMPRESSED: Final = 0

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """What is handed to the broker."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class Broker:
    """Connections to the brokers of one installation. Belongs to one event loop."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._retired: list[Any] = []
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

    async def produce(
        self, topic: Topic, records: Sequence[Record]
    ) -> tuple[int, "asyncio.Future[int]"]:
        """Hand over the first of *records*: how many, and what will bring the offset of the first.

        Returns when the batch is next in line; the future waits for the broker, however long, and
        raises `BusUnavailable`. Its result is -1 when the broker had it and forgot where.

        Raises `BusUnavailable` when nothing was handed over.
        """
        producer = await self._running_producer()
        size_bytes = sum(len(record.value) for record in records)
        batch = (
            BatchBuilder(MAX_BATCH_BYTES, _NOT_COMPRESSED)
            if size_bytes < _WORTH_COMPRESSING_BYTES
            else producer.create_batch()
        )
        count = 0
        for record in records:
            if batch.append(
                timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
            ) is None:  # fmt: skip
                break
            count += 1
        try:
            with translated():
                sent = await producer.send_batch(batch, self._named(topic), partition=0)
        except BusUnavailable as error:
            self._judge(producer, error.__cause__)
            raise
        outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def tell(done: "asyncio.Future[Any]") -> None:
            error = asyncio.CancelledError() if done.cancelled() else done.exception()
            if error is not None:
                self._judge(producer, error)
            if outcome.done():
                return
            if error is None:
                outcome.set_result(done.result().offset)
            else:
                outcome.set_exception(translation(error))

        sent.add_done_callback(tell)
        return count, outcome

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

    def listening(self, topic: Topic) -> AbstractAsyncContextManager[Reader]:
        """Hear *topic* while inside; see `kafka_reader.apart`."""
        return kafka_reader.apart(self._settings, self._named(topic))

    async def close(self) -> None:
        """Let go of all connections, also of what was handed over and not taken. Idempotent."""
        producer, self._producer = self._producer, None
        admin, self._admin = self._admin, None
        if producer is not None:
            self._retired.append(producer)
        await self._end_retired()
        if admin is not None:
            await admin.close()

    async def _running_producer(self) -> Any:
        async with self._starting:
            if self._producer is None:
                await self._end_retired()
                settings = self._settings
                producer = AIOKafkaProducer(
                    **connection(self._settings),
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=0,
                    max_batch_size=MAX_BATCH_BYTES,
                    max_request_size=settings.max_message_bytes + kafka_topics.ENVELOPE_BYTES,
                    compression_type=(
                        None if settings.compression == "none" else settings.compression
                    ),
                )
                await self._begin(producer, producer.stop)
                self._producer = producer
            return self._producer

    async def _end_retired(self) -> None:
        while self._retired:
            producer = self._retired.pop()
            # Trap: aiokafka's own stop waits until everything is taken, without a bound. So its
            # sender ends first; what it had not sent then fails, and nothing is left to wait for.
            with suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(self._settings.request_timeout_s):
                    await producer._sender.close()
            accumulator = producer._message_accumulator
            # Trap: a batch that was to be sent again expects to be found here when it ends.
            accumulator._pending_batches.update(*accumulator._batches.values())
            accumulator.fail_all(ProducerClosed())
            await producer.stop()

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
            with translated():
                async with asyncio.timeout(self._settings.request_timeout_s):
                    await client.start()
        except BusUnavailable as error:
            await end()
            raise await diagnosis(self._settings) from error
        except BaseException:
            await end()
            raise

    def _judge(self, producer: Any, error: BaseException | None) -> None:
        """Part with a producer that can send nothing any more."""
        is_lasting = not getattr(error, "retriable", False) and not isinstance(error, SIZE_ERRORS)
        if is_lasting and isinstance(error, KafkaError) and self._producer is producer:
            self._producer = None
            self._retired.append(producer)

    def _named(self, topic: Topic) -> str:
        return f"{self._settings.topic_prefix}{topic}"
