"""What this process has taken of one topic: a bounded queue, and the marks of what became of it.

The topic may go elsewhere while messages are in work (a rebalance). Then what waits in the queue is
given back, what is in work may end for some seconds, and the last commit tells the next consumer
what is still unsettled and what had been started. If the topic comes back, what is still in hand
here is known and not taken twice.

Each change of hands is a turn. What was fetched in one turn is never used in another: a new turn
begins by asking the broker where, and reading on from there.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from common import metrics
from common.bus.kafka_client import Broker
from common.bus.kafka_reader import Reader
from common.bus.kafka_tail import Received
from common.bus.marks import Marks
from common.bus.offsets import Commit, MalformedNote, Offsets, Taken
from common.bus.port import BusDenied, BusUnavailable, Message
from common.bus.waiters import Waiters
from common.clock import Clock
from common.ids import ActivationId
from common.log import logger
from common.message import encoding
from common.message.topics import Topic
from common.settings import KafkaSettings

# How old the lag may be that is shown while nothing is taken, and a fault that nobody asks about.
_LOOK_S: Final = 1.0
# A dozen of the largest payloads; with what was fetched with them, a fifth more.
_PREFETCH_BYTES: Final = 12 << 20
_NOTHING: Final = Commit(0, "")

log = logger(__name__)


@dataclass(slots=True, eq=False)
class KafkaDelivery:
    """See `common.bus.port.Delivery`. Made by the inbox."""

    inbox: "Inbox"
    offset: int
    message: Message
    """What was sent."""
    was_started: bool
    """Whether an earlier delivery of it had been started."""
    size_bytes: int
    is_settled: bool = False

    def __repr__(self) -> str:
        state = "settled" if self.is_settled else "started" if self.was_started else "in hand"
        return f"<KafkaDelivery {self.inbox.topic}@{self.offset} {state} {self.message!r}>"

    def start(self) -> None:
        """Note that its work begins; on disk when this returns.

        Raises `BusUnavailable` when the disk does not take it: then the work must not begin.
        """
        self.inbox.start(self)

    def settle(self) -> None:
        """Note that it is done for good; on disk when this returns. Idempotent."""
        if not self.is_settled:
            self.is_settled = True
            self.inbox.settle(self)


class Inbox:
    """Consumes one topic. `serve` and `commit_often` are tasks in the group of the bus."""

    def __init__(
        self,
        topic: Topic,
        member: str,
        broker: Broker,
        marks: Marks,
        settings: KafkaSettings,
        clock: Clock,
        *,
        set_aside: Callable[[Topic, Received, str], Awaitable[None]],
    ) -> None:
        """Make an inbox that has taken nothing.

        member: the name under which this process takes part.
        set_aside: keeps what cannot be read. Never raises `BusUnavailable`.
        """
        self.topic = topic
        self.waiters = Waiters()
        """Who wants the next message; all are woken when the bus is closed."""
        self._member = member
        self._broker = broker
        self._marks = marks
        self._settings = settings
        self._clock = clock
        self._set_aside = set_aside
        self._queue: deque[KafkaDelivery] = deque()
        self._offsets = Offsets()
        self._turn = 0
        self._is_given = False
        self._is_begun = False
        self._has_turned = asyncio.Event()
        self._queued_bytes = 0
        self._reader: Reader | None = None
        self._last = _NOTHING
        self._dirty = asyncio.Event()
        self._has_room = asyncio.Event()
        self._is_empty = asyncio.Event()

    def __repr__(self) -> str:
        state = "given" if self._is_given else "elsewhere"
        return f"<Inbox {self.topic} {state} queue={len(self._queue)} {self._offsets!r}>"

    @property
    def position(self) -> int | None:
        """The offset of what is handed out next; None while the topic is not in this process."""
        if not (self._is_given and self._is_begun):
            return None
        return self._queue[0].offset if self._queue else self._offsets.next

    @property
    def lag(self) -> int:
        """How many messages of the topic are not settled, as far as is known."""
        end = self._reader.end if self._reader is not None and self._is_given else None
        return 0 if end is None else max(0, end - self._offsets.low)

    @property
    def oldest_s(self) -> float:
        """The age of the oldest message in hand; 0 when there is none."""
        sent_ms = self._offsets.oldest_ms
        return 0.0 if sent_ms is None else max(0, self._clock.now_ms() - sent_ms) / 1000

    def pop(self) -> KafkaDelivery | None:
        """Return the next message, if one waits."""
        if not self._queue:
            return None
        delivery = self._queue.popleft()
        self._queued_bytes -= delivery.size_bytes
        is_half_empty = len(self._queue) <= self._settings.prefetch // 2
        if is_half_empty and self._queued_bytes <= _PREFETCH_BYTES // 2:
            self._has_room.set()
        return delivery

    def start(self, delivery: KafkaDelivery) -> None:
        """See `KafkaDelivery.start`."""
        self._marks.start(self.topic, delivery.offset, _activation(delivery))
        self._offsets.start(delivery.offset)

    def settle(self, delivery: KafkaDelivery) -> None:
        """See `KafkaDelivery.settle`."""
        self._marks.settle(
            self.topic, delivery.offset, ActivationId(encoding.key(delivery.message))
        )
        self._settle(delivery.offset)

    async def serve(self) -> None:
        """Take messages until this is cancelled, whatever becomes of the broker meanwhile."""
        while True:
            pause_s = self._settings.retry_pause_s
            try:
                await self._broker.ensure_topic(self.topic)
                async with self._broker.reading(self.topic, self._member, self) as reader:
                    self._reader = reader
                    await self._read(reader)
            except BusUnavailable as error:
                log.warning("topic_not_read", topic=self.topic, why=str(error))
                pause_s = error.pause_s or pause_s
            finally:
                self._reader = None
                self._end_turn()
                self._is_begun = False
            await asyncio.sleep(pause_s)

    async def commit_often(self) -> None:
        """Tell the broker what has been settled, until this is cancelled."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if self._is_given:
                await self.commit()
            await asyncio.sleep(self._settings.commit_interval_ms / 1000)

    async def commit(self) -> None:
        """Tell the broker now, if there is something to tell; a failure is made good later."""
        reader, commit = self._reader, self._offsets.commit()
        # Trap: before it has begun, its low is that of an earlier turn; others have gone on.
        if reader is None or not self._is_begun or commit == self._last:
            return
        try:
            await reader.commit(commit)
        except BusUnavailable as error:
            log.info("not_committed", topic=self.topic, low=commit.low, why=str(error))
            self._dirty.set()
        else:
            self._last = commit
            self._marks.committed(self.topic, commit.low)

    async def make_way(self) -> None:
        """Let who waits for the topic have it when this ends; else the place is kept for us."""
        try:
            others_wait = await self._broker.members(self.topic) > 1
        except BusUnavailable as error:
            log.info("place_kept", topic=self.topic, why=str(error))
            return
        if others_wait and self._reader is not None:
            self._reader.leaves_place = True

    async def on_given(self) -> None:
        """The topic is read here from now on; called by the client."""
        self._turn += 1
        self._is_given = True
        self._is_begun = False
        self._has_turned.set()

    async def on_taken_away(self) -> None:
        """The topic goes elsewhere: let what is in work end, then say what did not."""
        self._end_turn()
        if len(self._offsets):
            self._is_empty.clear()
            try:
                async with asyncio.timeout(self._settings.hand_over_s):
                    await self._is_empty.wait()
            except TimeoutError:
                log.warning("handed_over_in_work", topic=self.topic, messages=len(self._offsets))
        await self.commit()
        self._is_begun = False

    def _end_turn(self) -> None:
        """Give back what has not been handed out."""
        self._turn += 1
        self._is_given = False
        while self._queue:
            self._offsets.give_back(self._queue.pop().offset)
        self._queued_bytes = 0
        self._has_room.set()

    async def _read(self, reader: Reader) -> None:
        begun = -1
        while True:
            turn = self._turn
            if not self._is_given:
                await self._wait_for_turn(reader)
                continue
            if begun != turn:
                await self._begin(reader, turn)
                begun = turn
                continue
            room = self._settings.prefetch - len(self._queue)
            if room <= 0 or self._queued_bytes >= _PREFETCH_BYTES:
                await self._wait_for_room(reader)
                continue
            for received in await self._fetched(reader, room):
                if turn != self._turn:
                    break
                await self._take(received)
            # Whoever was woken goes first: the next request is for what comes after.
            await asyncio.sleep(0)

    async def _fetched(self, reader: Reader, most: int) -> list[Received]:
        """Return what has come; nothing while no broker has the topic, which may pass."""
        reader.check()
        try:
            return await reader.fetch(most)
        except BusDenied:
            raise
        except BusUnavailable as error:
            log.warning("topic_not_read", topic=self.topic, why=str(error))
            await asyncio.sleep(self._settings.retry_pause_s)
            return []

    async def _wait_for_turn(self, reader: Reader) -> None:
        self._has_turned.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await self._has_turned.wait()
        reader.check()

    async def _begin(self, reader: Reader, turn: int) -> None:
        """Go on where the last consumer ended."""
        commit = await self._broker.committed(self.topic) or _NOTHING
        if turn != self._turn:
            return
        try:
            self._offsets.begin(commit)
        except MalformedNote as error:
            log.error("note_not_read", topic=self.topic, low=commit.low, why=str(error))
            self._offsets.begin(Commit(commit.low, ""))
        self._last = commit
        self._marks.began(self.topic, commit.low)
        self._is_begun = True
        reader.seek(commit.low)

    async def _wait_for_room(self, reader: Reader) -> None:
        self._has_room.clear()
        while not self._has_room.is_set():
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._has_room.wait()
            except TimeoutError:
                # Nothing is fetched that would tell how much waits behind what is here.
                with contextlib.suppress(BusUnavailable):
                    await reader.ask_end()
                reader.check()

    async def _take(self, received: Received) -> None:
        offset = received.offset
        taken = self._offsets.take(offset, received.sent_ms)
        if taken is not Taken.NEW:
            self._dirty.set()
            return
        try:
            message = encoding.decode(received.value)
        except encoding.MalformedMessage as error:
            log.error("poison_message", topic=self.topic, offset=offset, why=str(error))
            metrics.BUS_POISON.inc()
            await self._set_aside(self.topic, received, str(error))
            self._settle(offset)
            return
        activation = ActivationId(encoding.key(message))
        if self._marks.was_settled(self.topic, offset, activation):
            self._settle(offset)
            return
        was_started = self._offsets.was_started(offset) or self._marks.was_started(
            self.topic, offset, activation
        )
        size_bytes = len(received.value)
        self._queue.append(KafkaDelivery(self, offset, message, was_started, size_bytes))
        self._queued_bytes += size_bytes
        self.waiters.wake_one()

    def _settle(self, offset: int) -> None:
        self._offsets.settle(offset)
        self._dirty.set()
        if not len(self._offsets):
            self._is_empty.set()


def _activation(delivery: KafkaDelivery) -> ActivationId:
    return ActivationId(encoding.key(delivery.message))
