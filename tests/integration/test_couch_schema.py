"""A CouchDB that is away at the start is looked at before anything is sent to it."""

import asyncio
from pathlib import Path

import pytest

from common.ids import DocId
from common.store.port import LayoutUnknown, StoreUnavailable
from common.store.schema import SCHEMA
from tests.couchfake.server import CouchFake
from tests.integration.couch import open_stores, put, written


async def test_one_that_comes_back_with_a_newer_layout_is_not_touched(tmp_path: Path) -> None:
    fake = CouchFake()
    await fake.start()
    first = await open_stores(fake, tmp_path / "first")
    said = await first.meta.get(SCHEMA)
    await first.meta.replace(SCHEMA, said.rev, {"version": 99, "written_by": "Brisk 9.9.9"})
    await first.close()
    await fake.stop()
    late = await open_stores(fake, tmp_path / "late", retry_s=0)
    try:
        with pytest.raises(StoreUnavailable):
            await late.entities.create(DocId("guest/a"), {})
        put(late, 3)
        await fake.start(fake.port)
        before = {name: db.seq for name, db in fake.databases.items()}
        answers = await asyncio.gather(
            *(late.entities.create(DocId(f"guest/{n}"), {}) for n in range(20)),
            return_exceptions=True,
        )
        assert {type(each) for each in answers} == {LayoutUnknown}
        assert {name: db.seq for name, db in fake.databases.items()} == before
        assert late.pending_records == 3
    finally:
        await late.close()
        await fake.stop()


async def test_one_that_comes_back_empty_is_laid_out_by_the_first_request(tmp_path: Path) -> None:
    fake = CouchFake()
    await fake.start()
    await fake.stop()
    late = await open_stores(fake, tmp_path / "late")
    try:
        put(late, 3)
        await fake.start(fake.port)
        await asyncio.gather(*(late.entities.create(DocId(f"guest/{n}"), {}) for n in range(20)))
        assert (await late.meta.get(SCHEMA)).body["version"] >= 1
        await written(late)
    finally:
        await late.close()
        await fake.stop()


async def test_a_server_that_lost_its_disk_is_laid_out_anew(tmp_path: Path) -> None:
    fake = CouchFake()
    await fake.start()
    stores = await open_stores(fake, tmp_path / "data")
    try:
        fake.databases.clear()
        await stores.entities.create(DocId("guest/a"), {})
        assert (await stores.meta.get(SCHEMA)).body["version"] >= 1
    finally:
        await stores.close()
        await fake.stop()
