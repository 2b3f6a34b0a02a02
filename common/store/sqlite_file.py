"""One SQLite file: how it is opened, written by one thread, and read by others.

Writers share transactions (`common.rounds`): a step runs inside the transaction of its round and is
acknowledged after the commit. Every file is in WAL mode with `synchronous=FULL`: once commits are
shared, the fsync costs next to nothing, and a commit means what it says after a power cut, too.
Readers have their own connections, so they neither wait for the writer nor hold it up.

SQLite's errors end here: a full disk, a lock or a vanished file is `StoreUnavailable` and may be
tried again; a file that is not what it should be is `Corrupted`.
"""

import asyncio
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from common.rounds import Rounds, RoundsClosed, RoundsFull
from common.store.port import Corrupted, StoreUnavailable

T = TypeVar("T")
Step: TypeAlias = Callable[[sqlite3.Connection], Any]

# Only another process can hold a lock, such as an operator's shell; it is not waited for long.
BUSY_TIMEOUT_S: Final = 1.0
_MOST_WAITING: Final = 4096
_MOST_READERS_WAITING: Final = 1024
_READER_THREADS: Final = 3
# Per thread. Ten days, some of the late, the book and the documents, and no more handles than that.
_CONNECTIONS_KEPT: Final = 20
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about *path* into the store's."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the kind, the rest says more about it (sqlite.org/rescode.html).
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise Corrupted(f"The file {path} is damaged: {error}.") from error
        raise StoreUnavailable(f"The file {path} cannot be used now: {error}.") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a file for its writer; it is made if need be. The caller begins its transactions."""
    with translated(path):
        db = _connect(f"{path.absolute().as_uri()}?mode=rwc")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        # 16 MB: a longer log makes rarer checkpoints, each a pause of the writer.
        db.execute("PRAGMA wal_autocheckpoint=4000")
        return db


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection of its own to an existing file: it sees one moment, and changes nothing.

    Raises `Corrupted`, `StoreUnavailable`.
    """
    with translated(path):
        db = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            db.execute("PRAGMA query_only=ON")
            db.execute("BEGIN")
            yield db
        finally:
            db.close()


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, or undo all of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


class Writer:
    """The one thread that writes a file. Belongs to one event loop."""

    def __init__(self, path: Path, schema: str, *, at_once: int) -> None:
        """Open the file and give it its tables. Raises `Corrupted`, `StoreUnavailable`.

        at_once: steps that share a transaction at most.
        """
        self._path = path
        self._db = connect(path)
        with translated(path):
            self._db.executescript(schema)
        self._rounds: Rounds[Step, Any] = Rounds(
            self._round, name=path.stem, at_once=at_once, most_waiting=_MOST_WAITING
        )

    async def do(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run *step* in a transaction and return what it returns once that is committed.

        A step that raises must not have written anything. A caller that is cancelled while it
        waits does not know whether its step was done.

        Raises what *step* raises, `StoreUnavailable`, `Corrupted`.
        """
        try:
            result: T = await self._rounds.post(step)
        except RoundsFull as error:
            raise StoreUnavailable(
                f"{_MOST_WAITING} writers wait for {self._path.name} already."
            ) from error
        except RoundsClosed as error:
            raise StoreUnavailable("The store is closed.") from error
        return result

    async def close(self) -> None:
        """Finish what was asked for and close the file. Idempotent."""
        await self._rounds.close()
        self._db.close()

    def _round(self, steps: Sequence[Step]) -> list[Any]:
        with translated(self._path), transaction(self._db):
            return [_attempt(step, self._db) for step in steps]


def _attempt(step: Step, db: sqlite3.Connection) -> Any:
    try:
        return step(db)
    except sqlite3.Error:
        raise  # The file is in trouble, and so is everybody in this round.
    except Exception as error:
        return error


class Readers:
    """A few threads that read, each with its own connection to each file."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_READER_THREADS, thread_name_prefix="store-reader")
        self._own = threading.local()
        self._lock = threading.Lock()
        self._all: dict[sqlite3.Connection, Path] = {}
        self._busy: set[sqlite3.Connection] = set()
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False

    async def run(self, query: Callable[[], T]) -> T:
        """Run *query* in one of the threads, where it may call `snapshot`.

        Raises what *query* raises, `StoreUnavailable`.
        """
        if self._is_closed:
            raise StoreUnavailable("The store is closed.")
        if self._waiting >= _MOST_READERS_WAITING:
            raise StoreUnavailable(f"{_MOST_READERS_WAITING} readers wait for the store already.")
        self._waiting += 1
        self._idle.clear()
        asked = asyncio.get_running_loop().run_in_executor(self._threads, query)
        asked.add_done_callback(self._answered)
        return await asked

    @contextmanager
    def snapshot(self, path: Path) -> Iterator[sqlite3.Connection]:
        """Give a connection to an existing file that sees one moment of it.

        Raises `Corrupted`, `StoreUnavailable`.
        """
        with translated(path), self._borrowed(path) as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def forget(self, path: Path) -> None:
        """Close the connections to a file that is being deleted: else it keeps its room on disk.

        One that is in use is closed when its question is answered.
        """
        with self._lock:
            for db in [db for db, of in self._all.items() if of == path]:
                del self._all[db]
                if db not in self._busy:
                    db.close()

    async def close(self) -> None:
        """Wait for the queries that run, then close all connections. Idempotent."""
        self._is_closed = True
        await self._idle.wait()
        self._threads.shutdown()
        while self._all:
            self._all.popitem()[0].close()

    def _answered(self, _: object) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._idle.set()

    @contextmanager
    def _borrowed(self, path: Path) -> Iterator[sqlite3.Connection]:
        with self._lock:
            db = self._connection(path)
            self._busy.add(db)
        try:
            yield db
        finally:
            with self._lock:
                self._busy.discard(db)
                if db not in self._all:
                    db.close()

    def _connection(self, path: Path) -> sqlite3.Connection:
        kept: OrderedDict[Path, sqlite3.Connection] | None = getattr(self._own, "kept", None)
        if kept is None:
            kept = self._own.kept = OrderedDict()
        db = kept.get(path)
        if db is None or db not in self._all:
            db = kept[path] = _connect(f"{path.absolute().as_uri()}?mode=rw")
            self._all[db] = path
            db.execute("PRAGMA query_only=ON")
            self._close_oldest(kept)
        kept.move_to_end(path)
        return db

    def _close_oldest(self, kept: "OrderedDict[Path, sqlite3.Connection]") -> None:
        while len(kept) > _CONNECTIONS_KEPT:
            _, oldest = kept.popitem(last=False)
            if self._all.pop(oldest, None) is not None and oldest not in self._busy:
                oldest.close()
