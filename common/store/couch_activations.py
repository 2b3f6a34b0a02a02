"""Records and usage in CouchDB, behind a spool on this machine's disk.

`put` appends a record to the spool, remembers it, and returns; a writer takes it to the database in
a bulk. Lists and single reads are given what is pending beside what is stored. What counts (a
number of records, usage, the audit) is asked while no bulk of ours is under way, and of the pending
records those are left out that the database has already: so each counts once, also one whose bulk
was stored and never answered.

A record that the database will never take is kept, as a file of the folder `refused`: it is on no
bill, and somebody is told.
"""

import asyncio
from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    MutableSequence,
    Sequence,
)
from contextlib import asynccontextmanager
from heapq import nlargest
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from common import metrics
from common.append_log import AppendLog
from common.entity import activation_document
from common.entity.activation import ActivationRecord
from common.entity.activation_document import MalformedRecord
from common.ids import ActivationId, DocId, Namespace
from common.log import logger
from common.settings import CouchdbSettings
from common.store import days
from common.store.arrivals import Arrivals
from common.store.couch_gate import Gate
from common.store.couch_http import CouchHttp
from common.store.couch_records import (
    ATTACHMENT,
    apart_id,
    apart_of,
    doc_id_of,
    from_wire,
    usage_of,
)
from common.store.couch_shards import Shards
from common.store.couch_writer import BulkWriter
from common.store.days import HOUR_MS, Key, Pending
from common.store.ledger import ALL_HOURS, HourUsage, summed, total, used
from common.store.port import (
    ActivationFilter,
    Corrupted,
    Missing,
    Period,
    StoreError,
    StoreUnavailable,
    UsageRow,
)
from common.store.spool import Spool

# What starts in a part of an hour.
_MOST_AT_AN_EDGE: Final = 100_000
# Thirty years of a gigabyte; a thousand times that is still exact in JavaScript, which multiplies.
_MAX_MB_MS: Final = 1 << 50
_log: Final = logger(__name__)


class _Found(NamedTuple):
    start_ms: int
    activation_id: ActivationId
    day: int


class CouchActivationStore:
    """See `common.store.port.ActivationStore`. Belongs to one event loop, whose owner calls `run`.

    ask_s: how long a question that counts may take, together with waiting for its turn.
    """

    def __init__(
        self, folder: Path, http: CouchHttp, shards: Shards, settings: CouchdbSettings
    ) -> None:
        """Open the spool of *folder*, and take over what an earlier run left in it.

        Raises `Corrupted`, `StoreUnavailable`.
        """
        self._folder = folder
        self._shards = shards
        self._ask_s = settings.request_s + settings.retry_s
        self._gate = Gate()
        self._pending: dict[Key, Pending] = {}
        self._arrivals = Arrivals()
        self._refusals: AppendLog | None = None
        self._is_closed = False
        self._spool = Spool(folder / "spool")
        self._writer = BulkWriter(
            http, shards, self._gate, settings, done=self._stored, refuse=self._refused
        )
        self._take_over_left_over()

    def __repr__(self) -> str:
        return f"<CouchActivationStore pending={len(self._pending)} fault={self.fault}>"

    @property
    def pending(self) -> int:
        """Records that are in the spool only."""
        return len(self._pending)

    @property
    def spool_bytes(self) -> int:
        """Size of the spool's files."""
        return self._spool.size_bytes

    @property
    def fault(self) -> StoreError | None:
        """Why the last bulk failed; None while bulks succeed."""
        return self._writer.fault

    def check_spool(self) -> None:
        """Return while the spool takes records. Raises `StoreUnavailable`."""
        self._spool.check()

    async def run(self) -> None:
        """Write records until `finish` is called."""
        await self._writer.run()

    def finish(self) -> None:
        """Take no more records, and let `run` end when those pending are written. Idempotent."""
        self._is_closed = True
        self._writer.close()

    async def close(self) -> None:
        """Let the spool go, after `run` has ended. What was not written stays in it. Idempotent."""
        self._is_closed = True
        if self._pending:
            await self._spool.sync()
        await self._spool.close(empty=not self._pending)
        if self._refusals is not None:
            await self._refusals.close()

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

    async def sync(self) -> None:
        """Return when every record taken so far would survive a power cut.

        Raises `StoreUnavailable`.
        """
        await self._spool.sync()

    async def arrived(self, namespace: Namespace, activation_id: ActivationId) -> None:
        """Return when the database has the record, or has refused it for good."""
        if (namespace, activation_id) in self._pending:
            await self._arrivals.wait((namespace, activation_id))

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        """Return one record, also one that is still on its way. Raises `Missing`."""
        entry = self._pending.get((namespace, activation_id))
        if entry is not None:
            return entry.record
        for day in days.likeliest_first(await self._shards.days(), activation_id):
            found = await self._documents(day, namespace, [activation_id])
            if found:
                return found[activation_id]
        raise Missing

    async def list(
        self, wanted: ActivationFilter, *, limit: int, skip: int
    ) -> Sequence[ActivationRecord]:
        """Return records, newest `start` first; ties by id, the later one first."""
        pending = self._matching(wanted)
        page = (await self._newest(wanted, skip + limit, pending))[skip:]
        records = {each.record.activation_id: each.record for each in pending}
        by_day: defaultdict[int, list[ActivationId]] = defaultdict(list)
        for item in page:
            if item.activation_id not in records:
                by_day[item.day].append(item.activation_id)
        for day, ids in by_day.items():
            records |= await self._documents(day, wanted.namespace, ids)
        # One that was dropped with its day meanwhile is left out.
        return [records[item.activation_id] for item in page if item.activation_id in records]

    async def count(self, wanted: ActivationFilter) -> int:
        """Return how many records match: whole hours by the sums, their edges one by one."""

        async def ask(day: int) -> Sequence[HourUsage]:
            since = max(days.first_start_ms(day), _or(wanted.since_ms, 0))
            upto = min(days.last_start_ms(day), _or(wanted.upto_ms, days.last_start_ms(day)))
            if since > upto:
                return []
            first_hour, end_hour = -(-since // HOUR_MS), (upto + 1) // HOUR_MS
            if first_hour >= end_hour:
                return await self._one_by_one(day, wanted, since, upto)
            rows = await self._shards.usage(day, wanted.namespace, first_hour, end_hour)
            found = [row for row in rows if wanted.name in (None, row.path)]
            for low, high in ((since, first_hour * HOUR_MS - 1), (end_hour * HOUR_MS, upto)):
                if low <= high:
                    found += await self._one_by_one(day, wanted, low, high)
            return found

        return sum(row.activations for row in await self._asked(wanted, ask))

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period
    ) -> Sequence[UsageRow]:
        """Return exact sums of what started in [from, to), ordered.

        Bounds inside an hour are widened to that whole hour.
        """
        first_hour, end_hour = from_ms // HOUR_MS, -(-to_ms // HOUR_MS)
        wanted = ActivationFilter(
            namespace=namespace, since_ms=first_hour * HOUR_MS, upto_ms=end_hour * HOUR_MS - 1
        )

        async def ask(day: int) -> Sequence[HourUsage]:
            return await self._shards.usage(day, namespace, first_hour, end_hour)

        return summed(await self._asked(wanted, ask), by)

    async def audit(self, namespace: Namespace) -> tuple[UsageRow, UsageRow]:
        """Return the view's total and the total recomputed from the records."""
        stored: dict[int, list[HourUsage]] = {}
        pending: list[HourUsage] = []

        async def ask(day: int) -> Sequence[HourUsage]:
            ledger = await self._shards.usage(day, namespace, *ALL_HOURS)
            while True:
                bodies = self._shards.every(day, namespace)
                stored[day] = [usage_of(body) async for body in bodies]
                before, ledger = ledger, await self._shards.usage(day, namespace, *ALL_HOURS)
                if before == ledger:  # nobody has added to it meanwhile
                    return ledger

        everything = ActivationFilter(namespace=namespace)
        ledger = await self._asked(everything, ask, pending_too=pending)
        return total(ledger), total(chain(pending, *stored.values()))

    async def _asked(
        self,
        wanted: ActivationFilter,
        ask: Callable[[int], Awaitable[Sequence[HourUsage]]],
        pending_too: MutableSequence[HourUsage] | None = None,
    ) -> Sequence[HourUsage]:
        """Return what *ask* finds in each day, and what is pending and not in the database."""
        by_day: defaultdict[int, list[Pending]] = defaultdict(list)
        for entry in self._matching(wanted):
            by_day[entry.day].append(entry)
        rows: list[HourUsage] = []
        stored = await self._shards.days()
        for day in days.days_between({*stored, *by_day}, wanted.since_ms, wanted.upto_ms):
            ids = {doc_id_of(entry): entry for entry in by_day[day]}
            present: Collection[str] = ()
            if day in stored:  # else none of it was stored when we looked at what is pending
                # The index is brought up to date while bulks go on; that may take long.
                await self._shards.usage(day, wanted.namespace, 0, 0)
                async with self._quiet():
                    found, present = await self._settled(day, list(ids), ask)
                rows += found
            pending = [used(entry.record) for doc_id, entry in ids.items() if doc_id not in present]
            rows += pending
            if pending_too is not None:
                pending_too.extend(pending)
        return rows

    async def _settled(
        self, day: int, ids: Sequence[DocId], ask: Callable[[int], Awaitable[Sequence[HourUsage]]]
    ) -> tuple[Sequence[HourUsage], Collection[str]]:
        """Return what *ask* finds, and which of *ids* it has found.

        Our bulks are kept out, but somebody else may write a record of ours: who took over from a
        process that was taken for dead. Records are only ever added, so if as many of them are
        there before as after, then so it was in between.
        """
        before = await self._shards.present(day, ids)
        while True:
            found = await ask(day)
            after = await self._shards.present(day, ids)
            if after == before:
                return found, after
            before = after

    @asynccontextmanager
    async def _quiet(self) -> AsyncIterator[None]:
        """Keep bulks out while inside, for a bounded time. Raises `StoreUnavailable`."""
        try:
            async with asyncio.timeout(self._ask_s), self._gate.enter("ask"):
                yield
        except TimeoutError as error:
            raise StoreUnavailable("The database is too slow to count just now.") from error

    async def _one_by_one(
        self, day: int, wanted: ActivationFilter, since_ms: int, upto_ms: int
    ) -> Sequence[HourUsage]:
        part = ActivationFilter(
            namespace=wanted.namespace, name=wanted.name, since_ms=since_ms, upto_ms=upto_ms
        )
        found = await self._shards.newest(day, part, _MOST_AT_AN_EDGE)
        return [HourUsage("", 0, len(found), 0, 0)]

    async def _newest(
        self, wanted: ActivationFilter, number: int, pending: Iterable[Pending]
    ) -> Sequence[_Found]:
        places = {
            _Found(entry.record.start_ms, entry.record.activation_id, entry.day)
            for entry in pending
        }
        found = nlargest(number, places)
        stored = await self._shards.days()
        for day in days.days_between(stored, wanted.since_ms, wanted.upto_ms):
            is_whole = len(found) == number
            if is_whole and (not found or found[-1].start_ms > days.last_start_ms(day)):
                break
            rows = await self._shards.newest(day, wanted, number)
            found = nlargest(number, {*found, *(_Found(ms, aid, day) for ms, aid in rows)})
        return found

    async def _documents(
        self, day: int, namespace: Namespace, ids: Iterable[ActivationId]
    ) -> dict[ActivationId, ActivationRecord]:
        doc_ids = [DocId(f"{namespace}/{activation_id}") for activation_id in ids]
        bodies = await self._shards.documents(day, doc_ids)
        found: dict[ActivationId, ActivationRecord] = {}
        for body in bodies.values():
            record = await self._record(day, body)
            found[record.activation_id] = record
        return found

    async def _record(self, day: int, body: dict[str, Any]) -> ActivationRecord:
        digest = apart_of(body)
        if digest is None:
            return _decoded(from_wire(body))
        return _decoded(await self._shards.attachment(day, apart_id(digest), ATTACHMENT))

    def _matching(self, wanted: ActivationFilter) -> Sequence[Pending]:
        return [each for each in self._pending.values() if days.matches(each.record, wanted)]

    def _take_over_left_over(self) -> None:
        for segment, document in self._spool.left_over():
            found = _decoded(document)
            day = days.day_of(found.activation_id, found.start_ms)
            entry = Pending(found, document, day, segment)
            if entry.key in self._pending:
                self._spool.done(segment)
            else:
                self._enqueue(entry)

    def _enqueue(self, entry: Pending) -> None:
        self._pending[entry.key] = entry
        self._writer.add(entry)

    def _stored(self, entry: Pending) -> None:
        del self._pending[entry.key]
        self._arrivals.tell(entry.key)
        self._spool.done(entry.segment)

    def _refused(self, entry: Pending, error: StoreError) -> None:
        """Keep a record that the database never takes where somebody can look at it."""
        try:
            if self._refusals is None:
                self._refusals = AppendLog(self._folder / "refused", "refused")
            self._refusals.append(entry.document)
        except OSError as failure:
            # It stays pending and in the spool; the next start tries it once more.
            _log.error("refused_record_not_kept", why=str(failure))
            return
        metrics.COUCHDB_REFUSED.inc()
        _log.error("couchdb_refuses_record", record=doc_id_of(entry), why=str(error))
        self._stored(entry)


def _decoded(document: bytes) -> ActivationRecord:
    try:
        return activation_document.decode(document)
    except MalformedRecord as error:
        raise Corrupted(str(error)) from error


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
