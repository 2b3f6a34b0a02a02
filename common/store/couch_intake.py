"""Fills the databases of a cluster from a backup, while its processes are stopped.

What is deleted, when a restore is done again, are the databases that a restore makes, each by its
whole name: the prefix alone may begin the names of another installation's.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from common import codec
from common.append_log import Segment
from common.clock import Clock
from common.entity import activation_document
from common.ids import DocId
from common.settings import CouchdbSettings
from common.store import couch, schema
from common.store import couch_layout as layout
from common.store.contents import Database, NotEmpty, what_is_in
from common.store.couch_admin import CouchAdmin
from common.store.couch_blobs import CouchBlobStore
from common.store.couch_bulk import named, sorted_rows
from common.store.couch_contents import CouchContents
from common.store.couch_documents import CouchDocStore
from common.store.couch_faults import DatabaseMissing, TooLarge, pause_s
from common.store.couch_http import CouchHttp
from common.store.couch_records import ATTACHMENT, Wire, apart_id, sums_body, to_wire
from common.store.couch_states import Known, States, body_of, known_of
from common.store.port import Conflict, Corrupted, Missing, StoreUnavailable
from common.store.rollups import Rollup, sums
from common.store.schema import RESTORING, SCHEMA
from common.store.secrets_file import KNOWN_BY
from common.store.shard import Shard, State, shard_of
from common.store.waiting import Pending

# These records come from no spool.
_NO_SPOOL: Final = Segment(Path(), 0)
# With the pauses between them some ten seconds: who restores stands beside it.
_ATTEMPTS: Final = 10
_LARGEST_SHARE: Final = 4
_SUMS_AT_ONCE: Final = 500


class CouchIntake:
    """See `common.store.contents.Intake`. Belongs to one event loop."""

    def __init__(self, settings: CouchdbSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._http = CouchHttp(settings, clock)
        self._admin = CouchAdmin(settings)
        self._states = States(self._http, self._admin, settings, clock)
        self._blobs = CouchBlobStore(self._http, settings, clock)
        self._meta = self._documents(layout.META)

    def __repr__(self) -> str:
        return f"<CouchIntake {self._settings.prefix}>"

    async def begin(self, what: str) -> None:
        """Note that a restore of *what* is under way, and forget one that was broken off.

        Raises `NotEmpty`, `LayoutUnknown`, `StoreUnavailable`, `Denied`.
        """
        is_again = await self._require_empty()
        if not is_again:
            await self._admin.prepare([self._plans()[0]])
            await self._meta.create(RESTORING, {"file": what})
        await self._wipe()
        await self._admin.prepare(self._plans())
        steps = couch.steps(self._http, self._admin, self._settings)
        await schema.bring_up(self._meta, steps)

    async def add_documents(
        self, database: Database, documents: Sequence[tuple[DocId, dict[str, Any]]]
    ) -> None:
        """Write documents, all of them new. Raises `Conflict` for one that is there."""
        store = self._documents(database)
        await asyncio.gather(*(store.create(doc_id, body) for doc_id, body in documents))

    async def add_code(self, data: bytes) -> None:
        """Write code under its digest."""
        await self._blobs.put(data)

    async def add_records(self, shard: Shard, documents: Sequence[bytes]) -> None:
        """Write records into their place; durable when this returns."""
        await self._states.ensure(shard)
        database = self._states.database(shard)
        largest = self._settings.bulk_bytes // _LARGEST_SHARE
        todo = [
            to_wire(Pending(activation_document.decode(each), each, shard.day, _NO_SPOOL), largest)
            for each in documents
        ]
        failures = 0
        while todo:
            batch = _one_bulk(todo, self._settings)
            try:
                again = await self._sent(database, batch)
            except TooLarge as error:
                at = named(batch, error.doc_id)
                if at is None or batch[at].apart is not None:
                    raise
                todo[at] = to_wire(batch[at].entry, 0)
                continue
            except StoreUnavailable:
                # What was stored of it answers "conflict" the next time, which is as good.
                again = batch
                if failures + 1 == _ATTEMPTS:
                    raise
            failures = failures + 1 if again else 0
            todo = again + todo[len(batch) :]
            if again:
                if failures == _ATTEMPTS:
                    raise StoreUnavailable("The database does not take all records.")
                await asyncio.sleep(pause_s(failures, self._http.jitter()))

    async def close_place(self, shard: Shard, state: State, rollups: Sequence[Rollup]) -> None:
        """Make *rollups* the bill of a place, behind all of its records."""
        sums_database = self._settings.prefix + layout.SUMS
        for at in range(0, len(rollups), _SUMS_AT_ONCE):
            docs = [
                {"_id": layout.sums_id(each, shard, 0)} | sums_body(each, shard, 0)
                for each in rollups[at : at + _SUMS_AT_ONCE]
            ]
            rows = (await self._http.bulk(sums_database, codec.encode({"docs": docs}))).json()
            if any("error" in row for row in rows):
                raise StoreUnavailable("The database does not take all sums.")
        known = Known(state, closed_ms=self._clock.now_ms(), runs=1, sums=sums(rollups))
        # A place of records has been made with the first of them; no other needs a database.
        rev = await self._rev_of(layout.shard_id(shard))
        await self._http.write(
            "PUT", self._settings.prefix + layout.META, layout.shard_id(shard),
            query=None if rev is None else {"rev": rev}, body=codec.encode(body_of(known)),
        )  # fmt: skip

    async def know_secret(self, mark: str) -> None:
        """Write down by what the secret is known that the keys are encrypted under."""
        await self._meta.create(KNOWN_BY, {"mark": mark})

    async def end(self) -> None:
        """Open the stores to everybody."""
        marker = await self._meta.get(RESTORING)
        await self._meta.delete(RESTORING, marker.rev)

    async def close(self) -> None:
        """Let everything go. Idempotent."""
        self._admin.close()
        await self._http.close()

    async def _rev_of(self, doc_id: str) -> str | None:
        try:
            path = (self._settings.prefix + layout.META, doc_id)
            return known_of((await self._http.read("GET", *path)).json()).rev
        except Missing:
            return None

    def _plans(self) -> Sequence[layout.Plan]:
        return layout.fixed_plans(self._settings.prefix, self._settings.member)

    def _documents(self, name: str) -> CouchDocStore:
        return CouchDocStore(name, self._http, self._settings, self._clock)

    async def _require_empty(self) -> bool:
        """Tell whether a restore was broken off here. Raises `NotEmpty`, `LayoutUnknown`."""
        contents = CouchContents(self._settings, self._clock)
        try:
            schema.version_of(await schema.said(self._meta, SCHEMA), schema.LAYOUT)
            if await schema.said(self._meta, RESTORING) is not None:
                return True
            with contextlib.suppress(DatabaseMissing):
                if held := await what_is_in(contents):
                    raise NotEmpty(f"The databases {self._settings.prefix}* are not empty: {held}.")
            return False
        finally:
            await contents.close()

    async def _wipe(self) -> None:
        """Delete what a restore makes; that it is under way stays written down."""
        prefix = self._settings.prefix
        fixed = {plan.name for plan in self._plans()} - {prefix + layout.META}
        present = await self._admin.databases()
        days = {
            name
            for name in present
            if name.startswith(f"{prefix}act_")
            and shard_of(name.removeprefix(f"{prefix}act_")) is not None
        }
        await self._admin.drop(fixed.intersection(present) | days)
        rows = (await self._http.read("GET", prefix + layout.META, "_all_docs")).json()["rows"]
        gone = [
            {"_id": row["id"], "_rev": row["value"]["rev"], "_deleted": True}
            for row in rows
            if row["id"] not in (RESTORING, SCHEMA)
        ]
        if gone:
            await self._http.bulk(prefix + layout.META, codec.encode({"docs": gone}))

    async def _sent(self, database: str, batch: Sequence[Wire]) -> list[Wire]:
        """Send one bulk, and return those of its records that are to be sent again."""
        for wire in batch:
            if wire.apart is not None:
                with contextlib.suppress(Conflict):  # it is there already
                    await self._http.write(
                        "PUT", database, apart_id(sha256(wire.apart).hexdigest()), ATTACHMENT,
                        body=wire.apart, content_type="application/octet-stream",
                    )  # fmt: skip
        body = b'{"docs":[' + b",".join(wire.body for wire in batch) + b"]}"
        found = sorted_rows(batch, (await self._http.bulk(database, body)).json())
        if found.never:
            raise Corrupted(f"The database forbids the record {found.never[0].doc_id}.")
        return found.again


def _one_bulk(todo: Sequence[Wire], settings: CouchdbSettings) -> list[Wire]:
    batch: list[Wire] = []
    size_bytes = 0
    for wire in todo[: settings.bulk_records]:
        size_bytes += len(wire.body)
        if batch and size_bytes > settings.bulk_bytes:
            break
        batch.append(wire)
    return batch
