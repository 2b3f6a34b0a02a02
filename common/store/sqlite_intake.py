"""Fills the embedded stores from a backup, while nobody else has them open."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from common.append_log import Segment
from common.clock import Clock
from common.entity import activation_document
from common.ids import DocId
from common.settings import StoreSettings
from common.store import sqlite_book, sqlite_days
from common.store.contents import Database, NotEmpty, what_is_in
from common.store.port import DocStore, StoreUnavailable
from common.store.rollups import Rollup
from common.store.schema import LAYOUT, RESTORING, SCHEMA, version_of
from common.store.secrets_file import KNOWN_BY
from common.store.shard import Shard, State
from common.store.sqlite import SqliteStores
from common.store.sqlite_contents import SqliteContents
from common.store.sqlite_file import connect, transaction, translated
from common.store.waiting import Pending

# These records come from no spool.
_NO_SPOOL: Final = Segment(Path(), 0)


class SqliteIntake:
    """See `common.store.contents.Intake`. Whoever makes one holds the lock of the data folder."""

    def __init__(self, folder: Path, settings: StoreSettings, clock: Clock) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._opened: SqliteStores | None = None

    def __repr__(self) -> str:
        return f"<SqliteIntake {self._folder}>"

    async def begin(self, what: str) -> None:
        """Note that a restore of *what* is under way, and forget one that was broken off.

        Raises `NotEmpty`, `LayoutUnknown`, `Corrupted`, `StoreUnavailable`.
        """
        is_again = (self._folder / "meta.db").exists() and await self._require_empty()
        if is_again:
            self._wipe()
        stores = await SqliteStores.open(self._folder, self._settings, self._clock, is_restore=True)
        self._opened = stores
        if not is_again:
            await stores.meta.create(RESTORING, {"file": what})

    async def add_documents(
        self, database: Database, documents: Sequence[tuple[DocId, dict[str, Any]]]
    ) -> None:
        """Write documents, all of them new. Raises `Conflict` for one that is there."""
        stores = self._stores
        store: DocStore = {"subjects": stores.subjects, "entities": stores.entities}[database]
        # Together: they share transactions.
        await asyncio.gather(*(store.create(doc_id, body) for doc_id, body in documents))

    async def add_code(self, data: bytes) -> None:
        """Write code under its digest."""
        await self._stores.blobs.put(data)

    async def add_records(self, shard: Shard, documents: Sequence[bytes]) -> None:
        """Write records into their place; durable when this returns."""
        batch = [
            Pending(activation_document.decode(document), document, shard.day, _NO_SPOOL)
            for document in documents
        ]
        folder = self._folder / "activations"
        db = sqlite_days.open_shard(folder, shard)
        try:
            with translated(sqlite_days.file_of(folder, shard)):
                sqlite_days.insert(db, batch)
        finally:
            db.close()

    async def close_place(self, shard: Shard, state: State, rollups: Sequence[Rollup]) -> None:
        """Make *rollups* the bill of a place, behind all of its records."""
        path = self._folder / "usage.db"
        book, _ = sqlite_book.open_book(path)
        try:
            with translated(path):
                sqlite_book.seal(book, shard, rollups)
                sqlite_book.set_state(book, shard, state)
        finally:
            book.close()

    async def know_secret(self, mark: str) -> None:
        """Write down by what the secret is known that the keys are encrypted under."""
        await self._stores.meta.create(KNOWN_BY, {"mark": mark})

    async def end(self) -> None:
        """Open the stores to everybody."""
        marker = await self._stores.meta.get(RESTORING)
        await self._stores.meta.delete(RESTORING, marker.rev)

    async def close(self) -> None:
        """Let everything go. Idempotent."""
        if self._opened is not None:
            await self._opened.close()

    @property
    def _stores(self) -> SqliteStores:
        if self._opened is None:
            raise StoreUnavailable("The restore has not begun.")
        return self._opened

    async def _require_empty(self) -> bool:
        """Tell whether a restore was broken off here. Raises `NotEmpty`, `LayoutUnknown`."""
        contents = SqliteContents(self._folder)
        try:
            about = await contents.about()
            version_of(about.get(SCHEMA), LAYOUT)
            if RESTORING in about:
                return True
            if held := await what_is_in(contents):
                raise NotEmpty(f"The stores in {self._folder} are not empty: {held}.")
            return False
        finally:
            await contents.close()

    def _wipe(self) -> None:
        """Delete what a restore has written; that it is under way stays written down."""
        try:
            for name in ("activations", "spool"):
                shutil.rmtree(self._folder / name, ignore_errors=False, onerror=_unless_absent)
            for name in ("usage.db", "usage.db-wal", "usage.db-shm"):
                (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{error.filename} cannot be deleted: {error}.") from error
        path = self._folder / "meta.db"
        db = connect(path)
        try:
            with translated(path), transaction(db):
                db.execute(
                    "DELETE FROM doc WHERE NOT (db='meta' AND id IN (?, ?))", (RESTORING, SCHEMA)
                )
                db.execute("DELETE FROM blob")
        finally:
            db.close()


def _unless_absent(_function: Any, _path: str, raised: Any) -> None:
    if not isinstance(raised[1], FileNotFoundError):
        raise raised[1]
