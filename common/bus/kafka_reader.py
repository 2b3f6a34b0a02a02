"""Reading one topic as a member of its group, who shares it.

aiokafka takes part in the group, and commits. What it would fetch passes through several of its
tasks, each of which has to be woken; so it is told to fetch nothing, and the topic is read as one
that is listened to, from where its consumers have come to.

A member is a static one: after a crash or a restart it takes its place again at once, instead of
waiting until the broker has missed it. It signs off when it is told to, for who waits.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from common.bus.kafka_connection import begun, connection
from common.bus.kafka_errors import translated
from common.bus.kafka_link import Links
from common.bus.kafka_tail import Received, Tail
from common.bus.offsets import Commit
from common.settings import KafkaSettings

_TEN_YEARS_MS: Final = 10 * 365 * 86_400_000
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

    def __init__(
        self, consumer: Any, tail: Tail, partition: TopicPartition, timeout_s: float
    ) -> None:
        self._consumer = consumer
        self._tail = tail
        self._partition = partition
        self._timeout_s = timeout_s
        self._position = 0
        self._fetched: deque[Received] = deque()
        self.leaves_place = False
        """Whether its member's place in the group goes with it, and is not kept for its return."""

    async def fetch(self, most: int) -> list[Received]:
        """Return up to *most* messages, as soon as there is one; after half a second, none.

        Raises `BusUnavailable`.
        """
        if not self._fetched:
            found, self._position = await self._tail.fetch(self._position)
            self._fetched.extend(found)
        return [self._fetched.popleft() for _ in range(min(most, len(self._fetched)))]

    def seek(self, offset: int) -> None:
        """Read on from *offset*."""
        self._fetched.clear()
        self._position = offset

    def check(self) -> None:
        """Raise `BusUnavailable` when this member is not one of its group any more."""
        with translated():
            self._consumer._coordinator.check_errors()

    async def commit(self, commit: Commit) -> None:
        """Return when the broker keeps *commit*. Raises `BusUnavailable`."""
        with translated():
            kept = OffsetAndMetadata(commit.low, commit.note)
            # aiokafka itself tries for ever.
            async with asyncio.timeout(self._timeout_s):
                await self._consumer.commit({self._partition: kept})

    async def ask_end(self) -> None:
        """Ask for what `end` says. Raises `BusUnavailable`."""
        self._tail.end = await self._tail.ask_end()

    @property
    def end(self) -> int | None:
        """The offset that the next message of the topic will get, as far as is known."""
        return self._tail.end


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
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        session_timeout_ms=round(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=round(min(settings.session_timeout_s / 5, _HEARTBEAT_S) * 1000),
        rebalance_timeout_ms=round((settings.session_timeout_s + settings.hand_over_s) * 1000),
        # It takes no messages, and is alive.
        max_poll_interval_ms=_TEN_YEARS_MS,
    )
    consumer.subscribe([topic], listener=_Turns(member, consumer))
    links = Links(settings, consumer._client)
    reader = Reader(
        consumer, Tail(consumer._client, links, topic), partition, settings.request_timeout_s
    )
    try:
        # Only when it is this member's turn: that may be never, and others may have the topic.
        await begun(settings, consumer.start, timeout_s=None)
        yield reader
    finally:
        if reader.leaves_place:
            # Trap: who has a name in the group is never signed off by aiokafka.
            consumer._coordinator._group_instance_id = None
        try:
            await links.close()
        finally:
            await _end(consumer)


class _Turns(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells a member what becomes of its topic, and has aiokafka fetch nothing of it."""

    def __init__(self, member: Member, consumer: Any) -> None:
        self._member = member
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            await self._member.on_taken_away()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if assigned:
            self._consumer.pause(*assigned)
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
