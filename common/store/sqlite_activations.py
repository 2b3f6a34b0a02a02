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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from common import metrics
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.ids import ActivationId, Namespace
from common.log import logger
from common.settings import StoreSettings
from common.store import sqlite_days
from common.store.port import (
    ActivationFilter,
    Audit,
    Missing,
    Period,
    SealReport,
    StoreError,
    StoreUnavailable,
    Unbalanced,
    UsageRow,
)
from common.store.shard import Shard, State
from common.store.sqlite_day_writer import Committed, DayWriter
from common.store.sqlite_file import Readers
from common.store.sqlite_queries import Moment, Queries
from common.store.waiting import Pending, Waiting, decoded

Result = TypeVar("Result")

_BATCH_BYTES: Final = 16 << 20
_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 2.0


log = logger(__name__)


class SqliteActivationStore:
    """See `common.store.port.ActivationStore`. Belongs to one event loop."""

    def __init__(
        self, folder: Path, readers: Readers, settings: StoreSettings, clock: Clock
    ) -> None:
        """Open the records below *folder*, and take over what an earlier run left in its spool.

        Raises `Corrupted`, `StoreUnavailable`, `OSError`.
        """
        self._files = folder / "activations"
        self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
        sqlite_days.remove_drafts(self._files)
        self._waiting = Waiting(folder)
        book = folder / "usage.db"
        self._readers = readers
        self._queries = Queries(self._files, book, readers)
        self._settings = settings
        self._queue: deque[Pending] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_writing = False
        self._round_ended = asyncio.Event()
        self._retry_s = 0.0
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="activation-writer")
        self.fault: StoreError | None = None
        """Why the last write failed; None while writes succeed."""
        self._queue.extend(self._waiting.take_over())
        self._writer = DayWriter(self._files, book, clock)
        states = self._writer.states()
        self._stored = frozenset(shard for shard, state in states.items() if state.has_records)
        if self._queue:
            self._schedule()

    def __repr__(self) -> str:
        return f"<SqliteActivationStore pending={len(self._waiting)} fault={self.fault}>"

    @property
    def pending(self) -> int:
        """Records that are in the spool only."""
        return len(self._waiting)

    @property
    def spool_bytes(self) -> int:
        """Size of the spool's files."""
        return self._waiting.spool_bytes

    def check_spool(self) -> None:
        """Return while the spool takes records. Raises `StoreUnavailable`."""
        self._waiting.check()

    def put(self, record: ActivationRecord) -> None:
        """Take over *record*: once this returns it survives `kill -9`; readers see it at once.

        Raises `StoreUnavailable` when the spool does not take it, and says why; `ValueError` for a
        record whose start or bill no database can hold.
        """
        entry = self._waiting.add(record)
        if entry is not None:
            self._queue.append(entry)
            self._schedule()

    async def sync(self) -> None:
        """Return when every record taken so far would survive a power cut.

        Raises `StoreUnavailable`.
        """
        await self._waiting.sync()

    async def arrived(self, namespace: Namespace, activation_id: ActivationId) -> None:
        """Return at once: one process has the store, and `get` finds what is on its way."""

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        """Return one record, also one that is still on its way to the disk. Raises `Missing`."""
        waiting = self._waiting.get(namespace, activation_id)
        if waiting is not None:
            return waiting
        document = await self._queries.document((namespace, activation_id), self._now())
        if document is None:
            raise Missing
        return decoded(document)

    async def list(
        self, wanted: ActivationFilter, *, limit: int, skip: int
    ) -> Sequence[ActivationRecord]:
        """Return records, newest `start` first; ties by id, the later one first."""
        page = await self._queries.page(wanted, limit, skip, self._now())
        return [decoded(document) for document in page]

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

    async def audit(self, namespace: Namespace) -> Audit:
        """Return what is billed beside what the records come to. They are equal."""
        return await self._queries.audit(namespace, self._now())

    async def shards(self) -> Mapping[Shard, State]:
        """Return every place that is known, and its state."""
        return await self._written_by(self._writer.states)

    async def prepare(self, shard: Shard) -> None:
        """Make the file of a place before its first record comes."""
        if await self._written_by(lambda: self._writer.prepare(shard)):
            self._stored |= {shard}

    async def seal(self, shard: Shard) -> SealReport:
        """Close a place for writers and keep its sums: from then on they are the bill.

        Raises `Missing`, `Unbalanced`, `StoreUnavailable`.
        """
        return await self._written_by(lambda: self._writer.seal(shard))

    async def drop(self, shard: Shard) -> None:
        """Delete the records of a sealed place; its sums stay.

        Raises `NotSealed`, `Missing`, `Unbalanced`, `StoreUnavailable`.
        """
        await self._written_by(lambda: self._writer.begin_drop(shard))
        self._stored -= {shard}
        self._readers.forget(sqlite_days.file_of(self._files, shard))
        await self._written_by(lambda: self._writer.finish_drop(shard))

    async def forget(self, shard: Shard) -> None:
        """Delete the sums of a dropped place, too. Raises `NotSealed`, `StoreUnavailable`."""
        await self._written_by(lambda: self._writer.forget(shard))

    async def close(self) -> None:
        """Commit what is pending, within `close_s`. Idempotent.

        What the database does not take stays in the spool, and is taken over at the next start.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting.finish()
        try:
            async with asyncio.timeout(self._settings.close_s):
                await self._drain()
                if self._waiting:
                    await self._waiting.sync()
        except (TimeoutError, StoreUnavailable) as error:
            self.fault = self.fault or StoreUnavailable(str(error) or "The disk is too slow.")
        if self._timer is not None:
            self._timer.cancel()
        await self._waiting.close()
        # A write that is still stuck has the files; they end with the process.
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown(wait=False)
        await asyncio.wait((closing,), timeout=0 if self._is_writing else self._settings.close_s)

    def _now(self) -> Moment:
        return Moment(self._stored, self._waiting.all())

    async def _written_by(self, work: Callable[[], Result]) -> Result:
        """Do *work* in the thread that writes. Raises what it raises, `StoreUnavailable`."""
        if self._is_closed:
            raise StoreUnavailable("The store is closed.")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OSError as error:
            raise StoreUnavailable(f"The records cannot be read: {error.strerror}.") from error

    async def _drain(self) -> None:
        """Write until nothing is pending, or until a write fails."""
        while self._queue or self._is_writing:
            if not self._is_writing:
                self._write()
            self._round_ended.clear()
            await self._round_ended.wait()
            if self.fault is not None:
                return

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
        outcome = round_.result()
        self.fault = outcome.fault
        if self.fault is not None and before is None:
            log.error("records_not_written", pending=len(self._waiting), why=str(self.fault))
        elif self.fault is None and before is not None:
            log.warning("records_written_again", pending=len(self._waiting))
        self._is_writing = False
        for entry in outcome.stored:
            self._waiting.stored(entry)
        for entry in outcome.refused:
            self._waiting.refuse(entry, Unbalanced("Its day has been dropped."))
        self._stored |= outcome.shards
        metrics.RECORDS_WRITTEN.inc(len(outcome.stored))
        # At the end: a file that is damaged does not hold up the others.
        self._queue.extend(outcome.failed)
        if outcome.failed and not outcome.stored:
            self._retry_s = min(max(2 * self._retry_s, _FIRST_RETRY_S), _LAST_RETRY_S)
        else:
            self._retry_s = 0.0
        self._round_ended.set()
        if self._queue and not self._is_closed:
            self._schedule()
