"""The book of closed days in SQLite, `usage.db`: states of places, and the sums of the sealed.

It is written by the one thread that writes records. So nobody writes to a place while it is being
sealed, and each step is one transaction: the sums and the state that makes them the bill appear
together, or not at all. Readers see both of one moment.

A file of records without a row here is open.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from common import codec
from common.ids import Namespace
from common.store.port import Corrupted
from common.store.rollups import HOURS, Rollup, Sums, sums
from common.store.shard import Shard, State, shard_of
from common.store.sqlite_file import connect, transaction, translated

# The kind of quantity first: three rows of 24 in one blob of JSON.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS shard(
    name TEXT PRIMARY KEY, state TEXT NOT NULL,
    activations INTEGER NOT NULL, billed_ms INTEGER NOT NULL, mb_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS usage_day(
    ns TEXT NOT NULL, day INTEGER NOT NULL, shard TEXT NOT NULL, path TEXT NOT NULL,
    hours BLOB NOT NULL, PRIMARY KEY(ns, day, shard, path)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS usage_day_shard ON usage_day(shard);
"""


def open_book(path: Path) -> tuple[sqlite3.Connection, dict[Shard, State]]:
    """Open the book for its writer, and read the states; it is made if need be.

    Raises `Corrupted`, `StoreUnavailable`.
    """
    db = connect(path)
    try:
        with translated(path):
            db.executescript(_SCHEMA)
            return db, states(db)
    except BaseException:
        db.close()
        raise


def states(db: sqlite3.Connection) -> dict[Shard, State]:
    """Return the places that are not simply open. Raises `Corrupted`."""
    found: dict[Shard, State] = {}
    for name, state in db.execute("SELECT name, state FROM shard"):
        shard = shard_of(name)
        if shard is None or state not in list(State):
            raise Corrupted(f"The book of closed days says {state!r} of {name!r}.")
        found[shard] = State(state)
    return found


def sums_of(db: sqlite3.Connection, shard: Shard) -> Sums:
    """Return what a place was sealed with; nothing when it was not."""
    row = db.execute(
        "SELECT activations, billed_ms, mb_ms FROM shard WHERE name=?", (shard.text,)
    ).fetchone()
    return Sums() if row is None else Sums(*row)


def seal(db: sqlite3.Connection, shard: Shard, rollups: Iterable[Rollup]) -> Sums:
    """Write the sums of a place and make them its bill, all or nothing; return their total."""
    wanted = list(rollups)
    total = sums(wanted)
    with transaction(db):
        db.execute("DELETE FROM usage_day WHERE shard=?", (shard.text,))
        db.executemany(
            "INSERT INTO usage_day VALUES (?, ?, ?, ?, ?)",
            [(each.namespace, each.day, shard.text, each.path, _text(each)) for each in wanted],
        )
        db.execute(
            "INSERT OR REPLACE INTO shard VALUES (?, ?, ?, ?, ?)",
            (shard.text, State.SEALED, *total),
        )
    return total


def set_state(db: sqlite3.Connection, shard: Shard, state: State) -> None:
    """Note how far the dropping of a sealed place has come."""
    db.execute("UPDATE shard SET state=? WHERE name=?", (state, shard.text))


def forget(db: sqlite3.Connection, shard: Shard) -> None:
    """Delete the sums of a place and its state."""
    with transaction(db):
        db.execute("DELETE FROM usage_day WHERE shard=?", (shard.text,))
        db.execute("DELETE FROM shard WHERE name=?", (shard.text,))


def rollups(
    db: sqlite3.Connection, namespace: Namespace, first_day: int, last_day: int
) -> list[tuple[Shard, Rollup]]:
    """Return the sums of a namespace over those days, and which place each is of.

    Raises `Corrupted`.
    """
    rows = db.execute(
        "SELECT shard, day, path, hours FROM usage_day WHERE ns=? AND day BETWEEN ? AND ?",
        (namespace, first_day, last_day),
    )
    return [(_shard(name), _rollup(namespace, *row)) for name, *row in rows]


def rollups_of(db: sqlite3.Connection, shard: Shard) -> list[Rollup]:
    """Return all sums of a place, ordered. Raises `Corrupted`."""
    rows = db.execute(
        "SELECT ns, day, path, hours FROM usage_day WHERE shard=? ORDER BY ns, day, path",
        (shard.text,),
    )
    return [_rollup(Namespace(namespace), *row) for namespace, *row in rows]


def _shard(name: str) -> Shard:
    shard = shard_of(name)
    if shard is None:
        raise Corrupted(f"The book of closed days has sums of {name!r}.")
    return shard


def _text(rollup: Rollup) -> bytes:
    return codec.encode([rollup.activations, rollup.billed_ms, rollup.mb_ms])


def _rollup(namespace: Namespace, day: int, path: str, hours: bytes) -> Rollup:
    try:
        slots = [tuple(map(int, each)) for each in codec.decode(hours)]
        if [len(each) for each in slots] != [HOURS] * len(Sums._fields):
            raise ValueError
    except (codec.MalformedJson, TypeError, ValueError) as error:
        raise Corrupted(f"The sums of {namespace}/{path} on day {day} cannot be read.") from error
    return Rollup(namespace, day, path, *slots)
