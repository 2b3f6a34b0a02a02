"""Code in SQLite: bytes under their own digest, beside the documents that name them.

Writing a blob that is there already renews its date, so that a sweep which began before the
document was written does not take it away.
"""

import sqlite3
from collections.abc import Container
from hashlib import sha256
from pathlib import Path
from typing import Final

from common.clock import Clock
from common.entity.action import BlobRef
from common.store.port import Corrupted, Missing
from common.store.sqlite_file import Readers, Writer

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS blob(
    sha256 TEXT PRIMARY KEY, created INTEGER NOT NULL, data BLOB NOT NULL);
"""


class SqliteBlobStore:
    """See `common.store.port.BlobStore`."""

    def __init__(self, path: Path, writer: Writer, readers: Readers, clock: Clock) -> None:
        self._path = path
        self._writer = writer
        self._readers = readers
        self._clock = clock

    async def put(self, data: bytes) -> BlobRef:
        """Keep *data*; durable when this returns. Idempotent."""
        digest = await self._readers.run(lambda: sha256(data).hexdigest())
        created_ms = self._clock.now_ms()

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO blob(sha256, created, data) VALUES (?, ?, ?) "
                "ON CONFLICT(sha256) DO UPDATE SET created=excluded.created",
                (digest, created_ms, data),
            )

        await self._writer.do(write)
        return BlobRef(digest, len(data))

    async def get(self, ref: BlobRef) -> bytes:
        """Return the bytes, their digest checked. Raises `Missing`, `Corrupted`."""

        def read() -> bytes:
            with self._readers.snapshot(self._path) as db:
                row = db.execute("SELECT data FROM blob WHERE sha256=?", (ref.sha256,)).fetchone()
            if row is None:
                raise Missing
            data: bytes = row[0]
            if sha256(data).hexdigest() != ref.sha256:
                raise Corrupted(f"The code {ref.sha256} is not what was stored.")
            return data

        return await self._readers.run(read)

    async def sweep(self, live: Container[str], *, older_than_ms: int) -> int:
        """Delete blobs that are not *live* and were written before; return how many."""

        def write(db: sqlite3.Connection) -> int:
            old = db.execute("SELECT sha256 FROM blob WHERE created<?", (older_than_ms,)).fetchall()
            dead = [row for row in old if row[0] not in live]
            db.executemany("DELETE FROM blob WHERE sha256=?", dead)
            return len(dead)

        return await self._writer.do(write)
