"""A day that is being closed in SQLite while the process dies, or while somebody reads it."""

import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from common.clock import SystemClock
from common.settings import StoreSettings
from common.store import sqlite_book, sqlite_days
from common.store.port import ActivationFilter, Corrupted, StoreUnavailable, Unbalanced
from common.store.shard import State
from common.store.sqlite import SqliteStores
from tests.contract.closed import GUEST, TODAY, bill, sealed, written
from tests.fakes.records import a_record, an_action

WHOLE = (20, 190, 190 * 256)
STEPS: tuple[tuple[Any, str], ...] = (
    (sqlite_days, "ledger"),
    (sqlite_days, "records"),
    (sqlite_book, "sums"),
    (sqlite_book, "seal"),
    (sqlite_book, "sums_of"),
    (sqlite_book, "set_state"),
    (sqlite_days, "delete_shard"),
    (sqlite_days, "sync_folder"),
    (Path, "unlink"),
)
"""What a day is closed with, in order."""


class Died(Exception):
    """Stands for the end of the process: nothing of ours catches it."""


async def opened(folder: Path) -> SqliteStores:
    return await SqliteStores.open(folder, StoreSettings(close_s=5), SystemClock())


async def a_day(stores: SqliteStores) -> None:
    await written(
        stores, *(a_record(number, action=an_action(f"a{number % 3}")) for number in range(20))
    )


def rows(folder: Path) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(folder / "usage.db")
    found = db.execute("SELECT * FROM usage_day ORDER BY ns, day, shard, path").fetchall()
    db.close()
    return found


def dying(step: Callable[..., Any], call: int, *, before: bool) -> Callable[..., Any]:
    """Return *step*, which ends the world at its *call*-th call, before or after its work."""
    calls = 0

    def die_some_day(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == call:
            raise Died
        result = step(*args, **kwargs)
        if calls == call:
            raise Died
        return result

    return die_some_day


async def test_a_death_between_any_two_steps_changes_no_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected: list[tuple[Any, ...]] = []
    deaths = 0
    for module, name in STEPS:
        for call in (1, 2, 3):
            for before in (True, False):
                folder = tmp_path / f"{name}-{call}-{before}"
                dies = await opened(folder)
                await a_day(dies)
                with monkeypatch.context() as patch:
                    patch.setattr(module, name, dying(getattr(module, name), call, before=before))
                    try:
                        await dies.activations.seal(TODAY)
                        await dies.activations.drop(TODAY)
                    except Died:
                        deaths += 1
                await dies.close()

                stores = await opened(folder)
                assert await bill(stores.activations) == WHOLE
                await stores.activations.seal(TODAY)
                await stores.activations.drop(TODAY)
                assert await bill(stores.activations) == WHOLE
                assert await stores.activations.shards() == {TODAY: State.DROPPED}
                assert list((folder / "activations").iterdir()) == []
                expected = expected or rows(folder)
                assert len(expected) == 3 and rows(folder) == expected
                await stores.close()
    assert deaths >= 2 * len(STEPS)


async def test_a_file_that_has_lost_records_is_neither_sealed_nor_dropped(tmp_path: Path) -> None:
    stores = await opened(tmp_path)
    await a_day(stores)
    file = sqlite3.connect(tmp_path / "activations" / "act-20251121.db", isolation_level=None)
    file.execute("CREATE TABLE kept AS SELECT * FROM activation")
    file.execute("DELETE FROM activation WHERE aid IN (SELECT aid FROM activation LIMIT 1)")

    with pytest.raises(Unbalanced, match="has 19 records, and its sums count 20"):
        await stores.activations.seal(TODAY)
    file.execute("INSERT OR IGNORE INTO activation SELECT * FROM kept")
    await sealed(stores.activations)
    file.execute("DELETE FROM activation WHERE aid IN (SELECT aid FROM activation LIMIT 2)")
    file.close()
    with pytest.raises(Unbalanced, match="has 18 records, and its sums count 20"):
        await stores.activations.drop(TODAY)

    audit = await stores.activations.audit(GUEST)
    assert (audit.ledger.activations, audit.recomputed.activations) == (20, 18)
    assert not audit.is_exact
    await stores.close()


async def test_a_sealed_file_that_was_deleted_by_hand_is_dropped(tmp_path: Path) -> None:
    stores = await opened(tmp_path)
    await a_day(stores)
    await sealed(stores.activations)
    await stores.close()
    (tmp_path / "activations" / "act-20251121.db").unlink()

    stores = await opened(tmp_path)
    with capture_logs() as said:
        await stores.activations.drop(TODAY)

    assert [line["event"] for line in said] == ["sealed_day_was_deleted_by_hand"]
    assert await bill(stores.activations) == WHOLE
    await stores.close()


async def test_a_dropped_file_gives_its_room_back(tmp_path: Path) -> None:
    stores = await opened(tmp_path)
    await a_day(stores)
    for _ in range(10):  # by every reader's thread
        await bill(stores.activations)
    await sealed(stores.activations)
    assert any("act-20251121" in name for name in open_files())

    await stores.activations.drop(TODAY)

    assert not any("act-20251121" in name for name in open_files())
    await stores.close()


def open_files() -> list[str]:
    folder = Path("/proc/self/fd")
    return [os.readlink(each) for each in folder.iterdir() if each.is_symlink()]


async def test_a_book_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "usage.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(Corrupted, match=r"usage\.db is damaged"):
        await opened(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("UPDATE shard SET state='asleep'", "says 'asleep'"),
        ("UPDATE shard SET name='someday'", "of 'someday'"),
    ],
)
async def test_a_state_that_is_none_is_named(tmp_path: Path, change: str, match: str) -> None:
    stores = await opened(tmp_path)
    await a_day(stores)
    await sealed(stores.activations)
    await stores.close()
    book = sqlite3.connect(tmp_path / "usage.db", isolation_level=None)
    book.execute(change)
    book.close()

    with pytest.raises(Corrupted, match=match):
        await opened(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("UPDATE usage_day SET hours='[]'", "cannot be read"),
        ("UPDATE usage_day SET hours='['", "cannot be read"),
        ("UPDATE usage_day SET hours='[[1],[1],[1]]'", "cannot be read"),
        ("UPDATE usage_day SET shard='someday'", "has sums of 'someday'"),
    ],
)
async def test_sums_that_cannot_be_read_are_named(tmp_path: Path, change: str, match: str) -> None:
    stores = await opened(tmp_path)
    await a_day(stores)
    await sealed(stores.activations)
    book = sqlite3.connect(tmp_path / "usage.db", isolation_level=None)
    book.execute(change)
    book.close()

    with pytest.raises(Corrupted, match=match):
        await bill(stores.activations)
    await stores.close()


async def test_a_closed_store_closes_no_days(tmp_path: Path) -> None:
    stores = await opened(tmp_path)
    await stores.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        await stores.activations.seal(TODAY)


@pytest.mark.parametrize("query", ["documents", "usage", "count", "newest", "document"])
async def test_a_reader_whose_file_goes_looks_again_without_it(
    query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = await opened(tmp_path)
    await a_day(stores)
    store = stores.activations
    wanted = ActivationFilter(namespace=GUEST)
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "documents": lambda: store.audit(GUEST),
        "usage": lambda: store.audit(GUEST),
        "count": lambda: store.count(wanted),
        "newest": lambda: store.list(wanted, limit=5, skip=0),
        "document": lambda: store.list(wanted, limit=5, skip=0),
    }
    path = sqlite_days.file_of(tmp_path / "activations", TODAY)
    hidden = path.with_suffix(".hidden")

    def goes(*_: Any) -> Any:
        os.rename(path, hidden)
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_days, query, goes)
        if query in ("documents", "usage"):  # it is part of the bill, and not said to be dropped
            with pytest.raises(StoreUnavailable, match="being dropped"):
                await asked[query]()
        else:
            assert not await asked[query]()
    os.rename(hidden, path)

    assert await bill(store) == WHOLE
    await stores.close()


async def test_a_reader_whose_file_is_there_is_told_what_ails_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = await opened(tmp_path)
    await a_day(stores)

    def fails(*_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_days, "documents", fails)
        with pytest.raises(StoreUnavailable, match="disk I/O error"):
            await stores.activations.audit(GUEST)
    await stores.close()
