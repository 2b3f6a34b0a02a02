"""Reading the end of a topic as it grows, whoever else does: no group, no commit, no waiting task.

The next request for messages leaves in the turn in which the last ones have been dealt with.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    NoError,
    OffsetOutOfRangeError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from common.bus.kafka_connection import begun, connection, leader_of
from common.bus.kafka_errors import translated
from common.bus.kafka_reader import Received
from common.settings import KafkaSettings

_FETCH_BYTES: Final = 2 << 20
_FETCH_WAIT_MS: Final = 500
_COMMITTED_OR_NOT: Final = 0
_FIRST: Final = -2
_END: Final = -1


class Tail:
    """One topic, read by one listener. Made by `opened`."""

    def __init__(self, client: Any, topic: str) -> None:
        self._client = client
        self._topic = topic
        self.end: int | None = None
        """The offset that the next message of the topic will get, as far as is known."""

    async def fetch(self, offset: int) -> tuple[list[Received], int]:
        """Return messages from *offset* on, and where to go on, as soon as there is one.

        After half a second, none. Where *offset* is gone, by retention or with the topic, it goes
        on with what is there.

        Raises `BusUnavailable`.
        """
        wanted = [(self._topic, [(0, offset, _FETCH_BYTES)])]
        request = FetchRequest(_FETCH_WAIT_MS, 1, _FETCH_BYTES, _COMMITTED_OR_NOT, wanted)
        with translated():
            try:
                end, *rest = await self._asked(request)
            except OffsetOutOfRangeError:
                return [], await self._offset(_FIRST)
            self.end = end
            return _unpacked(rest[-1], offset)

    async def ask_end(self) -> int:
        """Ask for the offset that the next message will get. Raises `BusUnavailable`."""
        with translated():
            return await self._offset(_END)

    async def _offset(self, which: int) -> int:
        wanted = [(self._topic, [(0, which)])]
        _, offset, *_ = await self._asked(OffsetRequest(-1, _COMMITTED_OR_NOT, wanted))
        return int(offset)

    async def _asked(self, request: Any) -> Any:
        """Return what is answered for the topic, behind a code that says that all is well."""
        answer = await self._client.send(await leader_of(self._client, self._topic), request)
        if not answer.topics:
            raise for_code(answer.error_code)
        [(_, [(_, code, *rest)])] = answer.topics
        error = for_code(code)
        if error is NoError:
            return rest
        if getattr(error, "invalid_metadata", False):
            self._client.force_metadata_update()
        raise error


@asynccontextmanager
async def opened(settings: KafkaSettings, topic: str) -> AsyncIterator[Tail]:
    """Read *topic*, as the broker knows it, while inside. Raises `BusUnavailable`."""
    client = AIOKafkaClient(**connection(settings))
    try:
        await begun(settings, client.bootstrap, timeout_s=settings.request_timeout_s)
        yield Tail(client, topic)
    finally:
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(settings.request_timeout_s):
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
