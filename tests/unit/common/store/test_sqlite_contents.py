"""What is read of the embedded stores beside a platform: its files, and its spool."""

from pathlib import Path

import pytest

from cli.upkeep.backup import arriving
from common.append_log import framed
from common.clock import SystemClock
from common.entity import activation_document
from common.settings import StoreSettings
from common.store.contents import WAITING
from common.store.port import StoreUnavailable
from common.store.shard import Shard, State
from common.store.sqlite import SqliteStores
from common.store.sqlite_contents import SqliteContents
from tests.fakes.records import DAY_MS, NOON_MS, a_record

DAY = Shard(NOON_MS // DAY_MS)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Stores with five records, closed."""
    stores = await SqliteStores.open(tmp_path / "store", StoreSettings(), SystemClock())
    for number in range(5):
        stores.activations.put(a_record(number))
    await stores.close()
    return tmp_path / "store"


def spool(folder: Path, *numbers: int, torn: bytes = b"") -> Path:
    """Leave records in the spool, as a process does that was killed."""
    entries = (activation_document.encode(a_record(number)) for number in numbers)
    path = folder / "spool" / "spool-00000009.log"
    path.write_bytes(b"".join(map(framed, entries)) + torn)
    return path


async def found(contents: SqliteContents) -> dict[str, int]:
    """Return how many records each place has."""
    return {
        place.text if place else "waiting": len([1 async for _ in contents.records(place)])
        for place in await contents.places()
    }


def everything(folder: Path) -> dict[Path, bytes]:
    return {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()}


async def test_what_has_arrived_in_a_file_waits_no_more(folder: Path) -> None:
    spool(folder, 3, 4, 5, 6)
    contents = SqliteContents(folder)
    assert await found(contents) == {DAY.text: 5, "waiting": 2}
    ledger = await contents.ledger(WAITING)
    assert [sums.activations for sums in ledger.values()] == [2]
    assert [sums.billed_ms for sums in ledger.values()] == [11]
    await contents.close()


async def test_what_is_half_written_to_the_spool_was_never_promised(folder: Path) -> None:
    spool(folder, 5, torn=framed(activation_document.encode(a_record(6)))[:-9])
    contents = SqliteContents(folder)
    assert await found(contents) == {DAY.text: 5, "waiting": 1}
    assert await contents.damage() == []
    await contents.close()


async def test_a_damaged_spool_is_told_and_the_files_are_read(folder: Path) -> None:
    path = spool(folder, 5, 6)
    path.write_bytes(path.read_bytes().replace(b"stdout", b"STDOUT", 1))
    contents = SqliteContents(folder)
    (complaint,) = await contents.damage()
    assert complaint.startswith("The spool is damaged: ")
    assert (await found(contents))[DAY.text] == 5
    await contents.close()


async def test_reading_changes_nothing_and_takes_nothing_over(folder: Path) -> None:
    path = spool(folder, 5)
    before = everything(folder)
    contents = SqliteContents(folder)
    await found(contents)
    await contents.close()
    assert everything(folder) == before
    assert path.exists()


def test_a_folder_without_stores_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no stores"):
        SqliteContents(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("states", "shard"),
    [
        ({}, DAY),
        ({DAY: State.OPEN}, DAY),
        ({DAY: State.SEALED}, Shard(DAY.day + 3, is_late=True)),
        (
            {DAY: State.SEALED, Shard(DAY.day + 3, is_late=True): State.SEALED},
            Shard(DAY.day + 4, is_late=True),
        ),
        ({DAY: State.DROPPED}, None),
        ({DAY: State.DROPPING}, None),
    ],
)
def test_what_waits_goes_where_the_store_would_put_it(
    states: dict[Shard, State], shard: Shard | None
) -> None:
    assert arriving(a_record(1), states, DAY.day + 3) == shard
