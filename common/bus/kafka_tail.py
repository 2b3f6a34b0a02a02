"""Reading the end of a topic as it grows, whoever else does: no group, no commit, no waiting task.

The next request for messages leaves in the turn in which the last ones have been dealt with.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    NoError,
    OffsetOutOfRangeError,
    for_code,
)
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from common.bus import kafka_wire
from common.bus.kafka_connection import begun, connection, leader_of
from common.bus.kafka_errors import translated
from common.bus.kafka_link import Links
from common.settings import KafkaSettings

_FETCH_BYTES: Final = 2 << 20
_FETCH_WAIT_MS: Final = 500
_COMMITTED_OR_NOT: Final = 0
_FIRST: Final = -2
_END: Final = -1


@dataclass(frozen=True, slots=True)
class Received:
    """What comes from the broker."""

    offset: int
    sent_ms: int
    key: bytes | None
    value: bytes


class Tail:
    """One topic, read by one who goes on from where it has come to. `opened` makes one."""

    def __init__(self, client: Any, links: Links, topic: str) -> None:
        self._client = client
        self._links = links
        self._topic = topic
        self.end: int | None = None
        """The offset that the next message of the topic will get, as far as is known."""

    async def fetch(self, offset: int) -> tuple[list[Received], int]:
        """Return messages from *offset* on, and where to go on, as soon as there is one.

        After half a second, none. Where *offset* is gone, by retention or with the topic, it goes
        on with what is there.

        Raises `BusUnavailable`.
        """
        request = kafka_wire.fetch(
            self._topic, offset, wait_ms=_FETCH_WAIT_MS, most_bytes=_FETCH_BYTES
        )
        with translated():
            found = kafka_wire.fetched(
                await self._links.ask(self._topic, kafka_wire.FETCH, request)
            )
            try:
                self._require_none(found.code)
            except OffsetOutOfRangeError:
                return [], await self._offset(_FIRST)
            self.end = found.end
            return _unpacked(found.batches, offset)

    async def ask_end(self) -> int:
        """Ask for the offset that the next message will get. Raises `BusUnavailable`."""
        with translated():
            return await self._offset(_END)

    async def _offset(self, which: int) -> int:
        wanted = [(self._topic, [(0, which)])]
        request = OffsetRequest(-1, _COMMITTED_OR_NOT, wanted)
        answer = await self._client.send(await leader_of(self._client, self._topic), request)
        [(_, [(_, code, _, offset, *_)])] = answer.topics
        self._require_none(code)
        return int(offset)

    def _require_none(self, code: int) -> None:
        """Raise the error that a broker's *code* stands for, unless it stands for none."""
        error = for_code(code)
        if error is NoError:
            return
        if getattr(error, "invalid_metadata", False):
            self._client.force_metadata_update()
        raise error


@asynccontextmanager
async def opened(settings: KafkaSettings, topic: str) -> AsyncIterator[Tail]:
    """Read *topic*, as the broker knows it, while inside. Raises `BusUnavailable`."""
    client = AIOKafkaClient(**connection(settings))
    links = Links(settings, client)
    try:
        await begun(settings, client.bootstrap, timeout_s=settings.request_timeout_s)
        yield Tail(client, links, topic)
    finally:
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(settings.request_timeout_s):
                await links.close()
                await client.close()


def _unpacked(data: bytes, offset: int) -> tuple[list[Received], int]:
    received, go_on = [], offset
    for batch in _batches(data):
        if not batch.is_control_batch:
            # A batch is sent whole, also if its first messages have been read.
            received += [
                Received(each.offset, each.timestamp, each.key, each.value or b"")
                for each in batch
                if each.offset >= offset
            ]
        go_on = max(go_on, batch.next_offset)
    return received, go_on


def _batches(data: bytes) -> Iterator[Any]:
    records = MemoryRecords(data)
    while records.has_next():
        batch = records.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordException
        yield batch
