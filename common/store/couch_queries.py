"""Questions about records in CouchDB: over the databases of several places, and what is pending.

Lists and single reads are given what is pending beside what is stored. What counts (a number of
records, usage, the audit) is asked while no bulk of ours is under way, and of the pending records
those are left out that a database has already: so each counts once, also one whose bulk was stored
and never answered. What has been sealed is billed by its sums, the rest by the view of its
database; which is which is read once, before everything else.
"""

from collections import defaultdict
from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from heapq import nlargest
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

from common.entity.activation import ActivationRecord
from common.ids import ActivationId, DocId, Namespace
from common.settings import CouchdbSettings
from common.store import days
from common.store.couch_gate import Gate
from common.store.couch_records import (
    ATTACHMENT,
    apart_id,
    apart_of,
    doc_id_of,
    from_wire,
    usage_of,
)
from common.store.couch_shards import Shards
from common.store.couch_states import Known, States
from common.store.couch_sums import CouchSums
from common.store.ledger import ALL_HOURS, HourUsage, summed, total, used
from common.store.port import (
    ActivationFilter,
    Audit,
    Missing,
    Period,
    StoreUnavailable,
    UsageRow,
)
from common.store.rollups import HOURS, hours_of
from common.store.shard import HOUR_MS, Shard
from common.store.waiting import Pending, Waiting, decoded

# A place is sealed and dropped while a question is asked once in a lifetime, never three times.
_TRIES: Final = 3
# What starts in a part of an hour.
_MOST_AT_AN_EDGE: Final = 100_000
_DROPPING: Final = "A day is being dropped just now; ask again."

Ask: TypeAlias = Callable[[Shard], Awaitable[Sequence[HourUsage]]]


class _Found(NamedTuple):
    start_ms: int
    activation_id: ActivationId
    shard: Shard


class _Counted(NamedTuple):
    """What a question that counts has found."""

    pending: list[Pending]
    """What no database that was asked has."""
    rows: dict[Shard, Sequence[HourUsage]]


class CouchQueries:
    """Answers about records. Belongs to one event loop."""

    def __init__(
        self,
        states: States,
        shards: Shards,
        sums: CouchSums,
        waiting: Waiting,
        gate: Gate,
        settings: CouchdbSettings,
    ) -> None:
        self._states = states
        self._shards = shards
        self._sums = sums
        self._waiting = waiting
        self._gate = gate
        self._ask_s = settings.request_s + settings.retry_s

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        """Return one stored record. Raises `Missing`."""
        stored = await self._states.with_records()
        for shard in days.likeliest_first(stored, activation_id):
            found = await self._documents(shard, namespace, [activation_id])
            if found:
                return found[activation_id]
        raise Missing

    async def list(
        self, wanted: ActivationFilter, *, limit: int, skip: int
    ) -> Sequence[ActivationRecord]:
        """Return records, newest `start` first; ties by id, the later one first."""
        pending = self._waiting.matching(wanted)
        page = (await self._newest(wanted, skip + limit, pending))[skip:]
        records = {each.record.activation_id: each.record for each in pending}
        by_shard: defaultdict[Shard, list[ActivationId]] = defaultdict(list)
        for item in page:
            if item.activation_id not in records:
                by_shard[item.shard].append(item.activation_id)
        for shard, ids in by_shard.items():
            records |= await self._documents(shard, wanted.namespace, ids)
        # One that was dropped with its day meanwhile is left out.
        return [records[item.activation_id] for item in page if item.activation_id in records]

    async def count(self, wanted: ActivationFilter) -> int:
        """Return how many records match: whole hours by the sums, their edges one by one."""

        async def ask(shard: Shard) -> Sequence[HourUsage]:
            since = max(shard.first_start_ms, 0, _or(wanted.since_ms, 0))
            upto = min(shard.last_start_ms, _or(wanted.upto_ms, shard.last_start_ms))
            if since > upto:
                return []
            first_hour, end_hour = -(-since // HOUR_MS), (upto + 1) // HOUR_MS
            if first_hour >= end_hour:
                return await self._one_by_one(shard, wanted, since, upto)
            rows = await self._shards.usage(shard, wanted.namespace, first_hour, end_hour)
            found = [row for row in rows if wanted.name in (None, row.path)]
            for low, high in ((since, first_hour * HOUR_MS - 1), (end_hour * HOUR_MS, upto)):
                if low <= high:
                    found += await self._one_by_one(shard, wanted, low, high)
            return found

        stored = await self._states.with_records()
        counted = await self._asked(wanted, dict.fromkeys(stored, ask))
        found = sum(row.activations for row in chain(*counted.rows.values()))
        return found + len(counted.pending)

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period
    ) -> Sequence[UsageRow]:
        """Return exact sums of what started in [from, to), ordered."""
        first_hour, end_hour = from_ms // HOUR_MS, -(-to_ms // HOUR_MS)
        wanted = ActivationFilter(
            namespace=namespace, since_ms=first_hour * HOUR_MS, upto_ms=end_hour * HOUR_MS - 1
        )

        async def view(shard: Shard) -> Sequence[HourUsage]:
            return await self._shards.usage(shard, namespace, first_hour, end_hour)

        async def nothing(_: Shard) -> Sequence[HourUsage]:
            return []  # only for what is pending: it may be here

        for _ in range(_TRIES):
            known = await self._states.all()
            bill = await self._billed(namespace, first_hour, end_hour, known)
            live: dict[Shard, Ask | None] = {
                shard: None if each.state.is_billed_by_sums else view
                for shard, each in known.items()
                if each.state.has_records
            }
            counted = await self._asked(wanted, live)
            if await self._are_still_there(live):
                rows = chain(*bill.values(), *counted.rows.values(), _used(counted.pending, known))
                return summed(rows, by)
        raise StoreUnavailable(_DROPPING)

    async def audit(self, namespace: Namespace) -> Audit:
        """Return what is billed, and what the records come to."""
        recomputed: dict[Shard, list[HourUsage]] = {}

        async def compare(shard: Shard) -> Sequence[HourUsage]:
            ledger = await self._shards.usage(shard, namespace, *ALL_HOURS)
            while True:
                bodies = self._shards.every(shard, namespace)
                recomputed[shard] = [usage_of(body) async for body in bodies]
                before, ledger = ledger, await self._shards.usage(shard, namespace, *ALL_HOURS)
                if before == ledger:  # nobody has added to it meanwhile
                    return ledger

        for _ in range(_TRIES):
            known = await self._states.all()
            bill = await self._billed(namespace, *ALL_HOURS, known)
            live: dict[Shard, Ask | None] = dict.fromkeys(_with_records(known), compare)
            counted = await self._asked(ActivationFilter(namespace=namespace), live)
            if await self._are_still_there(live):
                pending = _used(counted.pending, known)
                # Of what is sealed, the view is no bill any more.
                ledger = (
                    bill[shard] if known[shard].state.is_billed_by_sums else counted.rows[shard]
                    for shard in live
                )
                return Audit(
                    ledger=total(chain(pending, *ledger)),
                    recomputed=total(chain(pending, *(recomputed[shard] for shard in live))),
                    dropped=total(chain(*(bill[shard] for shard in known.keys() - live.keys()))),
                )
        raise StoreUnavailable(_DROPPING)

    async def _billed(
        self, namespace: Namespace, first_hour: int, end_hour: int, known: Mapping[Shard, Known]
    ) -> Mapping[Shard, Sequence[HourUsage]]:
        """Return what is billed by sums, by the place that it comes from."""
        found: defaultdict[Shard, list[HourUsage]] = defaultdict(list)
        first_day, last_day = first_hour // HOURS, end_hour // HOURS
        for shard, rollup in await self._sums.billed(namespace, first_day, last_day, known):
            found[shard] += [row for row in hours_of(rollup) if first_hour <= row.hour < end_hour]
        return found

    async def _are_still_there(self, asked: Iterable[Shard]) -> bool:
        """Tell whether what was asked had not been dropped: else its answers were of nothing."""
        known = await self._states.all()
        return all(shard in known and known[shard].state.has_records for shard in asked)

    async def _asked(self, wanted: ActivationFilter, live: Mapping[Shard, Ask | None]) -> _Counted:
        """Return what each place says, and what is pending and in none of them.

        live: what to ask a place; None where it is only looked at for what is pending.
        """
        waiting = {doc_id_of(entry): entry for entry in self._waiting.matching(wanted)}
        rows: dict[Shard, Sequence[HourUsage]] = {}
        for shard in days.shards_between(live, wanted.since_ms, wanted.upto_ms):
            ask = live[shard]
            # What came too late for its day may be among the late.
            ids = [i for i, each in waiting.items() if shard.is_late or each.day == shard.day]
            if ask is not None:
                # The index is brought up to date while bulks go on; that may take long.
                await self._shards.freshen(shard)
                async with self._gate.quiet(self._ask_s):
                    rows[shard], present = await self._settled(shard, ids, ask)
            else:
                present = await self._shards.present(shard, ids) if ids else set()
            waiting = {i: each for i, each in waiting.items() if i not in present}
        return _Counted(list(waiting.values()), rows)

    async def _settled(
        self, shard: Shard, ids: Sequence[DocId], ask: Ask
    ) -> tuple[Sequence[HourUsage], set[str]]:
        """Return what *ask* finds, and which of *ids* it has found.

        Our bulks are kept out, but somebody else may write a record of ours: who took over from a
        process that was taken for dead. Records are only ever added, so if as many of them are
        there before as after, then so it was in between.
        """
        before = await self._shards.present(shard, ids)
        while True:
            found = await ask(shard)
            after = await self._shards.present(shard, ids)
            if after == before:
                return found, after
            before = after

    async def _one_by_one(
        self, shard: Shard, wanted: ActivationFilter, since_ms: int, upto_ms: int
    ) -> Sequence[HourUsage]:
        part = ActivationFilter(
            namespace=wanted.namespace, name=wanted.name, since_ms=since_ms, upto_ms=upto_ms
        )
        found = await self._shards.newest(shard, part, _MOST_AT_AN_EDGE)
        return [HourUsage("", 0, len(found), 0, 0)]

    async def _newest(
        self, wanted: ActivationFilter, number: int, pending: Iterable[Pending]
    ) -> Sequence[_Found]:
        def page(items: Iterable[_Found]) -> list[_Found]:
            # What is pending and stored already is shown once.
            return nlargest(number, {item.activation_id: item for item in items}.values())

        found = page(
            _Found(each.record.start_ms, each.record.activation_id, Shard(each.day))
            for each in pending
        )
        stored = await self._states.with_records()
        for shard in days.shards_between(stored, wanted.since_ms, wanted.upto_ms):
            is_whole = len(found) == number
            if is_whole and (not found or found[-1].start_ms > shard.last_start_ms):
                break
            rows = await self._shards.newest(shard, wanted, number)
            found = page([*found, *(_Found(ms, aid, shard) for ms, aid in rows)])
        return found

    async def _documents(
        self, shard: Shard, namespace: Namespace, ids: Iterable[ActivationId]
    ) -> dict[ActivationId, ActivationRecord]:
        doc_ids = [DocId(f"{namespace}/{activation_id}") for activation_id in ids]
        bodies = await self._shards.documents(shard, doc_ids)
        found: dict[ActivationId, ActivationRecord] = {}
        for body in bodies.values():
            record = await self._record(shard, body)
            found[record.activation_id] = record
        return found

    async def _record(self, shard: Shard, body: dict[str, Any]) -> ActivationRecord:
        digest = apart_of(body)
        if digest is None:
            return decoded(from_wire(body))
        return decoded(await self._shards.attachment(shard, apart_id(digest), ATTACHMENT))


def _with_records(known: Mapping[Shard, Known]) -> list[Shard]:
    return [shard for shard, each in known.items() if each.state.has_records]


def _used(pending: Iterable[Pending], known: Mapping[Shard, Known]) -> Sequence[HourUsage]:
    """Return what pending records add; those of a day that was dropped will be refused."""
    dropped = {shard.day for shard, each in known.items() if _is_dropped(shard, each)}
    return [used(entry.record) for entry in pending if entry.day not in dropped]


def _is_dropped(shard: Shard, known: Known) -> bool:
    return not (shard.is_late or known.state.has_records)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
