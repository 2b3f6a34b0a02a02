"""What is read of a CouchDB that is written to meanwhile is of one moment, or is not taken."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cli.upkeep.archive_file import writing
from cli.upkeep.backup import back_up
from cli.upkeep.check import check
from common.clock import SystemClock
from common.ids import DocId
from common.settings import CouchdbSettings
from common.store.contents import Disturbed
from common.store.couch import CouchStores
from common.store.couch_contents import CouchContents
from common.store.shard import Shard, State
from tests.contract.closed import sealed, written
from tests.couchfake.server import CouchFake
from tests.fakes.records import DAY_MS, NOON_MS, a_record
from tests.integration.couch import DAY_NAME, open_stores

Meanwhile = Callable[[], Awaitable[None]]


@pytest.fixture
async def fake() -> AsyncIterator[CouchFake]:
    fake = CouchFake()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def stores(fake: CouchFake, tmp_path: Path) -> AsyncIterator[CouchStores]:
    stores = await open_stores(fake, tmp_path / "data", settle_s=0)
    yield stores
    await stores.close()


class Watched(CouchContents):
    """Has something happen behind each page that it is given of a database."""

    def __init__(self, fake: CouchFake, database: str, meanwhile: Meanwhile) -> None:
        super().__init__(CouchdbSettings(url=fake.url, request_s=2, retry_s=1), SystemClock())
        self._watched = database
        self._meanwhile = meanwhile

    async def _rows(self, database: str, asked: Any) -> AsyncIterator[dict[str, Any]]:
        async for row in super()._rows(database, asked):
            yield row
        if database == self._watched:
            await self._meanwhile()


async def test_documents_that_change_while_they_are_read_are_read_anew(
    fake: CouchFake, stores: CouchStores
) -> None:
    await stores.entities.create(DocId("guest/a"), {"n": 1})
    times = 0

    async def change_twice() -> None:
        nonlocal times
        times += 1
        if times == 1:
            await stores.entities.create(DocId("guest/b"), {"n": 2})
        elif times == 3:
            doc = await stores.entities.get(DocId("guest/a"))
            await stores.entities.replace(doc.id, doc.rev, {"n": 3})

    contents = Watched(fake, "entities", change_twice)
    found = {held.id: held.body async for held in contents.documents("entities")}
    await contents.close()
    assert found == {"guest/a": {"n": 3}, "guest/b": {"n": 2}}
    assert times == 6


async def test_where_there_is_no_moment_of_rest_no_backup_is_left(
    fake: CouchFake, stores: CouchStores, tmp_path: Path
) -> None:
    number = 0

    async def keep_writing() -> None:
        nonlocal number
        number += 1
        await stores.entities.create(DocId(f"guest/{number}"), {})

    contents = Watched(fake, "entities", keep_writing)
    with pytest.raises(Disturbed), writing(tmp_path / "b.gz", force=False) as writer:
        await back_up(contents, writer, SystemClock(), secret_mark=None)
    await contents.close()
    assert not (tmp_path / "b.gz").exists()


async def test_a_day_that_is_dropped_while_it_is_read_is_noticed(
    fake: CouchFake, stores: CouchStores, tmp_path: Path
) -> None:
    await written(stores, *(a_record(number) for number in range(10)))
    shard = Shard(NOON_MS // DAY_MS)
    await sealed(stores.activations, shard)

    async def drop() -> None:
        await stores.activations.drop(shard)

    contents = Watched(fake, DAY_NAME.removeprefix("brisk_"), drop)
    with pytest.raises(Disturbed, match="20251121"), writing(tmp_path / "b", force=True) as writer:
        await back_up(contents, writer, SystemClock(), secret_mark=None)
    await contents.close()
    assert (await stores.activations.shards())[shard] is State.DROPPED


async def test_a_day_that_is_written_to_while_it_is_checked_is_not_called_damaged(
    fake: CouchFake, stores: CouchStores
) -> None:
    await written(stores, *(a_record(number) for number in range(10)))

    async def add_between() -> None:
        await written(stores, a_record(11))

    number = 0

    class Busy(Watched):
        async def ledger(self, place: Any) -> Any:
            nonlocal number
            number += 1
            await written(stores, a_record(20 + number))
            return await super().ledger(place)

    contents = Busy(fake, "nothing", add_between)
    report = await check(contents, None)
    await contents.close()
    assert report.is_sound, report.findings
    still = CouchContents(CouchdbSettings(url=fake.url), SystemClock())
    assert (await check(still, None)).findings == []
    await still.close()


async def test_a_process_that_leases_something_meanwhile_is_no_disturbance(
    fake: CouchFake, stores: CouchStores, tmp_path: Path
) -> None:
    async def lease() -> None:
        doc_id = DocId(f"lease/{len(fake.databases['brisk_meta'].docs)}")
        await stores.meta.create(doc_id, {"holder": "somebody"})

    contents = Watched(fake, "entities", lease)
    with writing(tmp_path / "b.gz", force=False) as writer:
        await back_up(contents, writer, SystemClock(), secret_mark=None)
    await contents.close()
    assert (tmp_path / "b.gz").exists()
