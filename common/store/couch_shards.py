"""What is asked of the database of one place.

A list goes by an index of the start, newest first: first ids and starts, which are in the index
itself, then the bodies of those that are on the page. Both requests are made of every process's
newest state: an index is brought up to date before it answers. A place whose database is gone
answers as if it were empty, and `common.store.couch_states` is told.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from common.ids import ActivationId, DocId, Namespace
from common.log import logger
from common.store import couch_layout as layout
from common.store import couch_walk
from common.store.couch_faults import DatabaseMissing
from common.store.couch_http import CouchHttp
from common.store.couch_records import APART, usage_row
from common.store.couch_states import States
from common.store.days import bounds
from common.store.ledger import HourUsage
from common.store.port import ActivationFilter
from common.store.rollups import Owned
from common.store.shard import Shard

_PAGE: Final = 500
_ROWS: Final = 2000
_KEYS_AT_ONCE: Final = 1000
_log: Final = logger(__name__)


class Shards:
    """The databases of records. Belongs to one event loop."""

    def __init__(self, http: CouchHttp, states: States) -> None:
        self._http = http
        self._states = states

    def __repr__(self) -> str:
        return f"<Shards {self._states!r}>"

    async def documents(self, shard: Shard, ids: Sequence[DocId]) -> dict[str, dict[str, Any]]:
        """Return the documents of those *ids* that are in this place."""
        found: dict[str, dict[str, Any]] = {}
        for row in await self._rows_of(shard, ids, with_documents=True):
            if row.get("doc") is not None:
                found[row["id"]] = row["doc"]
        return found

    async def present(self, shard: Shard, ids: Sequence[DocId]) -> set[str]:
        """Return those of *ids* that are in this place."""
        rows = await self._rows_of(shard, ids, with_documents=False)
        return {row["id"] for row in rows if "value" in row and not row["value"].get("deleted")}

    async def attachment(self, shard: Shard, doc_id: str, name: str) -> bytes:
        """Return an attachment. Raises `Missing`, `StoreUnavailable`."""
        return (await self._http.read("GET", self._states.database(shard), doc_id, name)).body

    async def newest(
        self, shard: Shard, wanted: ActivationFilter, limit: int
    ) -> list[tuple[int, ActivationId]]:
        """Return start and id of matching records of this place, newest start first."""
        since, upto = bounds(wanted.since_ms, wanted.upto_ms)
        selector: dict[str, Any] = {
            "namespace": wanted.namespace,
            "start": {"$gte": since, "$lte": upto},
        }
        index = layout.BY_START
        if wanted.name is not None:
            selector["path"] = wanted.name
            index = layout.BY_PATH
        order = ("namespace", "start") if wanted.name is None else ("namespace", "path", "start")
        database = self._states.database(shard)
        asked = {
            "selector": selector,
            "sort": [{field: "desc"} for field in order],
            "fields": ["_id", "start"],
            "use_index": list(index),
            "limit": limit,
        }
        try:
            answer = (await self._http.read("POST", database, "_find", value=asked)).json()
        except DatabaseMissing:
            self._states.forget(shard)
            return []
        if "warning" in answer:
            _log.warning("couchdb_index_not_used", database=database, text=answer["warning"])
        return [
            (doc["start"], ActivationId(doc["_id"].rpartition("/")[2])) for doc in answer["docs"]
        ]

    async def usage(
        self, shard: Shard, namespace: Namespace, first_hour: int, end_hour: int
    ) -> list[HourUsage]:
        """Return the sums of this place from *first_hour* to before *end_hour*."""
        query = {
            "group": True,
            "startkey": [namespace, first_hour],
            "endkey": [namespace, end_hour],
        }
        design, view = layout.USAGE
        try:
            answer = await self._http.read(
                "GET", self._states.database(shard), "_design", design, "_view", view, query=query
            )
        except DatabaseMissing:
            self._states.forget(shard)
            return []
        rows = map(usage_row, answer.json()["rows"])
        # Unicode's collation takes some strings for equal that are not.
        return [row for owner, row in rows if owner == namespace]

    async def freshen(self, shard: Shard) -> None:
        """Have the index of usage brought up to date, which may take long after a burst."""
        await self.usage(shard, Namespace(""), 0, 0)

    async def everybodys_usage(self, shard: Shard) -> list[Owned]:
        """Return all sums of this place. Raises `DatabaseMissing`, `StoreUnavailable`."""
        design, view = layout.USAGE
        path = (self._states.database(shard), "_design", design, "_view", view)
        asked: dict[str, Any] = {"group": True, "limit": _ROWS}
        found: list[Owned] = []
        while True:
            rows = (await self._http.read("GET", *path, query=asked)).json()["rows"]
            found += map(usage_row, rows)
            if len(rows) < _ROWS:
                return found
            asked |= {"startkey": rows[-1]["key"], "skip": 1}

    async def records(self, shard: Shard) -> int:
        """Return how many records this place has; they are counted without the view.

        Raises `DatabaseMissing`, `StoreUnavailable`.
        """
        path = ("GET", self._states.database(shard), "_all_docs")
        documents = (await self._http.read(*path, query={"limit": 0})).json()["total_rows"]
        others = 0
        for prefix in ("_design", APART):
            asked = {"startkey": f"{prefix}/", "endkey": f"{prefix}0"}
            others += len((await self._http.read(*path, query=asked)).json()["rows"])
        return int(documents) - others

    async def every(self, shard: Shard, namespace: Namespace) -> AsyncIterator[dict[str, Any]]:
        """Yield every record of a namespace in this place; pages shrink when they take too long."""
        asked = layout.namespace_range(namespace) | {"include_docs": True}
        try:
            async for row in couch_walk.rows(
                self._http, self._states.database(shard), asked, page=_PAGE
            ):
                yield row["doc"]
        except DatabaseMissing:
            self._states.forget(shard)

    async def _rows_of(
        self, shard: Shard, ids: Sequence[DocId], *, with_documents: bool
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for at in range(0, len(ids), _KEYS_AT_ONCE):
            try:
                answer = await self._http.read(
                    "POST",
                    self._states.database(shard),
                    "_all_docs",
                    query={"include_docs": with_documents},
                    value={"keys": ids[at : at + _KEYS_AT_ONCE]},
                )
            except DatabaseMissing:
                self._states.forget(shard)
                return []
            rows += answer.json()["rows"]
        return rows
