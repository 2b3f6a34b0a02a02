"""Documents in SQLite: one table for all databases, with revisions and newest-first lists.

A revision is a count and a hash of the body, `3-9f86d081884c7d65`, as CouchDB's are. So a document
that is deleted and written anew never has a revision that somebody still holds, unless it says the
very same. Each write gets a new sequence number, which breaks ties between documents of one
millisecond: the newer write is listed first.
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from common import codec
from common.ids import DocId, Namespace, Rev
from common.store.port import Body, Conflict, Corrupted, Doc, Missing
from common.store.sqlite_file import Readers, Writer, reading

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS doc(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    db TEXT NOT NULL, id TEXT NOT NULL,
    rev INTEGER NOT NULL, body BLOB NOT NULL,
    ns TEXT, package TEXT, kind TEXT, updated INTEGER NOT NULL,
    UNIQUE(db, id));
CREATE INDEX IF NOT EXISTS doc_list ON doc(db, ns, kind, updated DESC, seq DESC);
"""
# Beyond this a number cannot be compared in SQLite.
_END_OF_TIME_MS: Final = 1 << 62
_PAGE: Final = 200


class SqliteDocStore:
    """Documents of one database. See `common.store.port.DocStore`."""

    def __init__(self, database: str, path: Path, writer: Writer, readers: Readers) -> None:
        self._database = database
        self._path = path
        self._writer = writer
        self._readers = readers

    async def get(self, doc_id: DocId) -> Doc:
        """Return the newest revision. Raises `Missing`, `Corrupted`."""

        def read() -> tuple[int, bytes] | None:
            with self._readers.snapshot(self._path) as db:
                return self._row(db, doc_id)

        row = await self._readers.run(read)
        if row is None:
            raise Missing
        number, text = row
        return Doc(doc_id, _rev(number, text), body_of(doc_id, text))

    async def create(self, doc_id: DocId, body: Body) -> Rev:
        """Write a new document and return its revision. Raises `Conflict` if there is one."""
        text = codec.encode(dict(body))
        columns = _columns(body)

        def write(db: sqlite3.Connection) -> Rev:
            if self._row(db, doc_id) is not None:
                raise Conflict
            return self._write(db, doc_id, 1, text, columns)

        return await self._writer.do(write)

    async def replace(self, doc_id: DocId, rev: Rev, body: Body) -> Rev:
        """Write over revision *rev*. Raises `Conflict` when that is not the newest, `Missing`."""
        text = codec.encode(dict(body))
        columns = _columns(body)

        def write(db: sqlite3.Connection) -> Rev:
            number = self._require(db, doc_id, rev)
            return self._write(db, doc_id, number + 1, text, columns)

        return await self._writer.do(write)

    async def delete(self, doc_id: DocId, rev: Rev) -> None:
        """Delete revision *rev*. Raises `Conflict` when that is not the newest, `Missing`."""

        def write(db: sqlite3.Connection) -> None:
            self._require(db, doc_id, rev)
            db.execute("DELETE FROM doc WHERE db=? AND id=?", (self._database, doc_id))

        await self._writer.do(write)

    async def list(
        self, namespace: Namespace, kind: str, *, package: str | None, limit: int, skip: int
    ) -> Sequence[dict[str, Any]]:
        """Return bodies of one kind, newest `updated` first; ties, the newest write first."""
        where, values = self._where(namespace, kind, package)

        def read() -> list[tuple[str, bytes]]:
            with self._readers.snapshot(self._path) as db:
                return db.execute(
                    f"SELECT id, body FROM doc WHERE {where} "
                    "ORDER BY updated DESC, seq DESC LIMIT ? OFFSET ?",
                    (*values, limit, skip),
                ).fetchall()

        return [body_of(doc_id, text) for doc_id, text in await self._readers.run(read)]

    async def count(self, namespace: Namespace, kind: str, *, package: str | None) -> int:
        """Return how many documents `list` would walk."""
        where, values = self._where(namespace, kind, package)

        def read() -> int:
            with self._readers.snapshot(self._path) as db:
                row = db.execute(f"SELECT count(*) FROM doc WHERE {where}", values).fetchone()
                return int(row[0])

        return await self._readers.run(read)

    async def every(self) -> AsyncIterator[Doc]:
        """Yield all documents, by their ids. Raises `StoreUnavailable`, `Corrupted`."""

        def read(after: str) -> list[tuple[str, int, bytes]]:
            with self._readers.snapshot(self._path) as db:
                return db.execute(
                    "SELECT id, rev, body FROM doc WHERE db=? AND id>? ORDER BY id LIMIT ?",
                    (self._database, after, _PAGE),
                ).fetchall()

        page = await self._readers.run(lambda: read(""))
        while page:
            for doc_id, number, text in page:
                yield Doc(DocId(doc_id), _rev(number, text), body_of(doc_id, text))
            last = page[-1][0]
            page = await self._readers.run(partial(read, last))

    def _row(self, db: sqlite3.Connection, doc_id: DocId) -> tuple[int, bytes] | None:
        found: tuple[int, bytes] | None = db.execute(
            "SELECT rev, body FROM doc WHERE db=? AND id=?", (self._database, doc_id)
        ).fetchone()
        return found

    def _require(self, db: sqlite3.Connection, doc_id: DocId, rev: Rev) -> int:
        row = self._row(db, doc_id)
        if row is None:
            raise Missing
        if _rev(*row) != rev:
            raise Conflict
        return row[0]

    def _write(
        self,
        db: sqlite3.Connection,
        doc_id: DocId,
        number: int,
        text: bytes,
        columns: tuple[str | None, str | None, str | None, int],
    ) -> Rev:
        db.execute(
            "INSERT OR REPLACE INTO doc(db, id, rev, body, ns, package, kind, updated) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._database, doc_id, number, text, *columns),
        )
        return _rev(number, text)

    def _where(
        self, namespace: Namespace, kind: str, package: str | None
    ) -> tuple[str, tuple[str, ...]]:
        values = (self._database, namespace, kind)
        if package is None:
            return "db=? AND ns=? AND kind=?", values
        return "db=? AND ns=? AND kind=? AND package=?", (*values, package)


def bodies_before_opening(path: Path, database: str) -> dict[DocId, dict[str, Any]]:
    """Return the bodies of a small database by id, and change nothing; none if it isn't there.

    Raises `Corrupted`, `StoreUnavailable`.
    """
    if not path.exists():
        return {}
    with reading(path) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name='doc'").fetchone():
            return {}
        rows = db.execute("SELECT id, body FROM doc WHERE db=?", (database,)).fetchall()
    return {DocId(doc_id): body_of(doc_id, text) for doc_id, text in rows}


def _rev(number: int, text: bytes) -> Rev:
    return Rev(f"{number}-{blake2b(text, digest_size=8).hexdigest()}")


def body_of(doc_id: str, text: bytes) -> dict[str, Any]:
    """Return the body of a stored document. Raises `Corrupted`."""
    try:
        body = codec.decode(text)
    except codec.MalformedJson as error:
        raise Corrupted(f"The document {doc_id} is not JSON.") from error
    if not isinstance(body, dict):
        raise Corrupted(f"The document {doc_id} is not an object.")
    return body


def _columns(body: Body) -> tuple[str | None, str | None, str | None, int]:
    """Return what a list selects and orders by: namespace, package, kind, `updated`."""
    path, kind, updated = body.get("namespace"), body.get("entityType"), body.get("updated")
    namespace, slash, package = path.partition("/") if isinstance(path, str) else ("", "", "")
    return (
        namespace or None,
        package if slash else None,
        kind if isinstance(kind, str) else None,
        updated if isinstance(updated, int) and 0 <= updated < _END_OF_TIME_MS else 0,
    )
