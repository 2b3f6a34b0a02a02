"""All stores of a cluster: CouchDB, and a spool on this machine's disk.

Every process of the cluster opens them, each with a folder of its own. While CouchDB is away, what
was promised stays promised: records wait in the spool, also over a `kill -9`; documents and code
are refused with `StoreUnavailable`. It need not be there at the start either: what is missing of
its databases is made with the first record, or when a request finds that they are missing. A
process that is no server admin (`couchdb.member`) makes none: it waits until a controller has.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from common.clock import Clock
from common.log import logger
from common.settings import CouchdbSettings, StoreSettings
from common.store import couch_layout as layout
from common.store import schema
from common.store.couch_activations import CouchActivationStore
from common.store.couch_admin import CouchAdmin
from common.store.couch_blobs import CouchBlobStore
from common.store.couch_changes import CouchChanges
from common.store.couch_documents import CouchDocStore
from common.store.couch_http import CouchHttp
from common.store.couch_states import States
from common.store.port import (
    BlobStore,
    DayStore,
    DocStore,
    InvalidationBus,
    StoreError,
    StoreUnavailable,
)
from common.store.retention import coming

_log: Final = logger(__name__)


def steps(http: CouchHttp, admin: CouchAdmin, settings: CouchdbSettings) -> Sequence[schema.Step]:
    """Return what leads from the first layout to today's, which is the first.

    The databases that are always there have been made by then, with all of their indexes.
    """
    return ()


async def _make_for_others(states: States, clock: Clock) -> None:
    """Have the places that processes need which may make none, and let them in everywhere."""
    known = await states.all(fresh=True)
    for shard in coming(clock.now_ms(), known, for_others=True):
        await states.ensure(shard)
    await states.admit()


class CouchStores:
    """See `common.store.port.Stores`. Belongs to one event loop; made by `open`."""

    def __init__(
        self,
        *,
        http: CouchHttp,
        ahead: CouchHttp,
        admin: CouchAdmin,
        records: CouchActivationStore,
        couchdb: CouchdbSettings,
        clock: Clock,
        close_s: float,
    ) -> None:
        self.subjects: DocStore = CouchDocStore("subjects", http, couchdb, clock)
        self.entities: DocStore = CouchDocStore("entities", http, couchdb, clock)
        self.meta: DocStore = CouchDocStore(layout.META, http, couchdb, clock)
        self.blobs: BlobStore = CouchBlobStore(http, couchdb, clock)
        self.activations: DayStore = records
        self.changes: InvalidationBus = CouchChanges("entities", http, couchdb)
        self.subject_changes: InvalidationBus = CouchChanges("subjects", http, couchdb)
        self._records = records
        self._http = http
        self._ahead = ahead
        self._meta = couchdb.prefix + layout.META
        self._admin = admin
        self._close_s = close_s
        self._is_closed = False
        # Owned here: begun with the stores, awaited by `close`; it never outlives them.
        self._writing = asyncio.get_running_loop().create_task(records.run(), name="bulks")

    def __repr__(self) -> str:
        return f"<CouchStores {self._records!r}>"

    @property
    def pending_records(self) -> int:
        """Records that are in the spool only."""
        return self._records.pending

    @property
    def spool_bytes(self) -> int:
        """Size of the spool's files."""
        return self._records.spool_bytes

    @property
    def fault(self) -> StoreError | None:
        """Why the last write of records failed; None while writes succeed."""
        return self._records.fault

    @property
    def is_degraded(self) -> bool:
        """Whether the database has not answered for some seconds although it was asked."""
        return self._http.is_degraded

    @classmethod
    async def open(
        cls,
        folder: Path,
        couchdb: CouchdbSettings,
        settings: StoreSettings,
        clock: Clock,
    ) -> "CouchStores":
        """Open the stores; *folder* is for the spool, and made if need be.

        Records that a crash left in the spool are there at once, for readers, too. A database that
        is away is no error: it is brought to today's layout before anything else is sent to it.

        Raises `Corrupted`, `Denied`, `LayoutUnknown`, `RestoreUnfinished`; `StoreUnavailable` when
        the spool cannot be opened.
        """
        http = CouchHttp(couchdb, clock)
        ahead = CouchHttp(couchdb, clock)
        admin = CouchAdmin(couchdb)
        plans = layout.fixed_plans(couchdb.prefix, couchdb.member)
        meta = CouchDocStore(layout.META, ahead, couchdb, clock)

        async def prepare() -> None:
            written = await schema.said(meta, schema.SCHEMA)
            schema.require_usable(written, await schema.said(meta, schema.RESTORING))
            if couchdb.is_member:
                schema.require_brought_up(written)
                return
            await admin.prepare(plans)
            await schema.bring_up(meta, steps(ahead, admin, couchdb))
            if couchdb.member is not None:
                await _make_for_others(States(ahead, admin, couchdb, clock), clock)

        async def make(name: str) -> bool:
            if name not in {plan.name for plan in plans}:
                return False  # a day's: made with its first record
            await prepare()
            return True

        http.first = prepare
        http.make = make
        try:
            try:
                await http.require_ready()
            except StoreUnavailable as error:
                _log.warning("couchdb_is_away", why=str(error))
            records = CouchActivationStore(folder, http, admin, couchdb, clock)
        except BaseException:
            admin.close()
            await http.close()
            await ahead.close()
            raise
        return cls(
            http=http,
            ahead=ahead,
            admin=admin,
            records=records,
            couchdb=couchdb,
            clock=clock,
            close_s=settings.close_s,
        )

    async def check(self) -> None:
        """Return while the database answers and takes records; what is missing of it is made.

        Raises `StoreUnavailable`, `Denied`, `Invalid`.
        """
        await self._http.greet(self._meta)
        if self._records.fault is not None:
            raise StoreUnavailable(f"It takes no records: {self._records.fault}")

    async def check_spool(self) -> None:
        """Return while the spool takes records. Raises `StoreUnavailable`."""
        self._records.check_spool()

    async def close(self) -> None:
        """Flush and close; within the deadline of the settings. Idempotent.

        Records that the database does not take stay in the spool, for the next start.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._records.finish()
        _, late = await asyncio.wait((self._writing,), timeout=self._close_s)
        if late:
            self._writing.cancel()
            await asyncio.wait(late)
        try:
            await self._records.close()
        finally:
            self._admin.close()
            await self._http.close()
            await self._ahead.close()
        if not self._writing.cancelled():
            self._writing.result()
