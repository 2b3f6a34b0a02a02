"""What the files of the embedded stores hold, read beside a platform that may be running.

Each file is read in one transaction, which sees one moment of it and waits for nobody; all of them
begin together, documents first. A record never changes and its file has its bill, so files of
nearly one moment agree. This is in place of SQLite's backup interface, which would copy each file
to the disk once more before it could be read; the price is that the writer's log is not shortened
meanwhile.

What was in the spool before the first file was looked at is handed out last, unless it has arrived
in a file meanwhile.
"""

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from common.append_log import DamagedLog, entries, left_over
from common.entity import activation_document
from common.entity.activation_document import MalformedRecord
from common.ids import DocId, Namespace
from common.store import sqlite_book, sqlite_days
from common.store.contents import (
    WAITING,
    Database,
    HeldCode,
    HeldDocument,
    HeldRecord,
    HeldSums,
    Place,
)
from common.store.port import Corrupted, StoreUnavailable
from common.store.rollups import Sums
from common.store.shard import Shard, State
from common.store.sqlite_documents import body_of
from common.store.sqlite_file import reading, translated

# Enough of them say that a file is lost; each is a walk over its pages.
_MOST_COMPLAINTS: Final = 20


class SqliteContents:
    """See `common.store.contents.Contents`."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        """Look at the stores of *folder*. Raises `Corrupted`, `StoreUnavailable`."""
        self._meta = folder / "meta.db"
        self._book_path = folder / "usage.db"
        self._records = folder / "activations"
        self._waiting: dict[str, bytes] = {}
        self._spool_fault = ""
        if not self._meta.exists():
            raise StoreUnavailable(f"There are no stores in {folder}.")
        self._read_spool(folder / "spool")
        self._stack = ExitStack()
        self._files: dict[Shard, sqlite3.Connection] = {}
        self._damaged: dict[Shard, str] = {}
        try:
            self._documents = self._stack.enter_context(reading(self._meta))
            self._has_tables = bool(_tables(self._documents, self._meta) >= {"doc", "blob"})
            # Before the records: a day that is closed in between is open here, with all of them.
            self._book = self._opened_book()
            for shard in sorted(_shards_in(self._records)):
                path = self._path(shard)
                db = self._files[shard] = self._stack.enter_context(reading(path))
                try:
                    _tables(db, path)  # from here on it sees this moment
                except Corrupted as error:
                    self._damaged[shard] = str(error)
        except BaseException:
            self._stack.close()
            raise

    def __repr__(self) -> str:
        return f"<SqliteContents {self._meta.parent}>"

    async def about(self) -> Mapping[DocId, dict[str, Any]]:
        """Return what the stores say of themselves."""
        if not self._has_tables:
            return {}
        with translated(self._meta):
            rows = self._documents.execute("SELECT id, body FROM doc WHERE db='meta'").fetchall()
        return {DocId(doc_id): body_of(doc_id, text) for doc_id, text in rows}

    async def damage(self) -> Sequence[str]:
        """Return what SQLite finds wrong with the files, one line each."""
        found = [self._spool_fault] if self._spool_fault else []
        opened = {self._meta: self._documents}
        opened |= {} if self._book is None else {self._book_path: self._book}
        opened |= {self._path(shard): db for shard, db in self._files.items()}
        for path, db in opened.items():
            try:
                with translated(path):
                    said = db.execute(f"PRAGMA integrity_check({_MOST_COMPLAINTS})").fetchall()
                found += [f"{path.name}: {text}" for (text,) in said if text != "ok"]
            except Corrupted as error:
                found.append(str(error))
        return found

    async def documents(self, database: Database) -> AsyncIterator[HeldDocument]:
        """Yield the documents of one moment, in the order in which they were written."""
        if not self._has_tables:
            return
        with translated(self._meta):
            rows = self._documents.execute(
                "SELECT id, body FROM doc WHERE db=? ORDER BY seq", (database,)
            )
            for doc_id, text in rows:
                try:
                    yield HeldDocument(DocId(doc_id), body_of(doc_id, text))
                except Corrupted as error:
                    yield HeldDocument(DocId(doc_id), {}, fault=str(error))

    async def code(self) -> AsyncIterator[HeldCode]:
        """Yield all code, one at a time in memory."""
        if not self._has_tables:
            return
        with translated(self._meta):
            digests = [row[0] for row in self._documents.execute("SELECT sha256 FROM blob")]
            for digest in digests:
                row = self._documents.execute("SELECT data FROM blob WHERE sha256=?", (digest,))
                data: bytes = row.fetchone()[0]
                is_right = sha256(data).hexdigest() == digest
                yield HeldCode(digest, data, "" if is_right else "It is not what was stored.")

    async def states(self) -> Mapping[Shard, State]:
        """Return every place that is known, and its state."""
        opened = dict.fromkeys(self._files, State.OPEN)
        if self._book is None:
            return opened
        with translated(self._book_path):
            return opened | sqlite_book.states(self._book)

    async def sums(self, shard: Shard) -> HeldSums:
        """Return what a closed place is billed for."""
        if self._book is None:
            return HeldSums((), Sums())
        with translated(self._book_path):
            rollups = tuple(sqlite_book.rollups_of(self._book, shard))
            return HeldSums(rollups, sqlite_book.sums_of(self._book, shard))

    async def places(self) -> Sequence[Place]:
        """Return where there are records, the late first, `WAITING` last."""
        states = await self.states()
        there = [shard for shard in self._files if states[shard].has_records]
        there.sort(key=lambda shard: (not shard.is_late, shard.day))
        return [*there, *([WAITING] if self._waiting else [])]

    async def records(self, place: Place) -> AsyncIterator[HeldRecord]:
        """Yield each record that is not in an earlier place, too."""
        if place is None:
            for record_id, document in self._waiting.items():
                yield HeldRecord(record_id, document)
            return
        with translated(self._path(place)):
            rows = self._file(place).execute("SELECT ns, aid, path, body FROM activation")
            for namespace, activation_id, path, body in rows:
                record_id = f"{namespace}/{activation_id}"
                self._waiting.pop(record_id, None)
                yield HeldRecord(record_id, body, path)

    async def ledger(self, place: Place) -> Mapping[Namespace, Sums]:
        """Return what the records of *place* come to."""
        if place is None:
            return self._waiting_ledger()
        with translated(self._path(place)):
            rows = self._file(place).execute(
                "SELECT ns, sum(activations), sum(billed_ms), sum(mb_ms) FROM usage_hour GROUP BY 1"
            )
            return {Namespace(namespace): Sums(*amounts) for namespace, *amounts in rows}

    async def close(self) -> None:
        """Let everything go. Idempotent."""
        self._stack.close()

    def _path(self, shard: Shard) -> Path:
        return sqlite_days.file_of(self._records, shard)

    def _file(self, shard: Shard) -> sqlite3.Connection:
        if shard in self._damaged:
            raise Corrupted(self._damaged[shard])
        return self._files[shard]

    def _opened_book(self) -> sqlite3.Connection | None:
        if not self._book_path.exists():
            return None  # nothing was ever closed
        book = self._stack.enter_context(reading(self._book_path))
        return book if _tables(book, self._book_path) >= {"shard", "usage_day"} else None

    def _waiting_ledger(self) -> Mapping[Namespace, Sums]:
        amounts: defaultdict[Namespace, Sums] = defaultdict(Sums)
        for document in self._waiting.values():
            record = activation_document.decode(document)
            more = Sums(1, record.billed_ms, record.billed_ms * record.memory_mb)
            amounts[record.namespace] = amounts[record.namespace].plus(more)
        return amounts

    def _read_spool(self, folder: Path) -> None:
        try:
            for document in _spooled(folder):
                record = activation_document.decode(document)
                self._waiting[f"{record.namespace}/{record.activation_id}"] = document
        except (DamagedLog, MalformedRecord) as error:
            self._spool_fault = f"The spool is damaged: {error}"
        except OSError as error:
            raise StoreUnavailable(f"The spool cannot be read: {error.strerror}.") from error


def _spooled(folder: Path) -> Iterator[bytes]:
    for segment in left_over(folder, "spool"):
        try:
            yield from entries(segment)
        except FileNotFoundError:
            continue  # Everything in it has just arrived in the files.


def _shards_in(folder: Path) -> set[Shard]:
    try:
        return sqlite_days.shards_in(folder)
    except FileNotFoundError:
        return set()


def _tables(db: sqlite3.Connection, path: Path) -> set[str]:
    with translated(path):
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
