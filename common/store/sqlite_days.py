"""Records in SQLite: one file per UTC day, dropped whole when its time is over.

Which file holds a record is said by `common.store.days`; the late have files of their own.

The ledger, one row per namespace, action and hour, is in the same file and changes in the same
transaction, and only if the record was not there yet: it is the sum of the records, always.
"""

import contextlib
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from common.append_log import sync_folder
from common.ids import ActivationId, Namespace
from common.store.days import Key, bounds
from common.store.ledger import HourUsage
from common.store.port import ActivationFilter, StoreUnavailable
from common.store.rollups import Owned
from common.store.shard import HOUR_MS, Shard, shard_of
from common.store.sqlite_file import connect, transaction, translated
from common.store.waiting import Pending

_DRAFT: Final = ".new"
_PREFIX: Final = "act-"
_SUFFIX: Final = ".db"

# The body is long, so this table keeps its hidden row id: rows in the key's tree are far slower.
_SCHEMA: Final = """
CREATE TABLE activation(
    ns TEXT NOT NULL, aid TEXT NOT NULL, start INTEGER NOT NULL, path TEXT NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY(ns, aid));
CREATE INDEX activation_start ON activation(ns, start DESC, aid DESC);
CREATE INDEX activation_path ON activation(ns, path, start DESC, aid DESC);
CREATE TABLE usage_hour(
    ns TEXT NOT NULL, path TEXT NOT NULL, hour INTEGER NOT NULL,
    activations INTEGER NOT NULL, billed_ms INTEGER NOT NULL, mb_ms INTEGER NOT NULL,
    PRIMARY KEY(ns, path, hour)) WITHOUT ROWID;
"""


def file_of(folder: Path, shard: Shard) -> Path:
    """Return the file of a place. Raises `ValueError` for a day that no calendar has."""
    return folder / f"{_PREFIX}{shard.text}{_SUFFIX}"


def shards_in(folder: Path) -> set[Shard]:
    """Return the places that have a file. Raises `OSError`."""
    return shards_in_names(path.name for path in folder.iterdir())


def shards_in_names(names: Iterable[str]) -> set[Shard]:
    """Return the places of which files of these names speak; other files are nothing to us."""
    found = (
        shard_of(name.removeprefix(_PREFIX).removesuffix(_SUFFIX))
        for name in names
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    )
    return {shard for shard in found if shard is not None}


def open_shard(folder: Path, shard: Shard) -> sqlite3.Connection:
    """Open the file of a place for writing; it is made whole or not at all, if need be.

    Raises `Corrupted`, `StoreUnavailable`.
    """
    path = file_of(folder, shard)
    if not path.exists():
        try:
            _make(path)
        except OSError as error:
            raise StoreUnavailable(f"{path.name} cannot be made: {error.strerror}.") from error
    return connect(path)


def delete_shard(folder: Path, shard: Shard) -> None:
    """Delete the file of a place, which nobody writes to any more. Idempotent.

    Raises `StoreUnavailable`.
    """
    path = file_of(folder, shard)
    try:
        # The records first: what a crash leaves of its companions is nothing without them.
        for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            each.unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise StoreUnavailable(f"{path.name} cannot be deleted: {error.strerror}.") from error


def remove_drafts(folder: Path) -> None:
    """Delete files whose making a crash has broken off. Raises `OSError`."""
    for draft in folder.glob(f"*{_DRAFT}"):
        draft.unlink(missing_ok=True)


def _make(path: Path) -> None:
    draft = path.with_suffix(f".{os.urandom(4).hex()}{_DRAFT}")
    with translated(path):
        db = sqlite3.connect(draft)
        try:
            db.executescript(_SCHEMA)
        finally:
            db.close()
    # A link, not a rename: a file that somebody else has made meanwhile stays.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
    sync_folder(path.parent)


def insert(db: sqlite3.Connection, batch: Sequence[Pending]) -> None:
    """Write records and what they add to the ledger, all or nothing; known ones are left alone."""
    sums: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    with transaction(db):
        for entry in batch:
            record = entry.record
            path = record.listed_as
            is_new = db.execute(
                "INSERT INTO activation(ns, aid, start, path, body) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT(ns, aid) DO NOTHING",
                (*entry.key, record.start_ms, path, entry.document),
            ).rowcount
            if is_new:
                row = sums[record.namespace, path, record.start_ms // HOUR_MS]
                row[0] += 1
                row[1] += record.billed_ms
                row[2] += record.billed_ms * record.memory_mb
        db.executemany(
            "INSERT INTO usage_hour VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(ns, path, hour) DO "
            "UPDATE SET activations=activations+excluded.activations, "
            "billed_ms=billed_ms+excluded.billed_ms, mb_ms=mb_ms+excluded.mb_ms",
            [(*key, *row) for key, row in sums.items()],
        )


def document(db: sqlite3.Connection, key: Key) -> bytes | None:
    """Return the document of one record, if it is in this file."""
    row = db.execute("SELECT body FROM activation WHERE ns=? AND aid=?", key).fetchone()
    return None if row is None else row[0]


def without_stored(db: sqlite3.Connection, entries: Iterable[Pending]) -> list[Pending]:
    """Return those of *entries* that are not in this file yet."""
    known = "SELECT 1 FROM activation WHERE ns=? AND aid=?"
    return [entry for entry in entries if db.execute(known, entry.key).fetchone() is None]


def newest(
    db: sqlite3.Connection, wanted: ActivationFilter, limit: int
) -> list[tuple[int, ActivationId]]:
    """Return start and id of matching records, newest start first."""
    where, values = _where(wanted)
    return db.execute(
        f"SELECT start, aid FROM activation WHERE {where} ORDER BY start DESC, aid DESC LIMIT ?",
        (*values, limit),
    ).fetchall()


def count(db: sqlite3.Connection, wanted: ActivationFilter) -> int:
    """Return how many records match."""
    where, values = _where(wanted)
    row = db.execute(f"SELECT count(*) FROM activation WHERE {where}", values).fetchone()
    return int(row[0])


def usage(
    db: sqlite3.Connection, namespace: Namespace, first_hour: int, end_hour: int
) -> list[HourUsage]:
    """Return the ledger's rows of a namespace from *first_hour* to before *end_hour*."""
    rows = db.execute(
        "SELECT path, hour, activations, billed_ms, mb_ms FROM usage_hour "
        "WHERE ns=? AND hour>=? AND hour<?",
        (namespace, first_hour, end_hour),
    )
    return [HourUsage(*row) for row in rows]


def ledger(db: sqlite3.Connection) -> list[Owned]:
    """Return the whole ledger of this file, each row with its namespace."""
    rows = db.execute("SELECT ns, path, hour, activations, billed_ms, mb_ms FROM usage_hour")
    return [(Namespace(ns), HourUsage(*row)) for ns, *row in rows]


def records(db: sqlite3.Connection) -> int:
    """Return how many records this file has; they are counted, not looked up in the ledger."""
    return int(db.execute("SELECT count(*) FROM activation").fetchone()[0])


def documents(db: sqlite3.Connection, namespace: Namespace) -> Iterator[bytes]:
    """Yield the document of every record of a namespace."""
    for (body,) in db.execute("SELECT body FROM activation WHERE ns=?", (namespace,)):
        yield body


def _where(wanted: ActivationFilter) -> tuple[str, tuple[str | int, ...]]:
    between = bounds(wanted.since_ms, wanted.upto_ms)
    if wanted.name is None:
        return "ns=? AND start BETWEEN ? AND ?", (wanted.namespace, *between)
    return "ns=? AND path=? AND start BETWEEN ? AND ?", (wanted.namespace, wanted.name, *between)
