"""Connections for the hot way: what is asked leaves at once, and an answer wakes who waits for it.

aiokafka connects, agrees on security and proves who we are; then its connection is taken over. What
it does for each answer beside that (a stream, a task that reads it, a task that bounds the wait)
costs a handful of wake-ups, which is more than the answers are worth.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiokafka.conn import create_conn
from aiokafka.errors import (
    CorrelationIdError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from common.bus import kafka_wire
from common.bus.kafka_connection import leader_of, secured
from common.bus.kafka_wire import FETCH, HEAD_BYTES, PRODUCE
from common.log import logger
from common.settings import KafkaSettings

_NUMBERS: Final = 1 << 31

log = logger(__name__)


class _Asked(NamedTuple):
    number: int
    since_s: float
    answer: "asyncio.Future[bytes]"


class Link(asyncio.Protocol):
    """One connection to one broker. Belongs to one event loop; made by `to`."""

    def __init__(self, transport: Any, *, timeout_s: float) -> None:
        """Speak over *transport*, on which nothing is under way.

        timeout_s: after which a broker that does not answer is given up.
        """
        self._transport = transport
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._asked: deque[_Asked] = deque()
        self._received = bytearray()
        self._number = 0
        self._watch: asyncio.TimerHandle | None = None
        self._stream: Any = None
        self._is_lost = self._loop.create_future()
        transport.set_protocol(self)

    @classmethod
    async def to(cls, host: str, port: int, settings: KafkaSettings) -> "Link":
        """Connect, and prove who we are.

        Raises `IncompatibleBrokerVersion` and other `KafkaError`s, `OSError`, `TimeoutError`.
        """
        made = await create_conn(host, port, **secured(settings))
        if not _speaks(made._versions):
            await made.close()
            raise IncompatibleBrokerVersion(
                f"The broker at {host}:{port} does not speak as those of Kafka 2.3 and later do: "
                "a newer one is needed."
            )
        link = cls(made._writer.transport, timeout_s=settings.request_timeout_s)
        # It has asked what it wanted to know: nothing is on its way to it any more.
        made._read_task.cancel()
        made._reader = None
        # Trap: a stream that nobody holds closes its transport.
        link._stream = made._writer
        return link

    @property
    def is_open(self) -> bool:
        """Whether requests can be made; a broker hangs up on who is idle for long."""
        return not self._transport.is_closing()

    def ask(self, call: tuple[int, int], body: bytes) -> "asyncio.Future[bytes]":
        """Send a request, and return what brings its answer.

        That raises `KafkaConnectionError` when the connection ends before, and
        `RequestTimedOutError` when the broker takes too long.
        """
        self._number = number = (self._number + 1) % _NUMBERS
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if not self.is_open:
            answer.set_exception(KafkaConnectionError("The connection is closed."))
            return answer
        self._asked.append(_Asked(number, self._loop.time(), answer))
        self._transport.write(kafka_wire.framed(call, number, body))
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout_s, self._look)
        return answer

    async def close(self) -> None:
        """Let go of the connection, whatever is under way on it. Idempotent."""
        self._end(KafkaConnectionError("The connection was closed."))
        # Whoever stops waiting leaves it for the next one who does.
        await asyncio.shield(self._is_lost)

    def data_received(self, data: bytes) -> None:
        """Give every answer that is whole to who waits for it."""
        received = self._received
        received += data
        while len(received) >= HEAD_BYTES:
            end = HEAD_BYTES + int.from_bytes(received[:HEAD_BYTES], "big")
            if len(received) < end:
                return
            answer = bytes(received[HEAD_BYTES:end])
            del received[:end]
            if not self._has_told(answer):
                return

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits that nothing comes any more."""
        self._end(KafkaConnectionError(f"The connection has ended: {exc or 'the broker hung up'}."))
        if not self._is_lost.done():
            self._is_lost.set_result(None)

    def _has_told(self, answer: bytes) -> bool:
        number = int.from_bytes(answer[:HEAD_BYTES], "big")
        if not self._asked or self._asked[0].number != number:
            self._end(CorrelationIdError(f"The broker answers number {number}, not asked now."))
            return False
        asked = self._asked.popleft()
        if not asked.answer.done():
            asked.answer.set_result(answer[HEAD_BYTES:])
        return True

    def _look(self) -> None:
        """Give a broker up that has been asked for too long."""
        self._watch = None
        if not self._asked:
            return
        left_s = self._asked[0].since_s + self._timeout_s - self._loop.time()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look)
        else:
            self._end(RequestTimedOutError(f"No answer within {self._timeout_s:g} s."))

    def _end(self, error: KafkaError) -> None:
        self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        while self._asked:
            answer = self._asked.popleft().answer
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # who has left needs no warning about it


class Links:
    """To the brokers that lead topics, each when it is first needed."""

    def __init__(self, settings: KafkaSettings, client: Any) -> None:
        """*client* knows who leads what."""
        self._settings = settings
        self._client = client
        self._links: dict[int, Link] = {}
        self._opening = asyncio.Lock()

    async def ask(self, topic: str, call: tuple[int, int], body: bytes) -> bytes:
        """Return what the leader of *topic* answers.

        The request leaves before this gives way, if the leader is known and has been asked before.

        Raises `KafkaError`.
        """
        node = await leader_of(self._client, topic)
        link = self._links.get(node)
        if link is None or not link.is_open:
            link = await self._opened(node)
        return await link.ask(call, body)

    async def close(self) -> None:
        """Let go of all connections. Idempotent."""
        for link in self._links.values():
            await link.close()
        self._links.clear()

    async def _opened(self, node: int) -> Link:
        async with self._opening:
            link = self._links.get(node)
            if link is not None and link.is_open:
                return link
            broker = self._client.cluster.broker_metadata(node)
            try:
                if broker is None:
                    raise NodeNotReadyError(f"Nobody says where the broker {node} is.")
                link = await Link.to(broker.host, broker.port, self._settings)
            except IncompatibleBrokerVersion:
                raise
            except (OSError, TimeoutError, KafkaError) as error:
                log.info("broker_not_reached", node=node, why=repr(error))
                # It may be elsewhere by now.
                self._client.force_metadata_update()
                raise NodeNotReadyError(f"The broker {node} is not reached.") from error
            self._links[node] = link
            return link


def _speaks(versions: Mapping[int, tuple[int, int]]) -> bool:
    """Tell whether a broker that takes these *versions* takes what is written here."""
    ranges = [(*versions.get(call, (0, -1)), wanted) for call, wanted in (PRODUCE, FETCH)]
    return all(least <= wanted <= most for least, most, wanted in ranges)
