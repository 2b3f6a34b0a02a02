"""Backups go from every store into every other, whole or not at all."""

from collections.abc import AsyncIterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cli.upkeep.archive_file import examined, reading, writing
from cli.upkeep.backup import back_up
from cli.upkeep.check import check
from cli.upkeep.restore import RestoreFailed, restore, tally_of
from common.clock import SystemClock
from common.entity.action import BlobRef
from common.ids import DocId, Namespace
from common.settings import ThrottleSettings
from common.store.contents import Contents, Database, NotEmpty
from common.store.port import ActivationFilter, Corrupted, LayoutUnknown, RestoreUnfinished
from common.store.schema import LAYOUT, RESTORING, SCHEMA
from common.store.secrets_file import InstallationSecret
from common.store.shard import Shard
from common.store.subjects import SubjectStore
from tests.contract import closed, holdings
from tests.contract.stores import STORE_PARAMS, STORES, contents, intake, require
from tests.fakes.records import DAY_MS, HOUR_MS, NOON_MS, a_record

GUEST = Namespace("guest")


async def made(adapter: str, folder: Path, file: Path) -> None:
    """Back up the stores of *folder*."""
    held = contents(adapter, folder)
    try:
        with writing(file, force=False) as writer:
            await back_up(held, writer, SystemClock(), secret_mark=None)
    finally:
        await held.close()


async def refill(adapter: str, folder: Path, file: Path) -> Mapping[str, Any]:
    """Restore *file* into the stores of *folder*."""
    filling = intake(adapter, folder)
    try:
        backup = examined(file, LAYOUT)
        await restore(backup, filling, lambda: contents(adapter, folder))
        return backup.tally
    finally:
        await filling.close()


MARKED = {"pouchdb": pytest.mark.pouchdb, "couchdb": pytest.mark.couchdb}
PAIRS = [
    pytest.param(*pair, marks=[MARKED[each] for each in pair if each in MARKED])
    for pair in product(STORES, STORES)
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_everything_comes_back_in_every_store(
    source: str, target: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    require(source, request)
    require(target, request)
    await holdings.filled(source, tmp_path / "old")
    await made(source, tmp_path / "old", tmp_path / "b.gz")
    tally = await refill(target, tmp_path / "new", tmp_path / "b.gz")

    assert tally["counts"] == {
        "subjects": 4, "entities": 4, "code": 1, "records": holdings.RECORDS + 1, "closed": 0,
    }  # fmt: skip
    before, after = await STORES[source](tmp_path / "old"), await STORES[target](tmp_path / "new")
    try:
        for namespace in (GUEST, Namespace("other")):
            wanted = ActivationFilter(namespace=namespace)
            old = await before.activations.list(wanted, limit=200, skip=0)
            assert await after.activations.list(wanted, limit=200, skip=0) == old
            bounds = {"from_ms": 0, "to_ms": 1 << 45}
            for by in ("hour", "action"):
                usage = await before.activations.usage(namespace, **bounds, by=by)
                assert await after.activations.usage(namespace, **bounds, by=by) == usage
                assert usage
            assert (await after.activations.audit(namespace)).is_exact
            for package in (None, "pack"):
                found = [
                    await each.entities.list(namespace, "action", package=package, limit=9, skip=0)
                    for each in (before, after)
                ]
                assert sorted(found[0], key=str) == sorted(found[1], key=str)
        long = (await after.entities.get(DocId("guest/long"))).body["exec"]["codeRef"]
        ref = BlobRef(long["sha256"], long["size"])
        assert (await after.blobs.get(ref)).decode() == holdings.LONG_CODE
        large = holdings.LARGE
        assert await after.activations.get(large.namespace, large.activation_id) == large
        subjects = SubjectStore(
            after.subjects, holdings.SECRET, ThrottleSettings(), clock=SystemClock()
        )
        identity = await subjects.identify(holdings.UUID, holdings.KEY)
        assert identity
        assert (identity.namespace, identity.concurrent_invocations) == (GUEST, 7)
        assert (await after.meta.get(SCHEMA)).body["version"] == LAYOUT
    finally:
        await before.close()
        await after.close()


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_days_that_were_closed_stay_on_the_bill_and_late_records_late(
    source: str, target: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    require(source, request)
    require(target, request)
    sealed_day, dropped_day = closed.TODAY, Shard(closed.TODAY.day - 1)
    stores = await STORES[source](tmp_path / "old")
    store = stores.activations
    await closed.written(
        stores,
        *(a_record(number, start_ms=NOON_MS + number * HOUR_MS // 9) for number in range(30)),
        *(a_record(100 + number, start_ms=NOON_MS - DAY_MS) for number in range(7)),
    )
    await closed.sealed(store, sealed_day)
    await closed.sealed(store, dropped_day)
    await store.drop(dropped_day)
    late = a_record(50)
    await closed.written(stores, late)
    (late_place,) = (shard for shard in await store.shards() if shard.is_late)
    bill, usage = await closed.bill(store), await closed.usage(store)
    states = await store.shards()
    await stores.close()
    held = contents(source, tmp_path / "old")
    report = await check(held, None)
    await held.close()
    assert report.findings == []
    assert report.looked_at["closed days"] == 2

    await made(source, tmp_path / "old", tmp_path / "b.gz")
    tally = await refill(target, tmp_path / "new", tmp_path / "b.gz")

    assert tally["counts"]["closed"] == 2
    assert tally["usage"] == {"guest": list(bill)}
    stores = await STORES[target](tmp_path / "new")
    try:
        store = stores.activations
        assert await store.shards() == states
        assert (await closed.bill(store), await closed.usage(store)) == (bill, usage)
        assert await store.get(GUEST, late.activation_id) == late
        # All goes on: what comes late goes to the late, and days are sealed and dropped.
        again = a_record(51)
        await closed.written(stores, again, late)
        assert sum(await closed.bill(store)) > sum(bill)
        assert (await closed.bill(store))[0] == bill[0] + 1
        await closed.sealed(store, late_place)
        await store.drop(sealed_day)
        await store.forget(dropped_day)
        assert (await closed.bill(store))[0] == bill[0] + 1 - 7
    finally:
        await stores.close()


@pytest.fixture(params=STORE_PARAMS)
async def adapter(request: pytest.FixtureRequest) -> str:
    require(request.param, request)
    return str(request.param)


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Path]:
    """A backup of filled stores."""
    await holdings.filled("sqlite", tmp_path / "source")
    await made("sqlite", tmp_path / "source", tmp_path / "b.gz")
    yield tmp_path / "b.gz"


async def test_a_backup_changes_nothing(adapter: str, tmp_path: Path) -> None:
    await holdings.filled(adapter, tmp_path / "data")
    first, second = tmp_path / "1.gz", tmp_path / "2.gz"
    await made(adapter, tmp_path / "data", first)
    await made(adapter, tmp_path / "data", second)
    tallies = []
    for each in (first, second):
        with reading(each, LAYOUT) as backup:
            assert list(backup.items())
            tallies.append(backup.tally)
    assert tallies[0] == tallies[1]


async def test_a_backup_of_stores_in_use_is_of_one_moment(adapter: str, tmp_path: Path) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    try:
        await holdings.fill(stores)
        await made(adapter, tmp_path / "data", tmp_path / "b.gz")
        await refill("sqlite", tmp_path / "new", tmp_path / "b.gz")
    finally:
        await stores.close()


async def test_stores_that_are_not_empty_are_left_alone(
    adapter: str, file: Path, tmp_path: Path
) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    await stores.entities.create(DocId("guest/mine"), {"entityType": "action"})
    await stores.close()
    with pytest.raises(NotEmpty, match="1 entities"):
        await refill(adapter, tmp_path / "data", file)
    stores = await STORES[adapter](tmp_path / "data")
    assert (await stores.entities.get(DocId("guest/mine"))).body == {"entityType": "action"}
    assert await stores.subjects.count(Namespace("namespaces"), "namespace", package=None) == 0
    await stores.close()


async def test_a_restore_that_was_broken_off_keeps_everybody_out_until_it_is_done_again(
    adapter: str, file: Path, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    filling = intake(adapter, tmp_path / "data")
    original, calls = filling.add_records, 0

    async def add_some(shard: Shard, documents: Any) -> None:
        nonlocal calls
        await original(shard, documents)
        calls += 1
        if calls == 2:
            raise Killed

    filling.add_records = add_some  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await restore(examined(file, LAYOUT), filling, lambda: contents(adapter, tmp_path / "data"))
    await filling.close()
    with pytest.raises(RestoreUnfinished, match=r"b\.gz"):
        await STORES[adapter](tmp_path / "data")
    held = contents(adapter, tmp_path / "data")
    with pytest.raises(RestoreUnfinished), writing(tmp_path / "no.gz", force=False) as writer:
        await back_up(held, writer, SystemClock(), secret_mark=None)
    await held.close()

    # With another backup: nothing of the first is left over.
    await small(tmp_path / "small", tmp_path / "small.gz")
    await refill(adapter, tmp_path / "data", tmp_path / "small.gz")
    stores = await STORES[adapter](tmp_path / "data")
    assert (await stores.entities.get(DocId("x/y"))).body == {"a": 1}
    assert await stores.activations.count(ActivationFilter(namespace=GUEST)) == 0
    await stores.close()


async def small(folder: Path, file: Path) -> None:
    """Make a backup of one document."""
    stores = await STORES["sqlite"](folder)
    await stores.entities.create(DocId("x/y"), {"a": 1})
    await stores.close()
    await made("sqlite", folder, file)


async def test_what_is_there_and_not_in_the_backup_is_noticed_before_anybody_uses_it(
    adapter: str, file: Path, tmp_path: Path
) -> None:
    filling = intake(adapter, tmp_path / "data")
    original = filling.add_documents

    async def add_one_more(database: Database, documents: Any) -> None:
        more = [(DocId("guest/stranger"), {"b": 2})] if database == "entities" else []
        await original(database, [*documents, *more])

    filling.add_documents = add_one_more  # type: ignore[method-assign]
    with pytest.raises(RestoreFailed, match="5 entities instead of 4"):
        await restore(examined(file, LAYOUT), filling, lambda: contents(adapter, tmp_path / "data"))
    await filling.close()
    with pytest.raises(RestoreUnfinished):
        await STORES[adapter](tmp_path / "data")


async def test_a_newer_layout_is_neither_read_nor_wiped(
    adapter: str, file: Path, tmp_path: Path
) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    said = await stores.meta.get(SCHEMA)
    newer = {"version": 99, "written_by": "Brisk 9.9.9"}
    await stores.meta.replace(SCHEMA, said.rev, newer)
    await stores.meta.create(RESTORING, {"file": "of a newer one"})
    await stores.entities.create(DocId("guest/newer"), {"c": 3})
    await stores.close()
    with pytest.raises(LayoutUnknown):
        await refill(adapter, tmp_path / "data", file)
    held = contents(adapter, tmp_path / "data")
    assert (await held.about())[SCHEMA] == newer
    assert [each.id async for each in held.documents("entities")] == ["guest/newer"]
    with pytest.raises(LayoutUnknown), writing(tmp_path / "no.gz", force=False) as writer:
        await back_up(held, writer, SystemClock(), secret_mark=None)
    await held.close()
    assert not (tmp_path / "no.gz").exists()


async def test_what_is_read_again_is_counted_and_billed_alike(adapter: str, tmp_path: Path) -> None:
    await holdings.filled(adapter, tmp_path / "data")
    held: Contents = contents(adapter, tmp_path / "data")
    tally, unequal = await tally_of(held)
    await held.close()
    assert unequal == []
    assert sum(amount.activations for amount in tally.usage.values()) == holdings.RECORDS + 1


async def test_no_key_can_be_read_with_another_secret(file: Path, tmp_path: Path) -> None:
    await refill("sqlite", tmp_path / "data", file)
    stores = await STORES["sqlite"](tmp_path / "data")
    other = SubjectStore(
        stores.subjects, InstallationSecret(b"o" * 32), ThrottleSettings(), clock=SystemClock()
    )
    assert await other.identify(holdings.UUID, holdings.KEY) is None
    with pytest.raises(Corrupted):
        await other.api_key(holdings.UUID)
    await stores.close()
