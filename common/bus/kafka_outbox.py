"""What is on its way to the broker: a lane per topic, in order, one batch at a time.

What is sent while a batch is on its way goes with the next one, so a batch is as large as the
broker is slow: nobody waits for a timer, and an idle topic sends at once. What has not been handed
to the client yet can still be withdrawn, by cancelling. While the broker is away messages wait
here, as many as a topic may hold; then who sends is told.

A topic of orders is full when too many messages lie between its end and what its consumers have
come to; of what is only listened to nobody knows how far it was heard, and it is never full. If the
consumer is in this process, that is known. Else the broker is asked for the consumers' commit,
only when the topic looks full, and at most ten times a second.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from common import metrics
from common.bus.kafka_client import Broker
from common.bus.kafka_producer import Record
from common.bus.port import BusFull, BusUnavailable, MessageTooLarge
from common.clock import Clock
from common.ids import ActivationId
from common.log import logger
from common.message import topics
from common.message.topics import Topic
from common.settings import KafkaSettings

_ASK_AGAIN_S: Final = 0.1
MAX_BATCH_BYTES: Final = 512 << 10
"""Half of what a broker takes by default; one larger message goes alone."""
# What a batch adds to a message: its key, and some numbers.
_RECORD_BYTES: Final = 100
# Blocking calls whose message was lost, and whose wait may end in a promise after all.
_MOST_LOST: Final = 10_000
LARGE_BYTES: Final = 16 << 10
"""What is larger may be more than a topic takes, whatever the settings say."""

log = logger(__name__)


@dataclass(slots=True, eq=False)
class Parcel:
    """One message on its way. The outcome is set when the broker has it, or when it is lost."""

    topic: Topic
    record: Record
    activation: ActivationId | None
    outcome: "asyncio.Future[None]"


@dataclass(slots=True, eq=False)
class _Lane:
    """What is on its way to one topic."""

    topic: Topic
    waiting: deque[Parcel] = field(default_factory=deque)
    handed: list[Parcel] = field(default_factory=list)
    """What the client has, or is being given."""
    end: int = 0
    """The offset behind the last message that the broker has acknowledged here."""
    committed: int = 0
    """What the topic's consumers had committed when the broker was last asked."""
    asked_s: float = float("-inf")
    largest_bytes: int = LARGE_BYTES
    """The largest message that the topic takes."""
    is_made: asyncio.Event = field(default_factory=asyncio.Event)
    has_work: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def in_flight(self) -> int:
        return len(self.waiting) + len(self.handed)

    def depth(self, position: int | None) -> int:
        """Return how many messages wait. position: of a consumer in this process."""
        consumed = self.committed if position is None else position
        return self.in_flight + max(0, self.end - consumed)

    def gather(self) -> list[Parcel]:
        """Return what goes into the next batch; what was cancelled is left out."""
        gathered: list[Parcel] = []
        left_bytes = min(MAX_BATCH_BYTES, self.largest_bytes)
        while self.waiting:
            parcel = self.waiting[0]
            left_bytes -= len(parcel.record.value) + _RECORD_BYTES
            if gathered and left_bytes < 0:
                break
            self.waiting.popleft()
            if not parcel.outcome.cancelled():
                gathered.append(parcel)
        return gathered


class Outbox:
    """Belongs to one bus. `write` is a task per lane, in the group of the bus."""

    def __init__(
        self,
        broker: Broker,
        settings: KafkaSettings,
        clock: Clock,
        *,
        position: Callable[[Topic], int | None],
        spawn: Callable[[Topic], None],
    ) -> None:
        """Make an outbox without lanes.

        position: says how far a consumer in this process has come; None when there is none.
        spawn: is asked to run `write` for a topic that is sent to for the first time.
        """
        self._broker = broker
        self._settings = settings
        self._clock = clock
        self._position = position
        self._spawn = spawn
        self._lanes: dict[Topic, _Lane] = {}
        self._unacknowledged: dict[ActivationId, Parcel] = {}
        self._lost: OrderedDict[ActivationId, Topic] = OrderedDict()
        self._bytes = 0
        self._refreshing = asyncio.Lock()

    def __repr__(self) -> str:
        lanes = {lane.topic: lane.in_flight for lane in self._lanes.values()}
        return f"<Outbox in_flight={lanes} lost={len(self._lost)}>"

    @property
    def in_flight(self) -> int:
        """How many messages the broker has not acknowledged."""
        return sum(lane.in_flight for lane in self._lanes.values())

    async def post(
        self, topic: Topic, record: Record, activation: ActivationId | None = None
    ) -> Parcel:
        """Put a message into the lane of *topic* and return it; its outcome says what became of it.

        activation: by which `parcel_of` finds it.

        Raises `BusUnavailable` when the topic is full, `MessageTooLarge`.
        """
        size_bytes = len(record.value)
        lane = self._lane(topic)
        if size_bytes > LARGE_BYTES:
            await self._require_fit(lane, size_bytes)
        if self._bytes + size_bytes > self._settings.buffer_bytes:
            text = f"{self._bytes} bytes wait for the message bus already."
            raise BusFull(text, limit="kafka.buffer_bytes")
        if self._is_full(lane):
            await self._ask_how_far(lane)
            if self._is_full(lane):
                capacity = self._settings.capacity
                text = f"The topic {topic} is full: {capacity} messages wait."
                raise BusFull(text, limit="kafka.capacity")
        return self._put(lane, record, activation)

    def try_post(self, topic: Topic, record: Record, activation: ActivationId | None) -> bool:
        """Do what `post` does where nobody has to be asked; else nothing: False."""
        size_bytes = len(record.value)
        if size_bytes > LARGE_BYTES or self._bytes + size_bytes > self._settings.buffer_bytes:
            return False
        lane = self._lane(topic)
        if self._is_full(lane):
            return False
        self._put(lane, record, activation)
        return True

    def _put(self, lane: _Lane, record: Record, activation: ActivationId | None) -> Parcel:
        size_bytes = len(record.value)
        parcel = Parcel(lane.topic, record, activation, asyncio.get_running_loop().create_future())
        if activation is not None:
            self._unacknowledged[activation] = parcel
        self._bytes += size_bytes
        parcel.outcome.add_done_callback(lambda _: self._release(size_bytes))
        lane.waiting.append(parcel)
        lane.has_work.set()
        return parcel

    async def acknowledged(self, parcel: Parcel) -> None:
        """Return when the broker has *parcel*; who is cancelled withdraws it, if that is possible.

        Raises `BusUnavailable`.
        """
        try:
            async with asyncio.timeout(self._settings.send_timeout_s):
                await parcel.outcome
        except TimeoutError as error:
            raise BusUnavailable(
                f"The message bus did not confirm a message within "
                f"{self._settings.send_timeout_s:g} s; it may still arrive."
            ) from error
        finally:
            self._forget(parcel)

    async def watch(self, parcel: Parcel) -> None:
        """Return when the broker has *parcel*, which stays on its way if the caller stops waiting.

        Raises `BusUnavailable`.
        """
        await asyncio.wait([parcel.outcome], timeout=self._settings.send_timeout_s)
        if not parcel.outcome.done():
            raise BusUnavailable(
                f"The message bus did not confirm a message within "
                f"{self._settings.send_timeout_s:g} s; it is still on its way."
            )
        parcel.outcome.result()

    def parcel_of(self, activation: ActivationId) -> Parcel | None:
        """Return the message that is on its way with *activation*, if one is."""
        return self._unacknowledged.get(activation)

    def lost_to(self, activation: ActivationId) -> Topic | None:
        """Return the topic to which the message with *activation* was lost, and forget it."""
        return self._lost.pop(activation, None)

    async def write(self, topic: Topic) -> None:
        """Send what is put into the lane of *topic*, until this is cancelled."""
        lane = self._lane(topic)
        await self._make(lane)
        while True:
            parcels = lane.gather()
            if parcels:
                await self._write(lane, parcels)
            else:
                lane.has_work.clear()
                await lane.has_work.wait()

    async def flush(self) -> None:
        """Return when everything that is under way now is acknowledged, or lost."""
        outcomes = {parcel.outcome for parcel in self._under_way() if not parcel.outcome.done()}
        if outcomes:
            await asyncio.wait(outcomes)

    def abandon(self) -> None:
        """Tell whoever waits that the broker has not acknowledged it. Nothing is sent any more."""
        closed = BusUnavailable("The message bus was closed before the message was confirmed.")
        for parcel in list(self._under_way()):
            _tell(parcel, closed)

    async def _make(self, lane: _Lane, *, anew: bool = False) -> None:
        """Return when the topic is there, however long the broker is away."""
        while True:
            try:
                lane.largest_bytes = await self._broker.ensure_topic(lane.topic, anew=anew)
                return lane.is_made.set()
            except BusUnavailable as error:
                await self._pause(lane.topic, error)

    async def _require_fit(self, lane: _Lane, size_bytes: int) -> None:
        """Raise `MessageTooLarge` unless the topic takes so much, once that is known."""
        largest_bytes = self._settings.max_message_bytes
        if size_bytes <= largest_bytes:
            try:
                async with asyncio.timeout(self._settings.send_timeout_s):
                    await lane.is_made.wait()
            except TimeoutError as error:
                raise BusUnavailable(f"The topic {lane.topic} is not there yet.") from error
            largest_bytes = lane.largest_bytes
        if size_bytes > largest_bytes:
            raise MessageTooLarge(
                f"The message has {size_bytes} bytes, and the message bus takes {largest_bytes}."
            )

    async def _write(self, lane: _Lane, parcels: list[Parcel]) -> None:
        lane.handed = parcels
        try:
            taken = await self._broker.produce(lane.topic, [p.record for p in parcels])
        except BusUnavailable as error:
            lane.waiting.extendleft(reversed(parcels))
            lane.handed = []
            await self._pause(lane.topic, error)
            return
        try:
            first = await taken
        except MessageTooLarge as error:
            await self._give_back(lane, error)
        except BusUnavailable as error:
            self._lose(lane, lane.handed, error)
        else:
            lane.end = max(lane.end, first + len(parcels))
            for parcel in lane.handed:
                self._forget(parcel)
                _tell(parcel, None)
        lane.handed = []

    async def _pause(self, topic: Topic, error: BusUnavailable) -> None:
        log.warning("broker_away", topic=topic, in_flight=self.in_flight, why=str(error))
        await asyncio.sleep(error.pause_s or self._settings.retry_pause_s)

    async def _give_back(self, lane: _Lane, error: MessageTooLarge) -> None:
        """Send anew what still fits into a topic that takes less than it did."""
        before = lane.largest_bytes
        await self._make(lane, anew=True)
        limit = lane.largest_bytes if lane.largest_bytes < before else 0
        small = [each for each in lane.handed if len(each.record.value) <= limit]
        self._lose(lane, [each for each in lane.handed if each not in small], error)
        lane.waiting.extendleft(reversed(small))

    def _lose(self, lane: _Lane, parcels: Sequence[Parcel], error: BusUnavailable) -> None:
        """Say that the broker refused for good what was handed over."""
        log.error("messages_not_taken", topic=lane.topic, messages=len(parcels), why=str(error))
        metrics.BUS_PRODUCE_ERRORS.inc(len(parcels))
        for parcel in parcels:
            self._forget(parcel)
            if parcel.activation is not None:
                self._lost[parcel.activation] = lane.topic
                while len(self._lost) > _MOST_LOST:
                    self._lost.popitem(last=False)
            _tell(parcel, error)

    def _release(self, size_bytes: int) -> None:
        self._bytes -= size_bytes

    def _forget(self, parcel: Parcel) -> None:
        if parcel.activation and self._unacknowledged.get(parcel.activation) is parcel:
            del self._unacknowledged[parcel.activation]

    def _under_way(self) -> Iterator[Parcel]:
        for lane in self._lanes.values():
            yield from lane.handed
            yield from lane.waiting

    def _is_full(self, lane: _Lane) -> bool:
        # What nobody has to consume is bounded by its retention alone.
        if not topics.carries_orders(lane.topic):
            return lane.in_flight >= self._settings.capacity
        return lane.depth(self._position(lane.topic)) >= self._settings.capacity

    async def _ask_how_far(self, lane: _Lane) -> None:
        """Learn how far the topic's consumers have come, if that may help."""
        async with self._refreshing:
            now_s = self._clock.elapsed_s()
            is_fresh = now_s - lane.asked_s < _ASK_AGAIN_S
            if is_fresh or lane.in_flight >= self._settings.capacity:
                return
            lane.asked_s = now_s
            try:
                commit = await self._broker.committed(lane.topic)
            except BusUnavailable as error:
                log.warning("commit_not_read", topic=lane.topic, why=str(error))
            else:
                lane.committed = commit.low if commit else 0

    def _lane(self, topic: Topic) -> _Lane:
        lane = self._lanes.get(topic)
        if lane is None:
            lane = self._lanes[topic] = _Lane(topic)
            self._spawn(topic)
        return lane


def _tell(parcel: Parcel, error: BusUnavailable | None) -> None:
    outcome = parcel.outcome
    if outcome.done():
        return
    if error is None:
        outcome.set_result(None)
    else:
        outcome.set_exception(error)
        outcome.exception()  # Who does not wait for it needs no warning about it.
