"""All stores of the embedded platform, in one folder.

`meta.db` holds documents and code; `activations/` a file of records per day; `usage.db` which days
are closed, and what they come to; `spool/` the records that are not there yet. Which layout this
is, is said in `meta.db`, too (`common.store.schema`). One process may have them open: who opens the
folder holds its lock.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from common.clock import Clock
from common.settings import StoreSettings
from common.store import schema, sqlite_blobs, sqlite_documents
from common.store.port import (
    BlobStore,
    DayStore,
    DocStore,
    StoreError,
    StoreUnavailable,
)
from common.store.sqlite_activations import SqliteActivationStore
from common.store.sqlite_blobs import SqliteBlobStore
from common.store.sqlite_documents import SqliteDocStore
from common.store.sqlite_file import Readers, Writer


def steps(folder: Path, writer: Writer) -> Sequence[schema.Step]:
    """Return what leads from the first layout to today's, which is the first.

    folder: that of the stores, whose other files nobody has open yet. writer: of `meta.db`.
    """
    return ()


class DocumentsBeside(NamedTuple):
    """Documents that an operator changes beside a platform that runs."""

    subjects: DocStore
    meta: DocStore


class SqliteStores:
    """See `common.store.port.Stores`. Belongs to one event loop; made by `open`."""

    def __init__(
        self,
        *,
        documents: tuple[SqliteDocStore, SqliteDocStore, SqliteDocStore],
        blobs: SqliteBlobStore,
        activations: SqliteActivationStore,
        writer: Writer,
        readers: Readers,
        settings: StoreSettings,
    ) -> None:
        self.subjects: DocStore = documents[0]
        self.entities: DocStore = documents[1]
        self.meta: DocStore = documents[2]
        self.blobs: BlobStore = blobs
        self.activations: DayStore = activations
        self._records = activations
        self._writer = writer
        self._readers = readers
        self._settings = settings

    def __repr__(self) -> str:
        return f"<SqliteStores {self._records!r}>"

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

    @classmethod
    async def open(
        cls, folder: Path, settings: StoreSettings, clock: Clock, *, is_restore: bool = False
    ) -> "SqliteStores":
        """Open what is in *folder*; it is made if need be, and brought to today's layout.

        Records that a crash left in the spool are there at once, for readers, too.

        is_restore: also where a restore has not ended; for whoever does it.
        Raises `Corrupted`, `StoreUnavailable`, `LayoutUnknown`, `RestoreUnfinished`.
        """
        meta = _prepared(folder)
        said = sqlite_documents.bodies_before_opening(meta, "meta")
        restoring = None if is_restore else said.get(schema.RESTORING)
        schema.require_usable(said.get(schema.SCHEMA), restoring)
        tables = sqlite_documents.SCHEMA + sqlite_blobs.SCHEMA
        writer = Writer(meta, tables, at_once=settings.flush_records)
        readers = Readers()
        subjects, entities, about = (
            SqliteDocStore(name, meta, writer, readers) for name in ("subjects", "entities", "meta")
        )
        try:
            await schema.bring_up(about, steps(folder, writer))
            activations = SqliteActivationStore(folder, readers, settings, clock)
        except BaseException as error:
            await writer.close()
            await readers.close()
            if isinstance(error, OSError):
                raise StoreUnavailable(f"The records cannot be opened: {error}.") from error
            raise
        return cls(
            documents=(subjects, entities, about),
            blobs=SqliteBlobStore(meta, writer, readers, clock),
            activations=activations,
            writer=writer,
            readers=readers,
            settings=settings,
        )

    async def check(self) -> None:
        """Return while the database takes records. Raises `StoreUnavailable`."""
        if self._records.fault is not None:
            raise StoreUnavailable(f"It takes no records: {self._records.fault}")

    async def check_spool(self) -> None:
        """Return while the spool takes records. Raises `StoreUnavailable`."""
        self._records.check_spool()

    async def close(self) -> None:
        """Flush and close; within the deadline of the settings. Idempotent.

        Records that the database does not take stay in the spool, for the next start.
        """
        await self._records.close()
        try:
            async with asyncio.timeout(self._settings.close_s):
                await self._writer.close()
                await self._readers.close()
        except TimeoutError as error:
            raise StoreUnavailable("The stores are not closed: the disk is too slow.") from error


@asynccontextmanager
async def documents_beside(folder: Path, settings: StoreSettings) -> AsyncIterator[DocumentsBeside]:
    """Open the documents of what is in *folder*, also while a platform has it open.

    For an operator's change of a document or two: each waits its turn behind the platform's own
    writes, and is seen by the platform when it reads that document next.
    Raises `StoreUnavailable` where there are no stores, `Corrupted`, `LayoutUnknown`,
    `RestoreUnfinished`.
    """
    meta = folder / "meta.db"
    if not meta.exists():
        raise StoreUnavailable(f"There are no stores in {folder}.")
    said = sqlite_documents.bodies_before_opening(meta, "meta")
    schema.require_usable(said.get(schema.SCHEMA), said.get(schema.RESTORING))
    tables = sqlite_documents.SCHEMA + sqlite_blobs.SCHEMA
    writer, readers = Writer(meta, tables, at_once=settings.flush_records), Readers()
    try:
        yield DocumentsBeside(
            SqliteDocStore("subjects", meta, writer, readers),
            SqliteDocStore("meta", meta, writer, readers),
        )
    finally:
        await writer.close()
        await readers.close()


def _prepared(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"The folder {folder.name} cannot be made: {error}.") from error
    return folder / "meta.db"
