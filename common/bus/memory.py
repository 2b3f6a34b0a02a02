"""The bus of the embedded mode: topics in memory, promises in a journal.

One process, so a message is passed as the object it is. A topic is a bounded queue: when it is full
the sender is told at once. What is sent `durable` is in the journal, synced, before it can be
received; what is not, costs no disk at all. An activation that is on its way or in work is
remembered by its id, so that `secure` can promise it after all.
"""

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from common.bus.journal import Journal, Ticket
from common.bus.port import BusFull, BusUnavailable, Handler, Message
from common.bus.waiters import Waiters
from common.ids import ActivationId
from common.log import logger
from common.message import topics
from common.message.activation import ActivationMessage
from common.message.topics import Topic

CAPACITY: Final = "pool.max_waiting"
"""The setting that bounds a topic here."""

log = logger(__name__)


class _Topic:
    """A queue, the places in it that are kept for messages being journaled, and who waits."""

    __slots__ = ("listeners", "name", "queue", "reserved", "waiters")

    def __init__(self, name: Topic) -> None:
        self.name = name
        self.listeners: list[Handler] = []
        self.queue: deque[MemoryDelivery] = deque()
        self.reserved = 0
        self.waiters = Waiters()

    def put(self, delivery: "MemoryDelivery") -> None:
        self.queue.append(delivery)
        self.waiters.wake_one()


class MemoryDelivery:
    """See `common.bus.port.Delivery`. Made by the bus."""

    __slots__ = (
        "_bus",
        "_is_settled",
        "_is_started",
        "_message",
        "_was_started",
        "ticket",
        "topic",
    )

    def __init__(
        self, bus: "MemoryBus", topic: Topic, message: Message, ticket: Ticket | None
    ) -> None:
        self._bus = bus
        self._message = message
        self._was_started = ticket is not None and ticket.was_started
        self._is_started = self._was_started
        self._is_settled = False
        self.topic = topic
        self.ticket = ticket
        """What the journal knows it by; None while nothing is promised."""

    def __repr__(self) -> str:
        state = "settled" if self._is_settled else "started" if self._is_started else "waiting"
        return f"<MemoryDelivery {state} {self._message!r}>"

    @property
    def message(self) -> Message:
        """What was sent."""
        return self._message

    @property
    def was_started(self) -> bool:
        """Whether an earlier delivery of it had been started; true only after a crash."""
        return self._was_started

    @property
    def is_started(self) -> bool:
        """Whether its work has begun, now or before."""
        return self._is_started

    def start(self) -> None:
        """Note that its work begins; in the journal, if it is promised.

        Raises `BusUnavailable` when the journal does not take it: then the work must not begin.
        """
        if self.ticket is not None and not self._is_started:
            self._bus.journal_start(self.ticket)
        self._is_started = True

    def settle(self) -> None:
        """Note that it is done for good. Idempotent."""
        if not self._is_settled:
            self._is_settled = True
            self._bus.forget(self)


class MemoryBus:
    """See `common.bus.port.Bus`. Belongs to one event loop."""

    def __init__(self, journal: Journal | None, *, capacity: int) -> None:
        """Begin with what *journal* holds unfinished; it is delivered before anything new.

        journal: closed with the bus; None promises no more than memory does, for tests.
        capacity: messages that may wait in a topic.
        """
        self._journal = journal
        self._capacity = capacity
        self._topics: dict[Topic, _Topic] = {}
        self._activations: dict[ActivationId, MemoryDelivery] = {}
        self._is_closed = False
        for ticket in journal.unfinished if journal else ():
            self._deliver(self._topic(ticket.topic), ticket.message, ticket)

    def __repr__(self) -> str:
        waiting = {topic.name: len(topic.queue) for topic in self._topics.values()}
        return f"<MemoryBus unsettled={len(self._activations)} waiting={waiting}>"

    async def send(self, topic: Topic, message: Message, *, durable: bool) -> None:
        """Hand *message* over; with *durable*, return only when it would survive a power cut.

        Who is cancelled while the journal syncs has sent nothing.

        Raises `BusUnavailable` when the topic or the journal is full, or the disk fails.
        """
        target = self._room(topic)
        # News are for who listens now: there is nothing to keep of them.
        if not durable or self._journal is None or target.listeners:
            self.try_send(topic, message)
            return
        ticket = self._journal.enter(topic, message, was_started=False)
        target.reserved += 1
        try:
            await self._journal.sync()
        except BaseException:
            self._journal.settle(ticket)
            raise
        finally:
            target.reserved -= 1
        # Closed meanwhile: the promise is kept by the next start.
        if not self._is_closed:
            self._deliver(target, message, ticket)
            await self._journal.tidy()

    def try_send(self, topic: Topic, message: Message) -> bool:
        """Hand *message* over; memory never has to be waited for. Raises `BusUnavailable`."""
        target = self._room(topic)
        # Of news that nobody listens to nothing is kept.
        if not target.listeners and topic != topics.EVENTS:
            self._deliver(target, message, None)
        for listener in target.listeners:
            try:
                listener(message)
            except Exception:  # its fault is not the sender's
                log.exception("listener_failed", topic=topic)
        return True

    def try_note(self, topic: Topic, message: ActivationMessage) -> bool:
        """Hand *message* over and append it to the journal, unsynced. Raises `BusUnavailable`.

        False when the journal is to be made small first, which takes waiting.
        """
        target, ticket = self._room(topic), None
        if self._journal is not None:
            if self._journal.has_grown:
                return False
            ticket = self._journal.enter(topic, message, was_started=False)
        self._deliver(target, message, ticket)
        return True

    async def secure(self, message: ActivationMessage) -> None:
        """Make a message that was sent without `durable` survive a power cut after all.

        Raises `BusUnavailable`.
        """
        delivery = self._activations.get(message.activation_id)
        if delivery is None or self._journal is None:
            return
        if delivery.ticket is None:
            # Before the wait: it may be started or settled meanwhile, and that must be noted.
            delivery.ticket = self._journal.enter(
                delivery.topic, delivery.message, was_started=delivery.is_started
            )
        await self._journal.sync()
        await self._journal.tidy()

    async def receive(self, topic: Topic) -> AsyncIterator[MemoryDelivery]:
        """Yield the messages of *topic* in order, until the bus is closed."""
        source = self._topic(topic)
        while not self._is_closed:
            if source.queue:
                yield source.queue.popleft()
            else:
                await source.waiters.wait()

    async def listen(self, topic: Topic, handler: Handler) -> None:
        """Give every message of *topic* to *handler* from now on, as it is sent."""
        self._topic(topic).listeners.append(handler)

    def depth(self, topic: Topic) -> int:
        """Return how many messages wait in *topic*."""
        return len(self._topic(topic).queue)

    async def close(self) -> None:
        """Stop taking messages, flush what is durable, end every `receive`. Idempotent."""
        self._is_closed = True
        for topic in self._topics.values():
            topic.waiters.wake_all()
        if self._journal is not None:
            await self._journal.close()

    def journal_start(self, ticket: Ticket) -> None:
        """Note in the journal that the work of *ticket* begins; for deliveries."""
        if self._journal is not None:
            self._journal.start(ticket)

    def forget(self, delivery: MemoryDelivery) -> None:
        """Let go of a delivery that is settled; for deliveries."""
        message = delivery.message
        activation = message.activation_id if isinstance(message, ActivationMessage) else None
        if activation is not None and self._activations.get(activation) is delivery:
            del self._activations[activation]
        if self._journal is not None and delivery.ticket is not None:
            self._journal.settle(delivery.ticket)

    def _topic(self, name: Topic) -> _Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(name)
        return topic

    def _room(self, name: Topic) -> _Topic:
        if self._is_closed:
            raise BusUnavailable("The message bus is closed.")
        topic = self._topic(name)
        if len(topic.queue) + topic.reserved >= self._capacity:
            text = f"The topic {name} is full: {self._capacity} messages wait."
            raise BusFull(text, limit=CAPACITY)
        return topic

    def _deliver(self, target: _Topic, message: Message, ticket: Ticket | None) -> None:
        delivery = MemoryDelivery(self, target.name, message, ticket)
        if isinstance(message, ActivationMessage):
            self._activations[message.activation_id] = delivery
        target.put(delivery)
