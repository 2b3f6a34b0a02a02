"""Records in SQLite: one file per UTC day, dropped whole when its time is over.

Which file holds a record is said by `common.store.days`.

The ledger, one row per namespace, action and hour, is in the same file and changes in the same
transaction, and only if the record was not there yet: it is the sum of the records, always.
"""

import contextlib
import os
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from common.append_log import sync_folder
from common.ids import ActivationId, Namespace
from common.store.days import EPOCH, HOUR_MS, Key, Pending, bounds
from common.store.ledger import HourUsage
from common.store.port import ActivationFilter, StoreUnavailable
from common.store.sqlite_file import connect, transaction, translated

_FILE: Final = re.compile(r"act-(\d{4})(\d\d)(\d\d)\.db\Z")
_DRAFT: Final = ".new"

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


def file_of(folder: Path, day: int) -> Path:
    """Return the file of *day*. Raises `ValueError` for a day that no calendar has."""
    return folder / f"act-{date.fromordinal(EPOCH + day):%Y%m%d}.db"


def days_in(folder: Path) -> set[int]:
    """Return the days that have a file. Raises `OSError`."""
    return days_in_names(path.name for path in folder.iterdir())


def days_in_names(names: Iterable[str]) -> set[int]:
    """Return the days of which files of these names speak; other files are nothing to us."""
    return {
        date(*map(int, match.groups())).toordinal() - EPOCH
        for match in map(_FILE.match, names)
        if match is not None
    }


def open_day(folder: Path, day: int) -> sqlite3.Connection:
    """Open the file of *day* for writing; it is made whole or not at all, if need be.

    Raises `Corrupted`, `StoreUnavailable`.
    """
    path = file_of(folder, day)
    if not path.exists():
        try:
            _make(path)
        except OSError as error:
            raise StoreUnavailable(f"{path.name} cannot be made: {error.strerror}.") from error
    return connect(path)


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
            path = record.action.in_namespace
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


def documents(db: sqlite3.Connection, namespace: Namespace) -> Iterator[bytes]:
    """Yield the document of every record of a namespace."""
    for (body,) in db.execute("SELECT body FROM activation WHERE ns=?", (namespace,)):
        yield body


def _where(wanted: ActivationFilter) -> tuple[str, tuple[str | int, ...]]:
    between = bounds(wanted.since_ms, wanted.upto_ms)
    if wanted.name is None:
        return "ns=? AND start BETWEEN ? AND ?", (wanted.namespace, *between)
    return "ns=? AND path=? AND start BETWEEN ? AND ?", (wanted.namespace, wanted.name, *between)
