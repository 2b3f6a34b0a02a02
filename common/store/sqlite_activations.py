"""Records and usage in SQLite, behind a spool: nobody who runs code ever waits for a disk.

`put` appends a record to the spool, remembers it, and returns. One thread takes what has gathered,
by a timer of a few milliseconds or by number, and commits it to the files of its days. Readers are
given both: each query takes along the records that are pending, and inside its snapshot of a file
leaves out those that have arrived there meanwhile. So an answer counts every record exactly once,
whatever the writer is doing.

A write that fails leaves its records pending, and in the spool; they are tried again, first soon
and then every two seconds, for as long as it takes. What bounds this is the spool.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from common import metrics
from common.entity import activation_document
from common.entity.activation import ActivationRecord
from common.ids import ActivationId, Namespace
from common.log import logger
from common.settings import StoreSettings
from common.store import days, sqlite_days
from common.store.days import Key, Pending
from common.store.port import (
    ActivationFilter,
    Missing,
    Period,
    StoreError,
    StoreUnavailable,
    UsageRow,
)
from common.store.spool import Spool
from common.store.sqlite_day_writer import Committed, DayWriter
from common.store.sqlite_file import Readers
from common.store.sqlite_queries import Moment, Queries, record

# Thirty years of a gigabyte; so that a thousand times that can be summed.
_MAX_MB_MS: Final = 1 << 50
_BATCH_BYTES: Final = 16 << 20
_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 2.0


log = logger(__name__)


class SqliteActivationStore:
    """See `common.store.port.ActivationStore`. Belongs to one event loop."""

    def __init__(
        self, folder: Path, spool: Spool, readers: Readers, settings: StoreSettings
    ) -> None:
        """Open the records of *folder*, and take over what an earlier run left in *spool*.

        Raises `Corrupted`, `StoreUnavailable`.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sqlite_days.remove_drafts(folder)
        self._spool = spool
        self._queries = Queries(folder, readers)
        self._settings = settings
        self._days = frozenset(sqlite_days.days_in(folder))
        self._pending: dict[Key, Pending] = {}
        self._queue: deque[Pending] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_writing = False
        self._round_ended = asyncio.Event()
        self._retry_s = 0.0
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="activation-writer")
        self._writer = DayWriter(folder)
        self.fault: StoreError | None = None
        """Why the last write failed; None while writes succeed."""
        self._take_over_left_over()

    def __repr__(self) -> str:
        return f"<SqliteActivationStore pending={len(self._pending)} fault={self.fault}>"

    @property
    def pending(self) -> int:
        """Records that are in the spool only."""
        return len(self._pending)

    @property
    def spool_bytes(self) -> int:
        """Size of the spool's files."""
        return self._spool.size_bytes

    def check_spool(self) -> None:
        """Return while the spool takes records. Raises `StoreUnavailable`."""
        self._spool.check()

    def put(self, record: ActivationRecord) -> None:
        """Take over *record*: once this returns it survives `kill -9`; readers see it at once.

        Raises `StoreUnavailable` when the spool does not take it, and says why; `ValueError` for a
        record whose start or bill no database can hold.
        """
        if self._is_closed:
            raise StoreUnavailable("The store is closed.")
        if (record.namespace, record.activation_id) in self._pending:
            return
        day = days.day_of(record.activation_id, record.start_ms)
        if not 0 <= record.billed_ms * record.memory_mb <= _MAX_MB_MS:
            raise ValueError(f"no activation is billed {record.billed_ms} ms")
        document = activation_document.encode(record)
        self._enqueue(Pending(record, document, day, self._spool.add(document)))
        self._schedule()

    async def sync(self) -> None:
        """Return when every record taken so far would survive a power cut.

        Raises `StoreUnavailable`.
        """
        await self._spool.sync()

    async def arrived(self, namespace: Namespace, activation_id: ActivationId) -> None:
        """Return at once: one process has the store, and `get` finds what is on its way."""

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        """Return one record, also one that is still on its way to the disk. Raises `Missing`."""
        entry = self._pending.get((namespace, activation_id))
        if entry is not None:
            return entry.record
        document = await self._queries.document((namespace, activation_id), self._now())
        if document is None:
            raise Missing
        return record(document)

    async def list(
        self, wanted: ActivationFilter, *, limit: int, skip: int
    ) -> Sequence[ActivationRecord]:
        """Return records, newest `start` first; ties by id, the later one first."""
        page = await self._queries.page(wanted, limit, skip, self._now())
        return [record(document) for document in page]

    async def count(self, wanted: ActivationFilter) -> int:
        """Return how many records match."""
        return await self._queries.count(wanted, self._now())

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period
    ) -> Sequence[UsageRow]:
        """Return exact sums of what started in [from, to), ordered.

        Bounds inside an hour are widened to that whole hour.
        """
        return await self._queries.usage(
            namespace, from_ms=from_ms, to_ms=to_ms, by=by, now=self._now()
        )

    async def audit(self, namespace: Namespace) -> tuple[UsageRow, UsageRow]:
        """Return the ledger's total and the total recomputed from the records."""
        return await self._queries.audit(namespace, self._now())

    async def close(self) -> None:
        """Commit what is pending, within `close_s`. Idempotent.

        What the database does not take stays in the spool, and is taken over at the next start.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            async with asyncio.timeout(self._settings.close_s):
                await self._drain()
                if self._pending:
                    await self._spool.sync()
        except (TimeoutError, StoreUnavailable) as error:
            self.fault = self.fault or StoreUnavailable(str(error) or "The disk is too slow.")
        if self._timer is not None:
            self._timer.cancel()
        await self._spool.close(empty=not self._pending)
        self._thread.shutdown(wait=False)
        # A write that is still stuck has the files; they end with the process.
        if not self._is_writing:
            self._writer.close()

    def _now(self) -> Moment:
        return Moment(self._days, list(self._pending.values()))

    async def _drain(self) -> None:
        """Write until nothing is pending, or until a write fails."""
        while self._pending:
            if not self._is_writing:
                self._write()
            self._round_ended.clear()
            await self._round_ended.wait()
            if self.fault is not None:
                return

    def _take_over_left_over(self) -> None:
        for segment, document in self._spool.left_over():
            found = record(document)
            day = days.day_of(found.activation_id, found.start_ms)
            entry = Pending(found, document, day, segment)
            if entry.key in self._pending:
                self._spool.done(segment)
            else:
                self._enqueue(entry)
        if self._queue:
            self._schedule()

    def _enqueue(self, entry: Pending) -> None:
        self._pending[entry.key] = entry
        self._queue.append(entry)

    def _schedule(self) -> None:
        """See to it that the queue is written: at once when it is long enough, else soon."""
        if self._is_writing:
            return
        is_full = len(self._queue) >= self._settings.flush_records and not self._retry_s
        if is_full:
            self._write()
        elif self._timer is None:
            delay_s = self._retry_s or self._settings.flush_interval_ms / 1000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._write)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch: list[Pending] = []
        size_bytes = 0
        while self._queue and len(batch) < self._settings.flush_records:
            size_bytes += len(self._queue[0].document)
            if batch and size_bytes > _BATCH_BYTES:
                break
            batch.append(self._queue.popleft())
        self._is_writing = True
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._thread, self._writer.commit, batch).add_done_callback(
            self._written
        )

    def _written(self, round_: "asyncio.Future[Committed]") -> None:
        before = self.fault
        stored, failed, self.fault = round_.result()
        if self.fault is not None and before is None:
            log.error("records_not_written", pending=len(self._pending), why=str(self.fault))
        elif self.fault is None and before is not None:
            log.warning("records_written_again", pending=len(self._pending))
        self._is_writing = False
        for entry in stored:
            del self._pending[entry.key]
            self._spool.done(entry.segment)
        self._days |= {entry.day for entry in stored}
        metrics.RECORDS_WRITTEN.inc(len(stored))
        # At the end: a file that is damaged does not hold up the others.
        self._queue.extend(failed)
        if failed and not stored:
            self._retry_s = min(max(2 * self._retry_s, _FIRST_RETRY_S), _LAST_RETRY_S)
        else:
            self._retry_s = 0.0
        self._round_ended.set()
        if self._queue and not self._is_closed:
            self._schedule()
