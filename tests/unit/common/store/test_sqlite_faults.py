"""What SQLite does on a bad day: nothing that was taken over is lost, and the cause is named."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from common.clock import SystemClock
from common.ids import DocId, Namespace
from common.settings import StoreSettings
from common.store import spool
from common.store.port import ActivationFilter, Conflict, Corrupted, StoreUnavailable
from common.store.sqlite import SqliteStores
from tests.fakes.records import DAY_MS, NOON_MS, a_record

GUEST = Namespace("guest")
ALL = ActivationFilter(namespace=GUEST)
DEADLINE_S = 20


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[SqliteStores]:
    stores = await opened(tmp_path)
    yield stores
    await stores.close()


async def opened(folder: Path) -> SqliteStores:
    return await SqliteStores.open(folder, StoreSettings(close_s=5), SystemClock())


async def until_written(stores: SqliteStores) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while stores.pending_records:
            await stores.activations.count(ALL)


async def until_fault(stores: SqliteStores) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while stores.fault is None:
            await stores.activations.sync()


def locked(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    return db


async def test_records_wait_while_another_process_locks_their_file(
    stores: SqliteStores, tmp_path: Path
) -> None:
    with capture_logs() as said:
        await records_wait_for_a_lock(stores, tmp_path)
    events = [line["event"] for line in said]
    assert events == ["records_not_written", "records_written_again"]  # not each try
    assert "database is locked" in said[0]["why"]


async def records_wait_for_a_lock(stores: SqliteStores, tmp_path: Path) -> None:
    stores.activations.put(a_record(1))
    await until_written(stores)
    lock = locked(tmp_path / "activations" / "act-20251121.db")
    stores.activations.put(a_record(2))
    await until_fault(stores)

    assert "act-20251121.db cannot be used now: database is locked" in str(stores.fault)
    assert stores.pending_records == 1
    assert await stores.activations.count(ALL) == 2

    lock.close()
    await until_written(stores)
    assert stores.fault is None
    assert await stores.activations.count(ALL) == 2


async def test_a_document_is_not_acknowledged_while_the_file_is_locked(
    stores: SqliteStores, tmp_path: Path
) -> None:
    lock = locked(tmp_path / "meta.db")

    with pytest.raises(StoreUnavailable, match=r"meta\.db cannot be used now: .*locked") as refusal:
        await stores.entities.create(DocId("guest/a"), {})
    assert refusal.value.retryable

    lock.close()
    await stores.entities.create(DocId("guest/a"), {})
    with pytest.raises(Conflict):
        await stores.entities.create(DocId("guest/a"), {})


async def test_a_damaged_day_holds_up_no_other(tmp_path: Path) -> None:
    damaged = tmp_path / "activations" / "act-20251121.db"
    damaged.parent.mkdir()
    damaged.write_bytes(b"this is no database" * 1000)
    stores = await opened(tmp_path)
    stores.activations.put(a_record(1))
    stores.activations.put(a_record(2, start_ms=NOON_MS + 5 * DAY_MS))
    await until_fault(stores)

    assert isinstance(stores.fault, Corrupted)
    assert "act-20251121.db is damaged" in str(stores.fault)
    later = ActivationFilter(namespace=GUEST, since_ms=NOON_MS + 4 * DAY_MS)
    assert await stores.activations.count(later) == 1
    with pytest.raises(Corrupted, match=r"act-20251121\.db is damaged"):
        await stores.activations.count(ALL)
    await stores.close()

    damaged.unlink()
    repaired = await opened(tmp_path)
    assert await repaired.activations.count(ALL) == 2
    await repaired.close()


async def test_damaged_documents_are_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "meta.db").write_bytes(b"this is no database" * 1000)

    with pytest.raises(Corrupted, match=r"meta\.db is damaged"):
        await opened(tmp_path)


async def test_a_day_whose_making_broke_off_is_made_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "activations" / "act-20251121.0123abcd.new"
    unfinished.parent.mkdir()
    unfinished.write_bytes(b"half")
    stores = await opened(tmp_path)

    stores.activations.put(a_record(1))
    await until_written(stores)

    assert await stores.activations.count(ALL) == 1
    await stores.close()
    assert sorted(path.name for path in unfinished.parent.glob("*")) == ["act-20251121.db"]


async def test_too_many_pending_records_are_refused_with_the_cause(
    stores: SqliteStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MAX_RECORDS", 3)
    for number in range(3):
        stores.activations.put(a_record(number))

    with pytest.raises(StoreUnavailable, match="3 records wait for the database"):
        stores.activations.put(a_record(4))
    stores.activations.put(a_record(2))

    await until_written(stores)
    stores.activations.put(a_record(4))


async def test_a_record_that_cannot_be_is_refused_and_stops_nobody(
    stores: SqliteStores,
) -> None:
    for start_ms in (-1, 1 << 60):
        with pytest.raises(ValueError, match="no record starts at"):
            stores.activations.put(a_record(1, start_ms=start_ms, activation_id="foreign"))

    with pytest.raises(ValueError, match="billed"):
        stores.activations.put(a_record(1, billed_ms=1 << 60))

    stores.activations.put(a_record(2))
    await until_written(stores)


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    stores = await opened(tmp_path)
    await stores.close()
    await stores.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        stores.activations.put(a_record(1))
    with pytest.raises(StoreUnavailable, match="closed"):
        await stores.activations.count(ALL)
    with pytest.raises(StoreUnavailable, match="closed"):
        await stores.entities.create(DocId("guest/a"), {})
    with pytest.raises(StoreUnavailable, match="closed"):
        await stores.activations.sync()


async def test_closing_with_a_locked_file_leaves_the_records_in_the_spool(tmp_path: Path) -> None:
    stores = await opened(tmp_path)
    stores.activations.put(a_record(1))
    await until_written(stores)
    lock = locked(tmp_path / "activations" / "act-20251121.db")
    stores.activations.put(a_record(2))

    await stores.close()

    assert stores.pending_records == 1
    lock.close()
    again = await opened(tmp_path)
    assert await again.activations.count(ALL) == 2
    await again.close()


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from common.ids import DocId
from common.store.port import StoreUnavailable
from tests.fakes.records import a_record
from tests.unit.common.store.test_sqlite_faults import opened, until_fault

async def write_until_full():
    stores = await opened(Path(sys.argv[1]))
    stores.activations.put(a_record(0))
    limit_bytes = 200_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    taken = 0
    try:
        for taken in range(1, 100_000):
            stores.activations.put(a_record(taken))
            if taken % 10 == 0:
                await asyncio.sleep(0)
    except StoreUnavailable as error:
        cause = str(error)
    await until_fault(stores)
    documents = 0
    try:
        while True:
            await stores.entities.create(DocId(f"guest/{documents}"), {"text": "x" * 5000})
            documents += 1
    except StoreUnavailable as error:
        print(taken, documents, sep="|", end="|")
        print(cause, stores.fault, error, sep="|", flush=True)
    await stores.close()

asyncio.run(write_until_full())
"""


def test_a_full_disk_refuses_with_the_cause_and_loses_nothing(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    taken, documents, *causes = child.stdout.strip().split("|")

    assert causes[0] == "The spool takes no record: File too large."
    assert "act-20251121.db cannot be used now" in causes[1]
    assert "meta.db cannot be used now" in causes[2]

    async def check() -> None:
        stores = await opened(tmp_path)
        assert await stores.activations.count(ALL) == int(taken) > 100
        audit = await stores.activations.audit(GUEST)
        assert audit.is_exact
        assert audit.ledger.activations == int(taken)
        last = await stores.entities.get(DocId(f"guest/{int(documents) - 1}"))
        assert last.body == {"text": "x" * 5000}
        await stores.close()

    asyncio.run(check())
