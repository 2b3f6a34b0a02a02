"""The one door to aiokafka: what the bus asks of a broker, in our words, with our errors.

Nothing here decides. Names of topics get the installation's prefix here and nowhere else; a topic
has one partition, because its order is promised, and one consumer group that bears its name.

The producer is idempotent: it tries until the broker has taken a batch, in order and once. A
producer whose numbering the broker has forgotten is of no use any more; the next batch gets a new
one. A consumer is a static member of its group: after a crash it takes its place again at once,
instead of waiting until the broker has missed it.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    IllegalOperation,
    IllegalStateError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import OffsetAndMetadata

from common.bus.offsets import Commit
from common.bus.port import BusUnavailable
from common.message import topics
from common.message.topics import Topic
from common.settings import KafkaSettings

MAX_BATCH_BYTES: Final = 512 << 10
"""Half of what a broker takes by default; one larger message goes alone."""
# One usual message shrinks little, and both ends and the broker would pay for it.
_WORTH_COMPRESSING_BYTES: Final = 4 << 10
_NOT_COMPRESSED: Final = 0
_FETCH_BYTES: Final = 2 << 20
_FETCH_WAIT_MS: Final = 500
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
_SIZE_ERRORS: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


class MessageTooLarge(BusUnavailable):
    """The message is larger than the message bus takes."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is handed to the broker."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """What comes from the broker."""

    offset: int
    sent_ms: int
    key: bytes | None
    value: bytes


class Member(Protocol):
    """Who consumes a topic, and is told whether it may."""

    async def on_given(self) -> None:
        """The topic is this member's from now on."""
        ...

    async def on_taken_away(self) -> None:
        """The topic goes elsewhere, perhaps back here, once this returns."""
        ...


class Reader:
    """One topic in the hands of one member. Made by `Broker.reading`."""

    def __init__(self, consumer: Any, partition: TopicPartition, timeout_s: float) -> None:
        self._consumer = consumer
        self._partition = partition
        self._timeout_s = timeout_s

    async def fetch(self, most: int, timeout_s: float) -> list[Received]:
        """Return up to *most* messages, as soon as there is one. Raises `BusUnavailable`."""
        with _translated():
            found = await self._consumer.getmany(
                self._partition, timeout_ms=round(timeout_s * 1000), max_records=most
            )
        return [
            Received(each.offset, each.timestamp, each.key, each.value or b"")
            for each in found.get(self._partition, ())
        ]

    def seek(self, offset: int) -> None:
        """Read on from *offset*. Raises `BusUnavailable` when the topic is not this member's."""
        with _translated():
            self._consumer.seek(self._partition, offset)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have the broker send nothing while inside."""
        with suppress(IllegalStateError):  # it is elsewhere
            self._consumer.pause(self._partition)
        yield
        with suppress(IllegalStateError):
            self._consumer.resume(self._partition)

    async def commit(self, commit: Commit) -> None:
        """Return when the broker keeps *commit*. Raises `BusUnavailable`."""
        with _translated():
            kept = OffsetAndMetadata(commit.low, commit.note)
            # aiokafka itself tries for ever.
            async with asyncio.timeout(self._timeout_s):
                await self._consumer.commit({self._partition: kept})

    @property
    def end(self) -> int | None:
        """The offset that the next message of the topic will get, as far as is known."""
        with suppress(IllegalStateError, AssertionError):
            return self._consumer.highwater(self._partition)  # type: ignore[no-any-return]
        return None


class Broker:
    """Connections to the brokers of one installation. Belongs to one event loop."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._retired: list[Any] = []
        self._admin: Any = None
        self._made: set[Topic] = set()
        self._starting = asyncio.Lock()
        self._asking = asyncio.Lock()

    async def connect(self) -> None:
        """Return when a broker answers. Raises `BusUnavailable`."""
        await self._running_producer()

    async def ensure_topic(self, topic: Topic) -> None:
        """Make *topic* unless it is there. Raises `BusUnavailable`."""
        if topic in self._made:
            return
        settings = self._settings
        is_order = topics.is_invoker(topic)
        new = NewTopic(
            self._named(topic), 1, settings.replication,
            topic_configs={
                "retention.ms": str(settings.retention_ms if is_order else _HOUR_MS),
                "retention.bytes": str(settings.retention_bytes),
                # The envelope of a batch, and a message that does not shrink.
                "max.message.bytes": str(settings.max_message_bytes + (64 << 10)),
            },
        )  # fmt: skip
        answer = await self._ask("create_topics", [new])
        for _, code, text in answer.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise BusUnavailable(f"The topic {topic} cannot be made: {text or for_code(code)}.")
        self._made.add(topic)

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
            with _translated():
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
                outcome.set_exception(_translation(error))

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

    @asynccontextmanager
    async def reading(self, topic: Topic, name: str, member: Member) -> AsyncIterator[Reader]:
        """Take part in the consumption of *topic* while inside. Raises `BusUnavailable`.

        name: of the member; who comes with the name of another takes its place.
        """
        settings = self._settings
        partition = TopicPartition(self._named(topic), 0)
        consumer = AIOKafkaConsumer(
            **self._connection(),
            group_id=partition.topic,
            group_instance_id=name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            max_partition_fetch_bytes=_FETCH_BYTES,
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            session_timeout_ms=round(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=round(settings.session_timeout_s * 1000 / 5),
            rebalance_timeout_ms=round((settings.session_timeout_s + settings.hand_over_s) * 1000),
            # A full pool takes nothing for hours, and is alive.
            max_poll_interval_ms=_DAY_MS,
        )
        consumer.subscribe([partition.topic], listener=_Listener(member))
        try:
            with _translated():
                await consumer.start()
            yield Reader(consumer, partition, settings.request_timeout_s)
        finally:
            await _end_consumer(consumer)

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
                    **self._connection(),
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=0,
                    max_batch_size=MAX_BATCH_BYTES,
                    max_request_size=settings.max_message_bytes + (64 << 10),
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
                admin = AIOKafkaAdminClient(**self._connection())
                await self._begin(admin, admin.close)
                self._admin = admin
            admin = self._admin
            try:
                with _translated():
                    async with asyncio.timeout(self._settings.request_timeout_s):
                        return await getattr(admin, verb)(*arguments, **named)
            except (BusUnavailable, asyncio.CancelledError):
                # Its connection may be the one to a broker that is gone.
                self._admin = None
                await admin.close()
                raise

    async def _begin(self, client: Any, end: Any) -> None:
        try:
            with _translated():
                async with asyncio.timeout(self._settings.request_timeout_s):
                    await client.start()
        except BaseException:
            await end()
            raise

    def _judge(self, producer: Any, error: BaseException | None) -> None:
        """Part with a producer that can send nothing any more."""
        is_lasting = not getattr(error, "retriable", False) and not isinstance(error, _SIZE_ERRORS)
        if is_lasting and isinstance(error, KafkaError) and self._producer is producer:
            self._producer = None
            self._retired.append(producer)

    def _named(self, topic: Topic) -> str:
        return f"{self._settings.topic_prefix}{topic}"

    def _connection(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "bootstrap_servers": settings.bootstrap_servers,
            "security_protocol": settings.security,
            "ssl_context": (
                ssl.create_default_context(cafile=settings.ca_file)
                if settings.security.endswith("SSL")
                else None
            ),
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.user,
            "sasl_plain_password": settings.password and settings.password.get_secret_value(),
            "request_timeout_ms": round(settings.request_timeout_s * 1000),
            "retry_backoff_ms": 100,
        }


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells a member what becomes of its topic."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            await self._member.on_taken_away()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if assigned:
            await self._member.on_given()


async def _end_consumer(consumer: Any) -> None:
    """Stop *consumer*, also while the broker is away."""
    task = asyncio.current_task()
    try:
        await consumer.stop()
    except (KafkaError, asyncio.CancelledError):
        # Trap: without a broker, stop ends in the cancellation of one of its own fetches.
        await consumer._client.close()
        if task is not None and task.cancelling():
            raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    # AssertionError: aiokafka's word for a partition that it has not heard of yet.
    except (KafkaError, IllegalOperation, AssertionError, TimeoutError, OSError) as error:
        raise _translation(error) from error


def _translation(error: BaseException) -> BusUnavailable:
    if isinstance(error, _SIZE_ERRORS):
        told: BusUnavailable = MessageTooLarge()
    else:
        told = BusUnavailable(f"The message bus does not answer as it should: {error!r}.")
    told.__cause__ = error
    return told
