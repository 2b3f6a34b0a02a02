"""What the platform expects of a message bus.

Delivery is at least once: a consumer tolerates repeats. A message that was sent with `durable`
survives the death of every process; after a restart it is delivered again until it is settled, and
the delivery says whether it had been started, so that nothing runs twice behind a user's back. What
was sent without it may be lost with a process, or may come again: nobody was promised either.

A topic is either received from or listened to. Who receives shares: each message goes to one of
them, and is kept until it is settled. Who listens hears everything that is said while it listens,
whoever else does, in whatever process; for who does not listen nothing is kept.
"""

from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeAlias

from common.errors import BriskError
from common.message.activation import ActivationMessage
from common.message.completion import Completion
from common.message.event import UserEvent
from common.message.hint import Hint
from common.message.ping import Ping
from common.message.topics import Topic
from common.message.watching import News, Watch

Message: TypeAlias = ActivationMessage | Completion | Ping | Hint | Watch | News | UserEvent
Handler: TypeAlias = Callable[[Message], None]


class BusUnavailable(BriskError):
    """The message bus cannot take messages right now. Try again in a few seconds."""

    pause_s: float | None = None
    """How long to wait before the next try, where the error knows better than who tries."""


class BusFull(BusUnavailable):
    """The message bus holds as much as it may."""

    def __init__(self, text: str, *, limit: str) -> None:
        """Say which *limit* was reached, by the name of its setting."""
        super().__init__(text)
        self.limit = limit


class BusDenied(BusUnavailable):
    """The message bus does not let this platform in."""

    pause_s = 10.0


class MessageTooLarge(BusUnavailable):
    """The message is larger than the message bus takes."""

    # Not that it is away: the sender leaves the large part with a store and sends where it is.


class Delivery(Protocol):
    """One message in a consumer's hands. Settle it exactly once, whatever became of it."""

    @property
    def message(self) -> Message:
        """What was sent."""
        ...

    @property
    def was_started(self) -> bool:
        """Whether an earlier delivery of it had been started; true only after a crash."""
        ...

    def start(self) -> None:
        """Note that its work begins. On disk (not yet synced) when this returns."""
        ...

    def settle(self) -> None:
        """Note that it is done for good: it is not delivered again. Idempotent."""
        ...


class Bus(Protocol):
    """Ordered topics: of orders, that are shared, and of news, that everybody hears."""

    async def send(self, topic: Topic, message: Message, *, durable: bool) -> None:
        """Hand *message* over; with *durable*, return only when it would survive a power cut.

        Raises `BusUnavailable` when the topic is full or the bus is away, `MessageTooLarge`.
        """
        ...

    def try_send(self, topic: Topic, message: Message) -> bool:
        """Hand *message* over without `durable` if that takes no waiting; else send nothing: False.

        Raises `BusUnavailable`.
        """
        ...

    def try_note(self, topic: Topic, message: ActivationMessage) -> bool:
        """Hand over an order that is being carried out already, if that takes no waiting.

        It survives the death of this process, where that costs no waiting; a power cut only once
        it is secured. False: nothing was sent. Raises `BusUnavailable`.
        """
        ...

    async def secure(self, message: ActivationMessage) -> None:
        """Make a message that was sent without `durable` survive a power cut after all.

        For a blocking call whose wait expired: its 202 is a promise. Harmless when it has ended.
        Raises `BusUnavailable`.
        """
        ...

    def receive(self, topic: Topic) -> AsyncIterator[Delivery]:
        """Yield the messages of *topic* in order, until the bus is closed.

        Nothing is taken before it is asked for: who does not ask, is not flooded. Several may
        receive at once; each message goes to one of them.
        """
        ...

    async def listen(self, topic: Topic, handler: Handler) -> None:
        """Give every message of *topic* that is sent once this has returned to *handler*.

        They come in order and are settled. Each of several handlers hears each message.

        handler: neither waits nor raises.

        Raises `BusUnavailable`; then nothing is heard.
        """
        ...

    async def close(self) -> None:
        """Stop taking messages, flush what is durable, end every `receive`. Idempotent."""
        ...
