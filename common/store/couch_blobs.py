"""Code in CouchDB: one document per digest, the bytes as its attachment.

The document is written first, the attachment second; a document without its attachment is what a
crash left, and is finished by whoever writes the same code next. Nothing names a blob before its
`put` has returned. Writing a blob that is there already renews its date, so that a sweep which
began before does not take it away: the sweep deletes the revision that it saw, and no other.
"""

import asyncio
from collections.abc import Container
from hashlib import sha256
from typing import Any, Final

from common import codec, metrics
from common.clock import Clock
from common.entity.action import BlobRef
from common.settings import CouchdbSettings
from common.store import couch_layout as layout
from common.store.couch_faults import pause_s
from common.store.couch_http import CouchHttp
from common.store.port import Conflict, Corrupted, Missing, StoreUnavailable

ATTACHMENT: Final = "code"
# Anything that is text would be packed by the server, at its cost.
_CONTENT_TYPE: Final = "application/octet-stream"
_PAGE: Final = 500
_SHA256: Final = "sha256-"


class CouchBlobStore:
    """See `common.store.port.BlobStore`."""

    def __init__(self, http: CouchHttp, settings: CouchdbSettings, clock: Clock) -> None:
        self._http = http
        self._database = settings.prefix + layout.CODE
        self._retry_s = settings.retry_s
        self._clock = clock

    def __repr__(self) -> str:
        return f"<CouchBlobStore {self._database}>"

    async def put(self, data: bytes) -> BlobRef:
        """Keep *data*; durable when this returns. Idempotent.

        Raises `StoreUnavailable`, `TooLarge`.
        """
        ref = BlobRef(sha256(data).hexdigest(), len(data))
        failures = 0
        give_up_s = self._clock.elapsed_s() + self._retry_s
        while True:
            try:
                await self._put_once(ref, data)
                return ref
            except Conflict:
                failures += 1  # Somebody else writes the same: look again what is still to be done.
                wait_s = pause_s(failures, self._http.jitter())
            except StoreUnavailable:
                # It is the same bytes however often they are written.
                failures += 1
                wait_s = pause_s(failures, self._http.jitter())
                if self._http.is_degraded or self._clock.elapsed_s() + wait_s >= give_up_s:
                    raise
                metrics.COUCHDB_RETRIES.inc()
            await asyncio.sleep(wait_s)

    async def get(self, ref: BlobRef) -> bytes:
        """Return the bytes, their digest checked. Raises `Missing`, `Corrupted`."""
        answer = await self._http.read("GET", self._database, _doc_id(ref.sha256), ATTACHMENT)
        if sha256(answer.body).hexdigest() != ref.sha256:
            raise Corrupted(f"The code {ref.sha256} is not what was stored.")
        return answer.body

    async def sweep(self, live: Container[str], *, older_than_ms: int) -> int:
        """Delete blobs that are not *live* and were written before; return how many."""
        deleted = 0
        first = ""
        while True:
            answer = await self._http.read(
                "GET",
                self._database,
                "_all_docs",
                query={"startkey": first, "limit": _PAGE, "include_docs": True},
            )
            rows = answer.json()["rows"]
            dead = [
                {"_id": row["id"], "_rev": row["doc"]["_rev"], "_deleted": True}
                for row in rows
                if row["id"].startswith(_SHA256) and _is_dead(row["doc"], live, older_than_ms)
            ]
            if dead:
                outcome = await self._http.bulk(self._database, codec.encode({"docs": dead}))
                # A conflict: its date was renewed meanwhile, so somebody needs it.
                deleted += sum("error" not in row for row in outcome.json())
            if len(rows) < _PAGE:
                return deleted
            first = rows[-1]["id"] + "\0"

    async def _put_once(self, ref: BlobRef, data: bytes) -> None:
        doc_id = _doc_id(ref.sha256)
        there = await self._find(doc_id)
        fresh: dict[str, Any] = {"created": self._clock.now_ms(), "size": ref.size}
        if there is None:
            answer = await self._http.write("PUT", self._database, doc_id, body=codec.encode(fresh))
            await self._attach(doc_id, answer.json()["rev"], data)
        elif ATTACHMENT in there.get("_attachments", {}):
            # With the stub of the attachment: a document that does not name it has lost it.
            renewed = fresh | {"_attachments": there["_attachments"]}
            await self._http.write(
                "PUT", self._database, doc_id,
                query={"rev": there["_rev"]}, body=codec.encode(renewed),
            )  # fmt: skip
        else:
            await self._attach(doc_id, there["_rev"], data)

    async def _attach(self, doc_id: str, rev: str, data: bytes) -> None:
        await self._http.write(
            "PUT", self._database, doc_id, ATTACHMENT,
            query={"rev": rev}, body=data, content_type=_CONTENT_TYPE,
        )  # fmt: skip

    async def _find(self, doc_id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = (await self._http.read("GET", self._database, doc_id)).json()
        except Missing:
            return None
        return found


def _doc_id(digest: str) -> str:
    return f"{_SHA256}{digest}"


def _is_dead(doc: dict[str, Any], live: Container[str], older_than_ms: int) -> bool:
    digest = doc["_id"].removeprefix(_SHA256)
    return digest not in live and doc.get("created", 0) < older_than_ms
