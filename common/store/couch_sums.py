"""Closing places in CouchDB: their sums in `usage`, and the steps that make them the bill.

    meta: sealing ► wait ► read the view ► write the sums ► read both again ► meta: sealed
    count the records ► meta: dropping ► delete the database ► meta: dropped

Every step may be the last one of a process, and be done again by another: the sums of the same
records are the same documents. While a place is not sealed nobody reads its sums, so those of an
attempt that broke off are written over. Once it is sealed they are never touched again. If a write
was under way for longer than `couchdb.settle_s`, its records are in the place and in no sum: then
the next sealing finds that the view has more, and sums that apart, as a run of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from common import codec, metrics
from common.clock import Clock
from common.ids import Namespace
from common.log import logger
from common.settings import CouchdbSettings
from common.store import couch_layout as layout
from common.store import couch_walk
from common.store.couch_admin import CouchAdmin
from common.store.couch_faults import DatabaseMissing, pause_s
from common.store.couch_gate import Gate
from common.store.couch_http import CouchHttp
from common.store.couch_records import rollup_of, sums_body
from common.store.couch_shards import Shards
from common.store.couch_states import Known, States
from common.store.port import (
    Conflict,
    Missing,
    NotSealed,
    SealReport,
    StoreUnavailable,
    Unbalanced,
)
from common.store.rollups import Rollup, Shrunk, beyond, rolled, sums
from common.store.shard import Done, Shard, State

Result = TypeVar("Result")

_ATTEMPTS: Final = 5
_AT_ONCE: Final = 500
_PAGE: Final = 1000
_log: Final = logger(__name__)


class CouchSums:
    """The sums of closed places. Belongs to one event loop."""

    def __init__(
        self,
        http: CouchHttp,
        admin: CouchAdmin,
        states: States,
        shards: Shards,
        settings: CouchdbSettings,
        clock: Clock,
        gate: Gate,
    ) -> None:
        self._http = http
        self._admin = admin
        self._states = states
        self._shards = shards
        self._database = settings.prefix + layout.SUMS
        self._settle_ms = round(settings.settle_s * 1000)
        self._clock = clock
        self._gate = gate
        self._ask_s = settings.request_s + settings.retry_s

    def __repr__(self) -> str:
        return f"<CouchSums {self._database}>"

    async def billed(
        self,
        namespace: Namespace,
        first_day: int,
        last_day: int,
        known: Mapping[Shard, Known],
    ) -> list[tuple[Shard, Rollup]]:
        """Return what those of *known* that are sealed have contributed to these days.

        Raises `Corrupted`, `StoreUnavailable`, `Denied`.
        """
        by_text = {
            shard.text: (shard, each.runs)
            for shard, each in known.items()
            if each.state.is_billed_by_sums
        }
        found: list[tuple[Shard, Rollup]] = []
        if by_text:
            asked = layout.sums_range(namespace, first_day, last_day) | {"include_docs": True}
            async for row in couch_walk.rows(self._http, self._database, asked, page=_PAGE):
                doc = row["doc"]
                shard, runs = by_text.get(doc.get("shard", ""), (None, 0))
                if shard is not None and doc.get("run", 0) < runs:
                    found.append((shard, rollup_of(doc)))
        return found

    async def seal(self, shard: Shard) -> SealReport:
        """See `common.store.port.DayStore.seal`."""
        known = await self._unless_overtaken(shard, self._seal_once)
        return SealReport(shard, known.state, *known.sums)

    async def drop(self, shard: Shard) -> None:
        """See `common.store.port.DayStore.drop`."""
        await self._unless_overtaken(shard, self._drop_once)

    async def forget(self, shard: Shard) -> None:
        """See `common.store.port.DayStore.forget`."""
        await self._unless_overtaken(shard, self._forget_once)

    async def _unless_overtaken(
        self, shard: Shard, once: Callable[[Shard], Awaitable[Result]]
    ) -> Result:
        """Do *once*; again when another process does the same, or a write came in between."""
        for failures in range(1, _ATTEMPTS + 1):
            try:
                return await once(shard)
            except Conflict:
                await asyncio.sleep(pause_s(failures, self._http.jitter()))
        raise StoreUnavailable(f"Somebody else is at the day {shard.text} just now.")

    async def _drop_once(self, shard: Shard) -> None:
        known = await self._states.read(shard)
        if not known.state.is_billed_by_sums:
            raise NotSealed(f"The day {shard.text} is not sealed.")
        if known.state is State.SEALED:
            await self._require_balance(shard, known)
            known = await self._states.move(shard, known, Done.EXPIRED)
        if known.state is State.DROPPING:
            await self._admin.drop([self._states.database(shard)])
            await self._states.move(shard, known, Done.DELETED)

    async def _forget_once(self, shard: Shard) -> None:
        try:
            known = await self._states.read(shard)
        except Missing:
            return
        if known.state is not State.DROPPED:
            raise NotSealed(f"The day {shard.text} is not dropped.")
        docs = await self._of(shard)
        await self._write(
            [{"_id": doc["_id"], "_rev": doc["_rev"], "_deleted": True} for doc in docs]
        )
        # At the end: until then another process can go on with it.
        await self._states.remove(shard, known)

    async def _seal_once(self, shard: Shard) -> Known:
        known = await self._states.read(shard)
        if known.state is State.OPEN:
            known = await self._states.move(
                shard, known, Done.CLOSED, closed_ms=self._clock.now_ms()
            )
        if not known.state.has_records or self._may_be_written(known):
            return known
        try:
            if known.state is State.SEALED:
                there = await self._shards.records(shard)
                if there == known.sums.activations:
                    return known  # so nothing came; the view of a large day is not read for that
            return await self._summed(shard, known)
        except DatabaseMissing:
            if known.state is State.SEALED:
                return known  # deleted by hand; dropping it says so
            raise Missing(f"There are no records of {shard.text}.") from None

    async def _summed(self, shard: Shard, known: Known) -> Known:
        there = await self._of(shard)
        earlier = [rollup_of(doc) for doc in there if doc["run"] < known.runs]
        everything = await self._viewed(shard)
        try:
            new = beyond(everything, earlier)
        except Shrunk:
            raise Unbalanced(
                f"The database {self._states.database(shard)} has fewer records than were summed. "
                "It is kept; restore it from a backup."
            ) from None
        if known.state is State.SEALED:
            if not new:
                return known
            _log.warning("records_came_into_a_sealed_day", day=shard.text, sums=sums(new))
            metrics.LATE_RECORDS.inc(sums(new).activations)
        await self._keep(shard, known.runs, new, there)
        kept = [rollup_of(doc) for doc in await self._of(shard) if doc["run"] <= known.runs]
        again = await self._viewed(shard)
        if sums(again) != sums(everything) or sums(kept) != sums(again):
            raise Conflict(f"The day {shard.text} has changed while it was summed.")
        return await self._states.move(
            shard, known, Done.SUMMED, runs=known.runs + 1, sums=sums(kept)
        )

    async def _viewed(self, shard: Shard) -> list[Rollup]:
        await self._shards.freshen(shard)
        async with self._gate.quiet(self._ask_s):
            return rolled(await self._shards.everybodys_usage(shard))

    def _may_be_written(self, known: Known) -> bool:
        """Whether a process that took the place for open may still be writing to it."""
        return (
            known.state is State.SEALING
            and self._clock.now_ms() < known.closed_ms + self._settle_ms
        )

    async def _require_balance(self, shard: Shard, known: Known) -> None:
        try:
            there = await self._shards.records(shard)
        except DatabaseMissing:
            _log.warning("sealed_day_was_deleted_by_hand", day=shard.text)
            return
        kept = [rollup_of(doc) for doc in await self._of(shard) if doc["run"] < known.runs]
        summed = sums(kept).activations
        if there != summed:
            raise Unbalanced(
                f"The database {self._states.database(shard)} has {there} records, and its sums "
                f"count {summed}. It is kept."
            )

    async def _keep(
        self, shard: Shard, run: int, new: Sequence[Rollup], there: Iterable[Mapping[str, Any]]
    ) -> None:
        """Have exactly the sums *new* stand under *run*; what stands there already may stay."""
        old = {doc["_id"]: doc for doc in there if doc["run"] >= run}
        changes: list[dict[str, Any]] = []
        for each in new:
            doc_id, body = layout.sums_id(each, shard, run), sums_body(each, shard, run)
            before = old.pop(doc_id, None)
            if before is None:
                changes.append({"_id": doc_id} | body)
            elif {name: before.get(name) for name in body} != body:
                changes.append({"_id": doc_id, "_rev": before["_rev"]} | body)
        # Of an attempt that broke off, when records were deleted by hand in between.
        for doc_id, before in old.items():
            changes.append({"_id": doc_id, "_rev": before["_rev"], "_deleted": True})
        await self._write(changes)

    async def _write(self, docs: Sequence[Mapping[str, Any]]) -> None:
        for at in range(0, len(docs), _AT_ONCE):
            body = codec.encode({"docs": docs[at : at + _AT_ONCE]})
            rows = (await self._http.bulk(self._database, body)).json()
            failed = [row for row in rows if "error" in row]
            if any(row["error"] != "conflict" for row in failed):
                raise StoreUnavailable(f"Sums were not written: {failed[0]}.")
            if failed:
                raise Conflict("Somebody else writes these sums.")

    async def _of(self, shard: Shard) -> list[dict[str, Any]]:
        """Return the sums of a place, of all runs."""
        found: list[dict[str, Any]] = []
        asked = {
            "selector": {"shard": shard.text},
            "use_index": list(layout.BY_SHARD),
            "limit": _PAGE,
        }
        skip = 0
        while True:
            query = asked | {"skip": skip}
            answer = await self._http.read("POST", self._database, "_find", value=query)
            docs = answer.json()["docs"]
            # One that was deleted just now may have left its place in the answer.
            found += filter(None, docs)
            skip += len(docs)
            if len(docs) < _PAGE:
                return found
