"""Reading one topic as a member of its group, who shares it.

A member is a static one: after a crash or a restart it takes its place again at once, instead of
waiting until the broker has missed it. It signs off when it is told to, for who waits.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from common.bus.kafka_connection import begun, connection
from common.bus.kafka_errors import translated
from common.bus.kafka_tail import Received
from common.bus.offsets import Commit
from common.settings import KafkaSettings

_FETCH_BYTES: Final = 2 << 20
_FETCH_WAIT_MS: Final = 500
_DAY_MS: Final = 86_400_000
# How soon a member hears that a topic is its own now.
_HEARTBEAT_S: Final = 0.5


class Member(Protocol):
    """Who consumes a topic, and is told whether it may."""

    async def on_given(self) -> None:
        """The topic is this member's from now on."""
        ...

    async def on_taken_away(self) -> None:
        """The topic goes elsewhere, perhaps back here, once this returns."""
        ...


class Reader:
    """One topic in the hands of one member. Made by `joined`."""

    def __init__(self, consumer: Any, partition: TopicPartition, timeout_s: float) -> None:
        self._consumer = consumer
        self._partition = partition
        self._timeout_s = timeout_s
        self._asked_end = 0
        self.leaves_place = False
        """Whether its member's place in the group goes with it, and is not kept for its return."""

    async def fetch(self, most: int, timeout_s: float) -> list[Received]:
        """Return up to *most* messages, as soon as there is one. Raises `BusUnavailable`."""
        with translated():
            found = await self._consumer.getmany(
                self._partition, timeout_ms=round(timeout_s * 1000), max_records=most
            )
        return [
            Received(each.offset, each.timestamp, each.key, each.value or b"")
            for each in found.get(self._partition, ())
        ]

    def seek(self, offset: int) -> None:
        """Read on from *offset*. Raises `BusUnavailable` when the topic is not this member's."""
        with translated():
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
        with translated():
            kept = OffsetAndMetadata(commit.low, commit.note)
            # aiokafka itself tries for ever.
            async with asyncio.timeout(self._timeout_s):
                await self._consumer.commit({self._partition: kept})

    async def ask_end(self) -> int:
        """Ask for the offset that the next message will get. Raises `BusUnavailable`."""
        with translated():
            async with asyncio.timeout(self._timeout_s):
                found = await self._consumer.end_offsets([self._partition])
        self._asked_end = int(found[self._partition])
        return self._asked_end

    @property
    def end(self) -> int | None:
        """The offset that the next message of the topic will get, as far as is known."""
        with suppress(IllegalStateError, AssertionError):
            fetched = self._consumer.highwater(self._partition)
            return None if fetched is None else max(int(fetched), self._asked_end)
        return None


@asynccontextmanager
async def joined(
    settings: KafkaSettings, topic: str, name: str, member: Member
) -> AsyncIterator[Reader]:
    """Take part in the consumption of *topic* while inside. Raises `BusUnavailable`.

    topic: as the broker knows it; its group has the same name.
    name: of the member; who comes with the name of another takes its place.
    """
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(
        **connection(settings),
        group_id=topic,
        group_instance_id=name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        max_partition_fetch_bytes=_FETCH_BYTES,
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        session_timeout_ms=round(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=round(min(settings.session_timeout_s / 5, _HEARTBEAT_S) * 1000),
        rebalance_timeout_ms=round((settings.session_timeout_s + settings.hand_over_s) * 1000),
        # A full pool takes nothing for hours, and is alive.
        max_poll_interval_ms=_DAY_MS,
    )
    consumer.subscribe([topic], listener=_Turns(member))
    reader = Reader(consumer, partition, settings.request_timeout_s)
    try:
        # Only when it is this member's turn: that may be never, and others may have the topic.
        await begun(settings, consumer.start, timeout_s=None)
        yield reader
    finally:
        if reader.leaves_place:
            # Trap: who has a name in the group is never signed off by aiokafka.
            consumer._coordinator._group_instance_id = None
        await _end(consumer)


class _Turns(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells a member what becomes of its topic."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            await self._member.on_taken_away()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if assigned:
            await self._member.on_given()


async def _end(consumer: Any) -> None:
    """Stop *consumer*, also while the broker is away."""
    task = asyncio.current_task()
    try:
        await consumer.stop()
    except (KafkaError, asyncio.CancelledError):
        # Trap: without a broker, stop ends in the cancellation of one of its own fetches.
        await consumer._client.close()
        if task is not None and task.cancelling():
            raise
