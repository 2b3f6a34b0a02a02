"""The databases of the days: which there are, making one in time, and what is asked of one.

A day is ready when `meta` says so: that document is written last, behind the database and its
indexes. Who writes makes the day, whichever process it is. Which days there are is read anew every
five seconds, because others make them too; a day that was dropped answers as if it were empty.

A list goes by an index of the start, newest first: first ids and starts, which are in the index
itself, then the bodies of those that are on the page. Both requests are made of every process's
newest state: an index is brought up to date before it answers.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from common.clock import Clock
from common.ids import ActivationId, DocId, Namespace
from common.log import logger
from common.settings import CouchdbSettings
from common.store import couch_layout as layout
from common.store.couch_admin import CouchAdmin
from common.store.couch_faults import DatabaseMissing
from common.store.couch_http import CouchHttp
from common.store.couch_records import usage_row
from common.store.days import bounds
from common.store.ledger import HourUsage
from common.store.port import ActivationFilter, Conflict, StoreUnavailable

_FRESH_S: Final = 5.0
_PAGE: Final = 500
_KEYS_AT_ONCE: Final = 1000
_DAY_RANGE: Final = {"startkey": "shard/", "endkey": "shard0"}
_log: Final = logger(__name__)


class Shards:
    """The databases of records. Belongs to one event loop."""

    def __init__(
        self, http: CouchHttp, admin: CouchAdmin, settings: CouchdbSettings, clock: Clock
    ) -> None:
        self._http = http
        self._admin = admin
        self._prefix = settings.prefix
        self._clock = clock
        self._days: frozenset[int] = frozenset()
        self._fresh_until_s = float("-inf")
        self._made: set[int] = set()
        self._missing: set[int] = set()
        self._making = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Shards {len(self._days)} days>"

    def name(self, day: int) -> str:
        """Return the name of a day's database."""
        return layout.day_plan(self._prefix, day).name

    async def days(self) -> frozenset[int]:
        """Return the days that have a database. Raises `StoreUnavailable`, `Denied`."""
        if self._clock.elapsed_s() >= self._fresh_until_s:
            try:
                answer = await self._http.read(
                    "GET", self._prefix + layout.META, "_all_docs", query=_DAY_RANGE
                )
                rows = answer.json()["rows"]
            except DatabaseMissing:
                rows = []
            found = (layout.day_of_shard(row["id"]) for row in rows)
            self._days = frozenset(day for day in found if day is not None)
            self._fresh_until_s = self._clock.elapsed_s() + _FRESH_S
        return (self._days | self._made) - self._missing

    async def ensure(self, day: int) -> str:
        """Return the name of a day's database, which is made if need be.

        Raises `StoreUnavailable`, `Denied`.
        """
        if day not in self._made:
            async with self._making:
                if day not in await self.days():
                    await self._make(day)
                self._missing.discard(day)
                self._made.add(day)
        return self.name(day)

    def forget(self, day: int) -> None:
        """Make a day's database anew when it is written next: somebody has dropped it."""
        self._made.discard(day)
        self._missing.add(day)

    async def documents(self, day: int, ids: Sequence[DocId]) -> dict[str, dict[str, Any]]:
        """Return the documents of those *ids* that are in this day."""
        found: dict[str, dict[str, Any]] = {}
        for row in await self._rows_of(day, ids, with_documents=True):
            if row.get("doc") is not None:
                found[row["id"]] = row["doc"]
        return found

    async def present(self, day: int, ids: Sequence[DocId]) -> set[str]:
        """Return those of *ids* that are in this day."""
        rows = await self._rows_of(day, ids, with_documents=False)
        return {row["id"] for row in rows if "value" in row and not row["value"].get("deleted")}

    async def attachment(self, day: int, doc_id: str, name: str) -> bytes:
        """Return an attachment. Raises `Missing`, `StoreUnavailable`."""
        return (await self._http.read("GET", self.name(day), doc_id, name)).body

    async def newest(
        self, day: int, wanted: ActivationFilter, limit: int
    ) -> list[tuple[int, ActivationId]]:
        """Return start and id of matching records of this day, newest start first."""
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
        asked = {
            "selector": selector,
            "sort": [{field: "desc"} for field in order],
            "fields": ["_id", "start"],
            "use_index": list(index),
            "limit": limit,
        }
        try:
            answer = (await self._http.read("POST", self.name(day), "_find", value=asked)).json()
        except DatabaseMissing:
            self.forget(day)
            return []
        if "warning" in answer:
            _log.warning("couchdb_index_not_used", database=self.name(day), text=answer["warning"])
        return [
            (doc["start"], ActivationId(doc["_id"].rpartition("/")[2])) for doc in answer["docs"]
        ]

    async def usage(
        self, day: int, namespace: Namespace, first_hour: int, end_hour: int
    ) -> list[HourUsage]:
        """Return the sums of this day from *first_hour* to before *end_hour*."""
        query = {
            "group": True,
            "startkey": [namespace, first_hour],
            "endkey": [namespace, end_hour],
        }
        design, view = layout.USAGE
        try:
            answer = await self._http.read(
                "GET", self.name(day), "_design", design, "_view", view, query=query
            )
        except DatabaseMissing:
            self.forget(day)
            return []
        rows = (usage_row(row, namespace) for row in answer.json()["rows"])
        return [row for row in rows if row is not None]

    async def every(self, day: int, namespace: Namespace) -> AsyncIterator[dict[str, Any]]:
        """Yield every record of a namespace in this day; pages shrink when they take too long."""
        asked: dict[str, Any] = layout.namespace_range(namespace) | {"include_docs": True}
        page = _PAGE
        while True:
            try:
                answer = await self._http.read(
                    "GET", self.name(day), "_all_docs", query=asked | {"limit": page}
                )
            except DatabaseMissing:
                self.forget(day)
                return
            except StoreUnavailable:
                if page == 1:
                    raise
                page = max(page // 8, 1)
                continue
            rows = answer.json()["rows"]
            for row in rows:
                yield row["doc"]
            if len(rows) < page:
                return
            # The least string behind the last id.
            asked["startkey"] = rows[-1]["id"] + "\0"

    async def _rows_of(
        self, day: int, ids: Sequence[DocId], *, with_documents: bool
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for at in range(0, len(ids), _KEYS_AT_ONCE):
            try:
                answer = await self._http.read(
                    "POST",
                    self.name(day),
                    "_all_docs",
                    query={"include_docs": with_documents},
                    value={"keys": ids[at : at + _KEYS_AT_ONCE]},
                )
            except DatabaseMissing:
                self.forget(day)
                return []
            rows += answer.json()["rows"]
        return rows

    async def _make(self, day: int) -> None:
        plan = layout.day_plan(self._prefix, day)
        await self._admin.prepare([plan])
        try:
            await self._http.write(
                "PUT", self._prefix + layout.META, layout.shard_id(day), body=b'{"state":"open"}'
            )
        except Conflict:
            _log.debug("day_is_made_already", database=plan.name)
