"""The bus of a cluster, on Kafka: see `common.bus.port`.

Topics bear the names of `common.message.topics`; each has one partition, because its order is
promised. One that is received from has one consumer group; who listens belongs to none. Everything
is sent with `acks=all`, which costs nothing (measured); `durable` decides who waits for it. So what
was not durable usually survives a crash too, and may be delivered again, but nobody was promised
that.

At most one consumer has a topic at a time. It commits below its lowest unsettled message, with a
note of what is settled above it (`common.bus.offsets`), and marks each start and settlement on its
own disk first (`common.bus.marks`). So after `kill -9` on the same machine nothing settled comes
again and what had been started says so; when another machine takes over, this holds up to the last
commit, a tenth of a second ago.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

from common import metrics
from common.bus.kafka_client import Broker
from common.bus.kafka_inbox import Inbox, KafkaDelivery
from common.bus.kafka_listener import Listener
from common.bus.kafka_outbox import LARGE_BYTES, Outbox
from common.bus.kafka_producer import Record
from common.bus.kafka_tail import Received
from common.bus.marks import Marks
from common.bus.port import BusUnavailable, Handler, Message
from common.clock import Clock
from common.ids import ActivationId
from common.log import logger
from common.message import encoding, topics
from common.message.activation import ActivationMessage
from common.message.topics import Topic
from common.settings import KafkaSettings

_MEMBER_FILE: Final = "member"

log = logger(__name__)


class KafkaBus:
    """See `common.bus.port.Bus`. Belongs to one event loop; made by `open`."""

    def __init__(
        self, broker: Broker, marks: Marks, member: str, settings: KafkaSettings, clock: Clock
    ) -> None:
        """Make a bus that is not running yet; see `open`."""
        self._broker = broker
        self._marks = marks
        self._member = member
        self._settings = settings
        self._clock = clock
        self._inboxes: dict[Topic, Inbox] = {}
        self._listeners: dict[Topic, Listener] = {}
        self._outbox = Outbox(
            broker, settings, clock, position=self._position, spawn=self._spawn_writer
        )
        self._tasks = asyncio.TaskGroup()
        self._workers: list[asyncio.Task[None]] = []
        self._running: asyncio.Task[None] | None = None
        self._is_begun = asyncio.Event()
        self._is_over = asyncio.Event()
        self._is_closed = False

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "open"
        return f"<KafkaBus {state} {self._outbox!r} {list(self._inboxes.values())!r}>"

    @classmethod
    async def open(cls, settings: KafkaSettings, folder: Path, clock: Clock) -> "KafkaBus":
        """Open the bus of one process.

        folder: what this process remembers: its name as a consumer, and its marks. It is made if
            need be, belongs to one process at a time, and must survive that process.

        Raises `BusUnavailable` when no broker answers, `DamagedLog`.
        """
        marks = Marks.open(folder)
        broker = Broker(settings)
        try:
            member = _member(folder)
            await broker.connect()
        except BaseException:
            await broker.close()
            await marks.close()
            raise
        bus = cls(broker, marks, member, settings, clock)
        bus._running = asyncio.get_running_loop().create_task(bus._run(), name="kafka-bus")
        await bus._is_begun.wait()
        bus._show_metrics()
        return bus

    async def check(self) -> None:
        """Return when a broker answers now. Raises `BusUnavailable`."""
        self._require_open()
        await self._broker.check()

    async def send(self, topic: Topic, message: Message, *, durable: bool) -> None:
        """Hand *message* over; with *durable*, return only when every replica has it.

        Who is cancelled before the message has left this process has sent nothing.

        Raises `BusUnavailable` when the topic is full, the broker does not confirm a durable
        message in time, or the message is too large for it.
        """
        self._require_open()
        record, order = _packed(message)
        parcel = await self._outbox.post(topic, record, order)
        # A large one may be refused for its size after all, and its sender knows another way.
        if durable or len(record.value) > LARGE_BYTES:
            await self._outbox.acknowledged(parcel)

    def try_send(self, topic: Topic, message: Message) -> bool:
        """Hand *message* over unless the broker would have to be asked first; else send nothing.

        Raises `BusUnavailable`.
        """
        self._require_open()
        return self._outbox.try_post(topic, *_packed(message))

    def try_note(self, topic: Topic, message: ActivationMessage) -> bool:
        """Hand *message* over unless the broker would have to be asked first.

        It is out of this process some milliseconds later. Raises `BusUnavailable`.
        """
        return self.try_send(topic, message)

    async def secure(self, message: ActivationMessage) -> None:
        """Return when every replica has a message that was sent without `durable`.

        Raises `BusUnavailable`.
        """
        self._require_open()
        parcel = self._outbox.parcel_of(message.activation_id)
        if parcel is not None:
            await self._outbox.watch(parcel)
        elif (topic := self._outbox.lost_to(message.activation_id)) is not None:
            await self.send(topic, message, durable=True)

    async def receive(self, topic: Topic) -> AsyncIterator[KafkaDelivery]:
        """Yield the messages of *topic* in order, until the bus is closed."""
        if self._is_closed:
            return
        inbox = self._inboxes.get(topic) or self._new_inbox(topic)
        while not self._is_closed:
            delivery = inbox.pop()
            if delivery is not None:
                yield delivery
            else:
                await inbox.waiters.wait()

    async def listen(self, topic: Topic, handler: Handler) -> None:
        """Give every message of *topic* that is sent once this has returned to *handler*.

        Raises `BusUnavailable`.
        """
        self._require_open()
        listener = self._listeners.get(topic)
        if listener is None:
            begun = Listener(topic, self._broker, self._settings)
            await begun.begin()
            self._require_open()
            # Somebody else may have begun meanwhile, and hears from there on.
            listener = self._listeners.setdefault(topic, begun)
            if listener is begun:
                self._spawn(listener.serve())
        listener.handlers.append(handler)

    async def close(self) -> None:
        """Stop taking messages, flush, commit what is settled, end every `receive`. Idempotent.

        Who waits for a topic that was received from here has it at once. Where nobody does, the
        place is kept, so that a restart takes it at once.

        Waits `close_s` for an absent broker, and no longer.
        """
        if not self._is_closed:
            self._end_receivers()
            try:
                async with asyncio.timeout(self._settings.close_s):
                    await self._outbox.flush()
                    for inbox in self._inboxes.values():
                        await inbox.commit()
                        await inbox.make_way()
            except TimeoutError:
                log.error("bus_not_flushed", in_flight=self._outbox.in_flight)
        await self.abandon()

    async def abandon(self) -> None:
        """Let go of everything at once, as a crash does: nothing is flushed or committed."""
        self._end_receivers()
        self._is_over.set()
        if self._running is not None:
            await self._running
            self._running = None
            self._outbox.abandon()
            self._hide_metrics()
            await self._broker.close()
            await self._marks.close()

    async def _run(self) -> None:
        """Own every task of the bus, until `_is_over`."""
        try:
            async with self._tasks:
                self._is_begun.set()
                await self._is_over.wait()
                for worker in self._workers:
                    worker.cancel()
        except* Exception:
            log.exception("bus_broke", bus=repr(self))
        finally:
            self._end_receivers()

    def _end_receivers(self) -> None:
        self._is_closed = True
        for inbox in self._inboxes.values():
            inbox.waiters.wake_all()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._workers.append(self._tasks.create_task(work))

    def _spawn_writer(self, topic: Topic) -> None:
        self._spawn(self._outbox.write(topic))

    def _new_inbox(self, topic: Topic) -> Inbox:
        inbox = self._inboxes[topic] = Inbox(
            topic, self._member, self._broker, self._marks, self._settings, self._clock,
            set_aside=self._set_aside,
        )  # fmt: skip
        self._spawn(inbox.serve())
        self._spawn(inbox.commit_often())
        return inbox

    async def _set_aside(self, topic: Topic, received: Received, why: str) -> None:
        """Keep what cannot be read in the topic `poison`; the original stays for its retention."""
        place = f"{topic}@{received.offset}"
        headers = (("place", place.encode()), ("why", why.encode()))
        record = Record(received.key or b"", received.value, headers)
        try:
            parcel = await self._outbox.post(topics.POISON, record)
            await self._outbox.acknowledged(parcel)
        except BusUnavailable as error:
            log.error("poison_not_set_aside", place=place, why=str(error))

    def _position(self, topic: Topic) -> int | None:
        inbox = self._inboxes.get(topic)
        return None if inbox is None else inbox.position

    def _require_open(self) -> None:
        if self._is_closed:
            raise BusUnavailable("The message bus is closed.")

    def _show_metrics(self) -> None:
        metrics.BUS_IN_FLIGHT.set_function(lambda: self._outbox.in_flight)
        for kind in get_args(metrics.TopicClass):
            metrics.BUS_LAG[kind].set_function(partial(self._lag, kind))
            metrics.BUS_OLDEST_UNSETTLED[kind].set_function(partial(self._oldest_s, kind))

    def _hide_metrics(self) -> None:
        for gauge in (
            metrics.BUS_IN_FLIGHT,
            *metrics.BUS_LAG.values(),
            *metrics.BUS_OLDEST_UNSETTLED.values(),
        ):
            gauge.set_function(lambda: 0)

    def _lag(self, kind: metrics.TopicClass) -> int:
        heard = (each.lag for topic, each in self._listeners.items() if topic.startswith(kind))
        return sum(heard) + sum(inbox.lag for inbox in self._inboxes_of(kind))

    def _oldest_s(self, kind: metrics.TopicClass) -> float:
        return max((inbox.oldest_s for inbox in self._inboxes_of(kind)), default=0.0)

    def _inboxes_of(self, kind: metrics.TopicClass) -> Iterator[Inbox]:
        return (inbox for topic, inbox in self._inboxes.items() if topic.startswith(kind))


def _packed(message: Message) -> tuple[Record, ActivationId | None]:
    """Return what the broker gets, and the activation that an order is for."""
    order = message.activation_id if isinstance(message, ActivationMessage) else None
    return Record(encoding.key(message).encode(), encoding.encode(message)), order


def _member(folder: Path) -> str:
    """Return the name of this process as a consumer: the same at every start."""
    path = folder / _MEMBER_FILE
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    name = secrets.token_hex(8)
    whole = path.with_suffix(".new")
    whole.write_text(name)
    whole.rename(path)  # A crash in between leaves no half of a name.
    return name
