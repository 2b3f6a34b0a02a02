"""Records and usage in CouchDB, behind a spool on this machine's disk.

`put` appends a record to the spool, remembers it, and returns; a writer takes it to the database in
a bulk. Readers are given both (`common.store.couch_queries`).

A record that the database will never take is kept, as a file of the folder `refused`: it is on no
bill, and somebody is told.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.ids import ActivationId, Namespace
from common.settings import CouchdbSettings
from common.store.couch_admin import CouchAdmin
from common.store.couch_gate import Gate
from common.store.couch_http import CouchHttp
from common.store.couch_queries import CouchQueries
from common.store.couch_shards import Shards
from common.store.couch_states import States
from common.store.couch_sums import CouchSums
from common.store.couch_writer import BulkWriter
from common.store.port import (
    ActivationFilter,
    Audit,
    Period,
    SealReport,
    StoreError,
    UsageRow,
)
from common.store.shard import Shard, State
from common.store.waiting import Waiting


class CouchActivationStore:
    """See `common.store.port.ActivationStore`. Its owner calls `run`, on one event loop."""

    def __init__(
        self,
        folder: Path,
        http: CouchHttp,
        admin: CouchAdmin,
        settings: CouchdbSettings,
        clock: Clock,
    ) -> None:
        """Open the spool of *folder*, and take over what an earlier run left in it.

        Raises `Corrupted`, `StoreUnavailable`.
        """
        gate = Gate()
        self._waiting = Waiting(folder)
        self._states = States(http, admin, settings, clock)
        shards = Shards(http, self._states)
        self._sums = CouchSums(http, admin, self._states, shards, settings, clock, gate)
        self._queries = CouchQueries(
            self._states, shards, self._sums, self._waiting, gate, settings
        )
        self._writer = BulkWriter(
            http,
            self._states,
            shards,
            gate,
            settings,
            done=self._waiting.stored,
            refuse=self._waiting.refuse,
        )
        for entry in self._waiting.take_over():
            self._writer.add(entry)

    def __repr__(self) -> str:
        return f"<CouchActivationStore pending={len(self._waiting)} fault={self.fault}>"

    @property
    def pending(self) -> int:
        """Records that are in the spool only."""
        return len(self._waiting)

    @property
    def spool_bytes(self) -> int:
        """Size of the spool's files."""
        return self._waiting.spool_bytes

    @property
    def fault(self) -> StoreError | None:
        """Why the last bulk failed; None while bulks succeed."""
        return self._writer.fault

    def check_spool(self) -> None:
        """Return while the spool takes records. Raises `StoreUnavailable`."""
        self._waiting.check()

    async def run(self) -> None:
        """Write records until `finish` is called."""
        await self._writer.run()

    def finish(self) -> None:
        """Take no more records, and let `run` end when those pending are written. Idempotent."""
        self._waiting.finish()
        self._writer.close()

    async def close(self) -> None:
        """Let the spool go, after `run` has ended. What was not written stays in it. Idempotent."""
        if self._waiting:
            await self._waiting.sync()
        await self._waiting.close()

    def put(self, record: ActivationRecord) -> None:
        """Take over *record*: once this returns it survives `kill -9`; readers see it at once.

        Raises `StoreUnavailable` when the spool does not take it, and says why; `ValueError` for a
        record whose start or bill no database can hold.
        """
        entry = self._waiting.add(record)
        if entry is not None:
            self._writer.add(entry)

    async def sync(self) -> None:
        """Return when every record taken so far would survive a power cut.

        Raises `StoreUnavailable`.
        """
        await self._waiting.sync()

    async def arrived(self, namespace: Namespace, activation_id: ActivationId) -> None:
        """Return when the database has the record, or has refused it for good."""
        await self._waiting.gone(namespace, activation_id)

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        """Return one record, also one that is still on its way. Raises `Missing`."""
        waiting = self._waiting.get(namespace, activation_id)
        if waiting is not None:
            return waiting
        return await self._queries.get(namespace, activation_id)

    async def list(
        self, wanted: ActivationFilter, *, limit: int, skip: int
    ) -> Sequence[ActivationRecord]:
        """Return records, newest `start` first; ties by id, the later one first."""
        return await self._queries.list(wanted, limit=limit, skip=skip)

    async def count(self, wanted: ActivationFilter) -> int:
        """Return how many records match."""
        return await self._queries.count(wanted)

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period
    ) -> Sequence[UsageRow]:
        """Return exact sums of what started in [from, to), ordered.

        Bounds inside an hour are widened to that whole hour.
        """
        return await self._queries.usage(namespace, from_ms=from_ms, to_ms=to_ms, by=by)

    async def audit(self, namespace: Namespace) -> Audit:
        """Return what is billed beside what the records come to. They are equal."""
        return await self._queries.audit(namespace)

    async def shards(self) -> Mapping[Shard, State]:
        """Return every place that is known, and its state, as it is now."""
        known = await self._states.all(fresh=True)
        return {shard: each.state for shard, each in known.items()}

    async def prepare(self, shard: Shard) -> None:
        """Make a place before its first record comes. Raises `StoreUnavailable`, `Denied`."""
        await self._states.ensure(shard)

    async def seal(self, shard: Shard) -> SealReport:
        """Close a place for writers and keep its sums: from then on they are the bill.

        Raises `Missing`, `Unbalanced`, `StoreUnavailable`, `Denied`.
        """
        return await self._sums.seal(shard)

    async def drop(self, shard: Shard) -> None:
        """Delete the records of a sealed place; its sums stay.

        Raises `NotSealed`, `Missing`, `Unbalanced`, `StoreUnavailable`, `Denied`.
        """
        await self._sums.drop(shard)

    async def forget(self, shard: Shard) -> None:
        """Delete the sums of a dropped place, too. Raises `NotSealed`, `StoreUnavailable`."""
        await self._sums.forget(shard)
