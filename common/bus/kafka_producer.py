"""Puts batches into topics: each once, in order, however often it has to be tried.

The outbox has gathered what goes together, and sends one batch of a topic at a time. So what a
producer of aiokafka does beside that, tasks that gather and wait for each other, is left out here:
a batch is on its way in the turn in which it is handed over.

A broker knows a producer by its number and the batches of a topic by theirs, and takes none twice:
what went without an answer is sent again as it was. Where the numbering is not known any more, and
the batch was never on its way before, it goes under a new number.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    DuplicateSequenceNumber,
    KafkaError,
    NoError,
    OutOfOrderSequenceNumber,
    UnknownProducerId,
    for_code,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.transaction import InitProducerIdRequest

from common.bus import kafka_wire
from common.bus.kafka_connection import connection
from common.bus.kafka_errors import SIZE_ERRORS, translated
from common.bus.kafka_link import Links
from common.log import logger
from common.settings import KafkaSettings

# One usual message shrinks little, and both ends and the broker would pay for it.
_WORTH_COMPRESSING_BYTES: Final = 4 << 10
_COMPRESSION: Final = {"none": 0, "gzip": 1, "lz4": 3}
_PAUSE_S: Final = 0.1
_SEQUENCES: Final = 1 << 31
_UNBOUNDED: Final = 1 << 30
_TAKEN: Final = (NoError, DuplicateSequenceNumber)
_NOT_KNOWN: Final = (OutOfOrderSequenceNumber, UnknownProducerId)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """What is handed to the broker."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class _Identity:
    """Under which number the broker knows this producer, and what comes next in each topic."""

    producer: int
    epoch: int
    sequences: dict[str, int] = field(default_factory=dict)


class Producer:
    """Connections that batches go out on. Belongs to one event loop."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Make a producer that is not connected yet; see `start`."""
        self._settings = settings
        self._client: Any = AIOKafkaClient(**connection(settings))
        self._links = Links(settings, self._client)
        self._identity: _Identity | None = None
        self._identifying = asyncio.Lock()

    async def start(self) -> None:
        """Return when a broker answers. Raises `KafkaError`."""
        await self._client.bootstrap()

    async def close(self) -> None:
        """Let go of the connections, whatever is under way on them."""
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(self._settings.request_timeout_s):
                await self._links.close()
                await self._client.close()

    async def put(self, topic: str, records: Sequence[Record]) -> int:
        """Return the offset of the first of *records* when every replica has them.

        -1 where the broker had them before, and forgot where. Tries for as long as the broker is
        away. What goes out first does so before this gives way, if the topic has been met before.

        topic: as the broker knows it. records: no more than the topic takes at once.
        Raises `BusUnavailable` when the broker refuses them for good.
        """
        with translated():
            is_sure = True
            while True:
                identity = self._identity or await self._identified()
                request = self._request(topic, records, identity)
                error, offset, is_sure = await self._answered(topic, request, is_sure=is_sure)
                if error in _TAKEN:
                    before = identity.sequences.get(topic, 0)
                    identity.sequences[topic] = (before + len(records)) % _SEQUENCES
                    return offset
                # What is refused for its size is not counted; all else leaves the count in doubt.
                if not issubclass(error, SIZE_ERRORS) and self._identity is identity:
                    self._identity = None
                if not (is_sure and issubclass(error, _NOT_KNOWN)):
                    raise error
                log.info("producer_forgotten", topic=topic)

    async def _answered(
        self, topic: str, request: bytes, *, is_sure: bool
    ) -> tuple[type[KafkaError], int, bool]:
        """Return the broker's last word, an offset, and whether it is sure that it had no other."""
        while True:
            try:
                answer = await self._links.ask(topic, kafka_wire.PRODUCE, request)
                taken = kafka_wire.produced(answer)
                error = for_code(taken.code)
                if not error.retriable:
                    return error, taken.offset, is_sure
                why = error.__name__
            except KafkaError as failure:
                if not failure.retriable:
                    self._identity = None
                    raise
                why = repr(failure)
            is_sure = False
            log.info("batch_sent_again", topic=topic, why=why)
            await self._look_again()

    async def _identified(self) -> _Identity:
        async with self._identifying:
            while self._identity is None:
                try:
                    node = self._client.get_random_node()
                    answer = await self._client.send(node, InitProducerIdRequest(None, 60_000))
                    error = for_code(answer.error_code)
                    if error is NoError:
                        self._identity = _Identity(answer.producer_id, answer.producer_epoch)
                        break
                    if not error.retriable:
                        raise error
                except KafkaError as failure:
                    if not failure.retriable:
                        raise
                await self._look_again()
            return self._identity

    async def _look_again(self) -> None:
        """Pause, and learn who leads what now."""
        self._client.force_metadata_update()
        await asyncio.sleep(_PAUSE_S)
        await self._client._maybe_wait_metadata()

    def _request(self, topic: str, records: Sequence[Record], identity: _Identity) -> bytes:
        size_bytes = sum(len(record.value) for record in records)
        is_worth_it = size_bytes >= _WORTH_COMPRESSING_BYTES
        compression = self._settings.compression if is_worth_it else "none"
        batch = BatchBuilder(_UNBOUNDED, _COMPRESSION[compression])
        for record in records:
            batch.append(
                timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
            )
        sequence = identity.sequences.get(topic, 0)
        batch._set_producer_state(identity.producer, identity.epoch, sequence)
        timeout_ms = round(self._settings.request_timeout_s * 1000)
        return kafka_wire.produce(topic, bytes(batch._build()), timeout_ms=timeout_ms)
