"""What the databases of a cluster hold, read beside processes that may be running.

CouchDB has no moment that spans documents. So the documents of a database are read onto this
machine's disk, and then their revisions once more: if none has changed in between, it was all of
one moment. Records never change; what is added to a day while it is read may be read or not.

The spools of the cluster's processes are on their machines and are not looked at.
"""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from common import codec
from common.clock import Clock
from common.ids import DocId, Namespace
from common.settings import CouchdbSettings
from common.store import couch_layout as layout
from common.store import couch_walk
from common.store.contents import (
    Database,
    Disturbed,
    HeldCode,
    HeldDocument,
    HeldRecord,
    HeldSums,
    Place,
)
from common.store.couch_blobs import ATTACHMENT as CODE_ATTACHMENT
from common.store.couch_faults import DatabaseMissing
from common.store.couch_http import CouchHttp
from common.store.couch_records import APART, ATTACHMENT, apart_id, apart_of, from_wire, rollup_of
from common.store.couch_states import known_of
from common.store.port import Corrupted, Missing, StoreUnavailable
from common.store.rollups import Sums, hours_of, rolled
from common.store.shard import Shard, State

_PAGE: Final = 200
_ATTEMPTS: Final = 5


class CouchContents:
    """See `common.store.contents.Contents`."""

    kind = "couchdb"

    def __init__(self, settings: CouchdbSettings, clock: Clock) -> None:
        self._http = CouchHttp(settings, clock)
        self._prefix = settings.prefix

    def __repr__(self) -> str:
        return f"<CouchContents {self._prefix}>"

    async def about(self) -> Mapping[DocId, dict[str, Any]]:
        """Return what the stores say of themselves. Raises `StoreUnavailable`."""
        about: dict[DocId, dict[str, Any]] = {}
        try:
            async for wrapped in self._walk(layout.META):
                if layout.shard_of_id(wrapped["_id"]) is None:
                    held = _held(wrapped)
                    about[held.id] = held.body
        except DatabaseMissing as error:
            raise StoreUnavailable(
                f"There are no databases here whose names begin with {self._prefix}."
            ) from error
        return about

    async def damage(self) -> Sequence[str]:
        """Return nothing: CouchDB does not tell."""
        return []

    async def documents(self, database: Database) -> AsyncIterator[HeldDocument]:
        """Yield the documents of one moment, in the order of their ids.

        Raises `StoreUnavailable`, `Disturbed`.
        """
        for _ in range(_ATTEMPTS):
            with tempfile.TemporaryFile() as file:
                read = sha256()
                async for wrapped in self._walk(database):
                    held = _held(wrapped)
                    fields = [held.id, held.body, held.conflicts, held.fault]
                    file.write(codec.encode(fields) + b"\n")
                    read.update(f"{wrapped['_id']} {wrapped['_rev']}\n".encode())
                again = sha256()
                async for row in self._rows(database, {}):
                    again.update(f"{row['id']} {row['value']['rev']}\n".encode())
                if again.digest() != read.digest():
                    continue
                file.seek(0)
                for line in file:
                    yield HeldDocument(*codec.decode(line))
                return
        raise Disturbed

    async def code(self) -> AsyncIterator[HeldCode]:
        """Yield all code, one at a time in memory."""
        async for doc in self._walk(layout.CODE):
            # Without an attachment it is what a crash left, and nothing names it.
            if CODE_ATTACHMENT in doc.get("_attachments", {}):
                data = await self._attachment(layout.CODE, doc["_id"], CODE_ATTACHMENT)
                digest = doc["_id"].removeprefix("sha256-")
                is_right = sha256(data).hexdigest() == digest
                yield HeldCode(digest, data, "" if is_right else "It is not what was stored.")

    async def states(self) -> Mapping[Shard, State]:
        """Return every place that is known, and its state, as it is now."""
        found: dict[Shard, State] = {}
        async for doc in self._walk(layout.META):
            shard = layout.shard_of_id(doc["_id"])
            if shard is not None:
                found[shard] = known_of(doc).state
        return found

    async def sums(self, shard: Shard) -> HeldSums:
        """Return what a closed place is billed for, all its runs together."""
        path = (self._prefix + layout.META, layout.shard_id(shard))
        known = known_of((await self._http.read("GET", *path)).json())
        rollups = [rollup_of(doc) async for doc in self._sums_of(shard) if doc["run"] < known.runs]
        rows = ((each.namespace, row) for each in rollups for row in hours_of(each))
        return HeldSums(tuple(rolled(rows)), known.sums)

    async def places(self) -> Sequence[Place]:
        """Return where there are records, the late first."""
        there = [shard for shard, state in (await self.states()).items() if state.has_records]
        return sorted(there, key=lambda shard: (not shard.is_late, shard.day))

    async def records(self, place: Place) -> AsyncIterator[HeldRecord]:
        """Yield each record of a place."""
        if place is None:
            return
        database = f"act_{place.text}"
        async for doc in self._walk(database):
            record_id: str = doc["_id"]
            if record_id.startswith(f"{APART}/"):
                continue
            conflicts = len(doc.pop("_conflicts", ()))
            path = str(doc.get("path", ""))
            try:
                digest = apart_of(doc)
                if digest is None:
                    document = from_wire(doc)
                else:
                    document = await self._attachment(database, apart_id(digest), ATTACHMENT)
                yield HeldRecord(record_id, document, path, conflicts)
            except (Corrupted, Missing) as error:
                yield HeldRecord(record_id, b"", path, conflicts, fault=str(error))

    async def ledger(self, place: Place) -> Mapping[Namespace, Sums]:
        """Return what the records of *place* come to."""
        if place is None:
            return {}
        design, view = layout.USAGE
        path = (f"{self._prefix}act_{place.text}", "_design", design, "_view", view)
        try:
            answer = await self._http.read("GET", *path, query={"group_level": 1})
        except DatabaseMissing:
            return {}
        rows = answer.json()["rows"]
        return {Namespace(row["key"][0]): Sums(*map(int, row["value"])) for row in rows}

    async def close(self) -> None:
        """Let everything go. Idempotent."""
        await self._http.close()

    async def _attachment(self, database: str, doc_id: str, name: str) -> bytes:
        return (await self._http.read("GET", self._prefix + database, doc_id, name)).body

    async def _sums_of(self, shard: Shard) -> AsyncIterator[dict[str, Any]]:
        asked = {"selector": {"shard": shard.text}, "use_index": list(layout.BY_SHARD)}
        skip = 0
        while True:
            answer = await self._http.read(
                "POST", self._prefix + layout.SUMS, "_find",
                value=asked | {"limit": _PAGE, "skip": skip},
            )  # fmt: skip
            docs = answer.json()["docs"]
            for doc in docs:
                yield doc
            if len(docs) < _PAGE:
                return
            skip += len(docs)

    async def _walk(self, database: str) -> AsyncIterator[dict[str, Any]]:
        asked = {"include_docs": True, "conflicts": True}
        async for row in self._rows(database, asked):
            if row.get("doc") is not None:
                yield row["doc"]

    async def _rows(self, database: str, asked: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield rows that are no design documents. Raises `Disturbed` when they go meanwhile."""
        has_begun = False
        try:
            async for row in couch_walk.rows(
                self._http, self._prefix + database, asked, page=_PAGE
            ):
                has_begun = True
                if not row["id"].startswith("_design/"):
                    yield row
        except DatabaseMissing:
            if database == layout.META:
                raise
            if has_begun:
                raise Disturbed(f"The database {database} was deleted meanwhile.") from None


def _held(wrapped: dict[str, Any]) -> HeldDocument:
    doc_id, conflicts = DocId(wrapped["_id"]), len(wrapped.get("_conflicts", ()))
    body = wrapped.get("body")
    if isinstance(body, dict):
        return HeldDocument(doc_id, body, conflicts)
    return HeldDocument(doc_id, {}, conflicts, f"The document {doc_id} is not one of ours.")
