"""What is heard of one topic that goes to everybody: each message, as it comes, and then no more.

A listener begins at the end of its topic and remembers where it is; while the broker is away
messages wait there, as long as the topic keeps them. Nothing is committed or marked: what was said
while this process was dead was not meant for it.
"""

import asyncio

from common import metrics
from common.bus.kafka_client import Broker
from common.bus.kafka_tail import Received, Tail
from common.bus.port import BusUnavailable, Handler
from common.log import logger
from common.message import encoding
from common.message.topics import Topic
from common.settings import KafkaSettings

log = logger(__name__)


class Listener:
    """Hears one topic. `serve` is a task in the group of the bus."""

    def __init__(self, topic: Topic, broker: Broker, settings: KafkaSettings) -> None:
        """Make a listener that has nobody to tell; see `begin`."""
        self.topic = topic
        self.handlers: list[Handler] = []
        """Who is told; each of every message."""
        self._broker = broker
        self._settings = settings
        self._position = 0
        self._tail: Tail | None = None

    def __repr__(self) -> str:
        return f"<Listener {self.topic} position={self._position} handlers={len(self.handlers)}>"

    @property
    def lag(self) -> int:
        """How many messages have not been heard, as far as is known."""
        end = None if self._tail is None else self._tail.end
        return 0 if end is None else max(0, end - self._position)

    async def begin(self) -> None:
        """Return when it is settled that everything from now on is heard.

        Raises `BusUnavailable`.
        """
        await self._broker.ensure_topic(self.topic)
        async with self._broker.listening(self.topic) as tail:
            self._position = await tail.ask_end()

    async def serve(self) -> None:
        """Tell what comes until this is cancelled, whatever becomes of the broker meanwhile."""
        while True:
            pause_s = self._settings.retry_pause_s
            try:
                async with self._broker.listening(self.topic) as self._tail:
                    await self._hear(self._tail)
            except BusUnavailable as error:
                log.warning("topic_not_heard", topic=self.topic, why=str(error))
                pause_s = error.pause_s or pause_s
            finally:
                self._tail = None
            await asyncio.sleep(pause_s)

    async def _hear(self, tail: Tail) -> None:
        while True:
            found, self._position = await tail.fetch(self._position)
            for received in found:
                self._tell(received)

    def _tell(self, received: Received) -> None:
        try:
            message = encoding.decode(received.value)
        except encoding.MalformedMessage as error:
            # It stays where it is for an hour, to be looked at.
            log.error("poison_message", topic=self.topic, offset=received.offset, why=str(error))
            metrics.BUS_POISON.inc()
            return
        for handler in self.handlers:
            try:
                handler(message)
            except Exception:  # its fault is not the next message's
                log.exception("listener_failed", topic=self.topic)
