"""Documents in CouchDB: revisions are the server's, lists go by an index, and a write is known.

A document is wrapped: its body under `body`, beside it what lists select and order by. So a body
may have any field, also one that CouchDB keeps for itself, and comes back as it was.

Every write carries a mark of its own. When the answer to a write is lost, the document says
whether it was made: if it has the mark, it was. So a write is sent again while the database is away
for a moment, and nobody is told of a conflict with himself.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from common import codec, metrics
from common.clock import Clock
from common.ids import DocId, Namespace, Rev
from common.log import logger
from common.settings import CouchdbSettings
from common.store import couch_layout as layout
from common.store import couch_walk
from common.store.couch_faults import Ambiguous, Refused, pause_s
from common.store.couch_http import CouchHttp
from common.store.port import Body, Conflict, Corrupted, Doc, Missing, StoreUnavailable

_REV: Final = re.compile(r"[1-9][0-9]*-[0-9a-f]{32}\Z")
# Beyond this a number is not exact everywhere.
_END_OF_TIME_MS: Final = 1 << 53
# A walk over an index whose rows are a few bytes each.
_PAGE: Final = 200
_COUNTED_AT_ONCE: Final = 10_000
_WRITTEN_BUT_NOT_EVERYWHERE: Final = 202
_log: Final = logger(__name__)


class CouchDocStore:
    """Documents of one database. See `common.store.port.DocStore`."""

    def __init__(self, name: str, http: CouchHttp, settings: CouchdbSettings, clock: Clock) -> None:
        self._database = settings.prefix + name
        self._http = http
        self._retry_s = settings.retry_s
        self._clock = clock

    def __repr__(self) -> str:
        return f"<CouchDocStore {self._database}>"

    async def get(self, doc_id: DocId) -> Doc:
        """Return the newest revision. Raises `Missing`, `Corrupted`, `StoreUnavailable`."""
        return _doc(doc_id, await self._wrapped(doc_id))

    async def create(self, doc_id: DocId, body: Body) -> Rev:
        """Write a new document and return its revision. Raises `Conflict` if there is one."""
        return await self._write(doc_id, None, body)

    async def replace(self, doc_id: DocId, rev: Rev, body: Body) -> Rev:
        """Write over revision *rev*. Raises `Conflict` when that is not the newest, `Missing`."""
        await self._require_a_revision(doc_id, rev)
        try:
            return await self._write(doc_id, rev, body)
        except Conflict:
            await self._wrapped(doc_id)  # which is missing, if it is
            raise

    async def delete(self, doc_id: DocId, rev: Rev) -> None:
        """Delete revision *rev*. Raises `Conflict` when that is not the newest, `Missing`."""
        await self._require_a_revision(doc_id, rev)
        failures = 0
        give_up_s = self._clock.elapsed_s() + self._retry_s
        while True:
            try:
                await self._http.write("DELETE", self._database, doc_id, query={"rev": rev})
                return
            except StoreUnavailable as error:
                failures += 1
                await self._wait_for_another_try(failures, give_up_s, error)
            except (Conflict, Missing):
                try:
                    await self._wrapped(doc_id)
                except Missing:
                    if failures:
                        return  # by a try of ours that went unheard, or by somebody else
                    raise
                raise

    async def list(
        self, namespace: Namespace, kind: str, *, package: str | None, limit: int, skip: int
    ) -> Sequence[dict[str, Any]]:
        """Return bodies of one kind, newest `updated` first; ties, the newest write first."""
        found = await self._find(namespace, kind, package, limit=limit, skip=skip)
        return [_doc(DocId(wrapped["_id"]), wrapped).body for wrapped in found]

    async def count(self, namespace: Namespace, kind: str, *, package: str | None) -> int:
        """Return how many documents `list` would walk."""
        counted = 0
        while True:
            found = await self._find(
                namespace, kind, package,
                limit=_COUNTED_AT_ONCE, skip=counted, fields=["updated"],
            )  # fmt: skip
            counted += len(found)
            if len(found) < _COUNTED_AT_ONCE:
                return counted

    async def every(self) -> AsyncIterator[Doc]:
        """Yield all documents, by their ids. Raises `StoreUnavailable`, `Corrupted`."""
        async for row in couch_walk.rows(
            self._http, self._database, {"include_docs": True}, page=_PAGE
        ):
            # An index is no document, and one may have been deleted just now.
            if row["doc"] is not None and not row["id"].startswith("_design/"):
                yield _doc(DocId(row["id"]), row["doc"])

    async def _wrapped(self, doc_id: DocId) -> dict[str, Any]:
        wrapped = (await self._http.read("GET", self._database, doc_id)).json()
        if not isinstance(wrapped, dict):
            raise Corrupted(f"The document {doc_id} is not an object.")
        return wrapped

    async def _require_a_revision(self, doc_id: DocId, rev: Rev) -> None:
        # What is no revision at all is no conflict for CouchDB, and an empty one is a new document.
        if _REV.match(rev) is None:
            await self._wrapped(doc_id)
            raise Conflict

    async def _write(self, doc_id: DocId, over: Rev | None, body: Body) -> Rev:
        mark = f"{self._clock.now_ns():x}-{int(self._http.jitter() * (1 << 32)):08x}"
        wrapped = _columns(body) | {
            "written": self._clock.now_ns() // 1000,
            "mark": mark,
            "body": dict(body),
        }
        text = codec.encode(wrapped)
        query = None if over is None else {"rev": over}
        is_doubtful = False
        failures = 0
        give_up_s = self._clock.elapsed_s() + self._retry_s
        while True:
            try:
                answer = await self._http.write(
                    "PUT", self._database, doc_id, query=query, body=text
                )
                if answer.status != _WRITTEN_BUT_NOT_EVERYWHERE:
                    return Rev(answer.json()["rev"])
                raise Ambiguous("Too few copies of the database have the change.")
            except Conflict:
                there = await self._rev_if_ours(doc_id, mark) if is_doubtful else None
                if there is None:
                    raise
                return there
            except StoreUnavailable as error:
                is_doubtful = is_doubtful or not isinstance(error, Refused)
                failures += 1
                await self._wait_for_another_try(failures, give_up_s, error)

    async def _rev_if_ours(self, doc_id: DocId, mark: str) -> Rev | None:
        try:
            wrapped = await self._wrapped(doc_id)
        except Missing:
            return None
        return Rev(wrapped["_rev"]) if wrapped.get("mark") == mark else None

    async def _wait_for_another_try(
        self, failures: int, give_up_s: float, error: StoreUnavailable
    ) -> None:
        wait_s = pause_s(failures, self._http.jitter())
        if self._http.is_degraded or self._clock.elapsed_s() + wait_s >= give_up_s:
            raise error
        metrics.COUCHDB_RETRIES.inc()
        await asyncio.sleep(wait_s)

    async def _find(
        self,
        namespace: Namespace,
        kind: str,
        package: str | None,
        *,
        limit: int,
        skip: int,
        fields: Sequence[str] = (),
    ) -> Sequence[Mapping[str, Any]]:
        selector: dict[str, Any] = {"ns": namespace, "kind": kind, "updated": {"$gte": 0}}
        order = ["ns", "kind", "updated", "written"]
        if package is not None:
            selector["package"] = package
            order.insert(2, "package")
        asked = {
            "selector": selector | {"written": {"$gte": 0}},
            "sort": [{field: "desc"} for field in order],
            "use_index": list(layout.BY_KIND if package is None else layout.BY_PACKAGE),
            "limit": limit,
            "skip": skip,
        }
        if fields:
            asked["fields"] = list(fields)
        answer = (await self._http.read("POST", self._database, "_find", value=asked)).json()
        if "warning" in answer:
            _log.warning("couchdb_index_not_used", database=self._database, text=answer["warning"])
        docs: Sequence[Mapping[str, Any]] = answer["docs"]
        return docs


def _doc(doc_id: DocId, wrapped: Mapping[str, Any]) -> Doc:
    body = wrapped.get("body")
    if not isinstance(body, dict):
        raise Corrupted(f"The document {doc_id} is not one of ours.")
    return Doc(doc_id, Rev(wrapped["_rev"]), body)


def _columns(body: Body) -> dict[str, Any]:
    """Return what a list selects and orders by; a field that is absent is in no index."""
    path, kind, updated = body.get("namespace"), body.get("entityType"), body.get("updated")
    namespace, slash, package = path.partition("/") if isinstance(path, str) else ("", "", "")
    is_time = isinstance(updated, int) and 0 <= updated < _END_OF_TIME_MS
    columns: dict[str, Any] = {"updated": int(updated or 0) if is_time else 0}
    if namespace:
        columns["ns"] = namespace
    if isinstance(kind, str):
        columns["kind"] = kind
    if slash:
        columns["package"] = package
    return columns
