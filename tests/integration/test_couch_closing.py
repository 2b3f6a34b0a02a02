"""A day that is being closed in CouchDB while processes die, and while others still write to it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from common.store.couch import CouchStores
from common.store.couch_shards import Shards
from common.store.port import DayStore, StoreError, StoreUnavailable, Unbalanced
from common.store.rollups import Owned
from common.store.shard import Shard, State
from tests.contract.closed import TODAY, bill, sealed, usage
from tests.couchfake.faults import Kind
from tests.couchfake.server import CouchFake
from tests.fakes.records import NOON_MS, a_record, an_action
from tests.integration.couch import (
    DAY_NAME,
    GUEST,
    open_stores,
    put,
    stored,
    until,
    written,
)

WHOLE = (20, 190, 190 * 256)


async def a_day(stores: CouchStores) -> None:
    """Put records of several actions and hours, a few rollups in all."""
    for number in range(20):
        action = an_action(("a", "p/b", "c")[number % 3])
        stores.activations.put(a_record(number, start_ms=NOON_MS + number, action=action))
    await written(stores)


async def close_the_day(store: DayStore) -> None:
    await store.seal(TODAY)
    await store.drop(TODAY)


def sums(fake: CouchFake) -> dict[str, Any]:
    """Return every document with sums, without revisions: what may not differ."""
    return {
        name: entry.body
        for name, entry in fake.databases["brisk_usage"].live().items()
        if not name.startswith("_design/")
    }


@pytest.fixture
async def other(fake: CouchFake, tmp_path: Path) -> AsyncIterator[CouchStores]:
    """Another process."""
    stores = await open_stores(fake, tmp_path / "other")
    yield stores
    await stores.close()


async def requests_to_close(folder: Path) -> int:
    """Return how many requests closing a day takes, when nothing goes wrong."""
    fake = CouchFake()
    await fake.start()
    stores = await open_stores(fake, folder, retry_s=0)
    await a_day(stores)
    before = len(fake.script.requests)
    await close_the_day(stores.activations)
    number = len(fake.script.requests) - before
    await stores.close()
    await fake.stop()
    return number


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
async def test_a_death_between_any_two_steps_changes_no_sum(tmp_path: Path, kind: Kind) -> None:
    steps = await requests_to_close(tmp_path / "count")
    assert steps > 10
    expected: dict[str, Any] = {}
    for step in range(steps):
        fake = CouchFake()
        await fake.start()
        dies = await open_stores(fake, tmp_path / f"{step}-dies", retry_s=0)
        await a_day(dies)
        # Long enough for python-couchdb, which asks again by itself, to give up, too.
        fake.script.add(kind, method="ANY", path=".", after=step, times=6)
        with pytest.raises(StoreError):
            await close_the_day(dies.activations)
        fake.script.faults.clear()

        goes_on = await open_stores(fake, tmp_path / f"{step}-goes-on")
        assert await bill(goes_on.activations) == WHOLE
        await close_the_day(goes_on.activations)

        assert await bill(goes_on.activations) == WHOLE
        assert (await goes_on.activations.shards())[TODAY] is State.DROPPED
        assert DAY_NAME not in fake.databases
        expected = expected or sums(fake)
        assert sums(fake) == expected
        for stores in (dies, goes_on):
            await stores.close()
        await fake.stop()


async def test_sums_have_an_id_and_a_form_that_others_can_rely_on(
    fake: CouchFake, stores: CouchStores
) -> None:
    stores.activations.put(a_record(7, action=an_action("p x/b@c")))
    await written(stores)

    await sealed(stores.activations)

    zero = [0] * 24
    noon = [*zero[:12], 1, *zero[13:]]
    assert sums(fake) == {
        "guest/20251121/20251121/p x/b@c": {
            "namespace": "guest",
            "day": "20251121",
            "path": "p x/b@c",
            "shard": "20251121",
            "run": 0,
            "late": False,
            "activations": noon,
            "billed_ms": [7 * each for each in noon],
            "mb_ms": [7 * 256 * each for each in noon],
        }
    }


async def test_a_write_that_gets_in_while_a_day_is_closed_is_found_and_summed_apart(
    fake: CouchFake, stores: CouchStores, other: CouchStores
) -> None:
    put(other, 3)
    await written(other)
    await sealed(stores.activations)
    before = sums(fake)

    put(other, 2, start=10)  # who has looked a moment ago, and takes the day for open
    await written(other)
    with pytest.raises(Unbalanced, match="has 5 records, and its sums count 3"):
        await stores.activations.drop(TODAY)
    with capture_logs() as said:
        report = await sealed(stores.activations)

    assert (report.activations, report.billed_ms) == (5, 3 + 21)
    assert [line["event"] for line in said] == ["records_came_into_a_sealed_day"]
    assert await bill(stores.activations) == (5, 24, 24 * 256)
    after = sums(fake)
    assert before.items() <= after.items(), "what was summed is not touched"
    (late,) = (body for name, body in after.items() if name not in before)
    assert late["late"]
    await stores.activations.drop(TODAY)
    assert await bill(stores.activations) == (5, 24, 24 * 256)


async def test_late_sums_count_from_the_moment_that_the_day_says_so(
    fake: CouchFake, stores: CouchStores, other: CouchStores, tmp_path: Path
) -> None:
    put(other, 3)
    await written(other)
    await sealed(stores.activations)
    put(other, 2, start=10)
    await written(other)
    fake.script.add("reset_before", method="PUT", path="shard%2F", times=1)

    with pytest.raises(StoreUnavailable):
        await stores.activations.seal(TODAY)
    assert len(sums(fake)) == 2, "they are written"
    assert [row.activations for row in await usage(stores.activations)] == [3]

    await sealed(stores.activations)
    assert await bill(stores.activations) == (5, 24, 24 * 256)


async def test_a_record_that_comes_between_two_looks_is_in_the_sums(
    fake: CouchFake, stores: CouchStores, other: CouchStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(other, 3)
    await written(other)
    look = Shards.everybodys_usage
    looked = 0

    async def look_and_write(self: Shards, shard: Shard) -> list[Owned]:
        nonlocal looked
        rows = await look(self, shard)
        looked += 1
        if looked == 1:
            put(other, 1, start=100)
            await written(other)
        return rows

    monkeypatch.setattr(Shards, "everybodys_usage", look_and_write)

    report = await sealed(stores.activations)

    assert (report.activations, report.billed_ms) == (4, 103)
    assert len(sums(fake)) == 1
    assert await bill(stores.activations) == (4, 103, 103 * 256)


async def test_a_process_that_has_not_heard_of_a_drop_answers_the_same(
    fake: CouchFake, stores: CouchStores, other: CouchStores
) -> None:
    put(other, 3)
    await written(other)
    assert await bill(other.activations) == (3, 3, 768)

    await close_the_day(stores.activations)

    assert await bill(other.activations) == (3, 3, 768)
    assert (await other.activations.audit(GUEST)).dropped.activations == 3


async def test_a_day_waits_for_writes_under_way_before_it_is_summed(
    fake: CouchFake, tmp_path: Path
) -> None:
    stores = await open_stores(fake, tmp_path / "waits", settle_s=60)
    put(stores, 3)
    await written(stores)

    for _ in range(2):
        report = await stores.activations.seal(TODAY)
        assert report.state is State.SEALING
    put(stores, 2, start=10)
    await written(stores)

    late = [shard for shard in await stores.activations.shards() if shard.is_late]
    assert len(late) == 1, "it takes no more records"
    assert await bill(stores.activations) == (5, 24, 24 * 256)
    await stores.close()


async def test_what_may_still_arrive_in_a_day_that_is_being_closed_is_sent_there_again(
    fake: CouchFake, tmp_path: Path
) -> None:
    stores = await open_stores(fake, tmp_path / "closing", settle_s=1)
    put(stores, 1)
    await written(stores)
    fake.script.add("status", status=500, error="timeout", times=1_000)
    put(stores, 2, start=10)
    await until(lambda: fake.script.faults[0].times < 1_000)

    assert (await stores.activations.seal(TODAY)).state is State.SEALING
    fake.script.faults[0].times = 0
    put(stores, 1, start=20)
    await written(stores)

    assert stored(fake) == 3, "those that were sent there before"
    (late,) = (shard for shard in await stores.activations.shards() if shard.is_late)
    assert late.day > TODAY.day
    assert await bill(stores.activations) == (4, 41, 41 * 256)
    async with asyncio.timeout(8):
        while (await stores.activations.seal(TODAY)).state is State.SEALING:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await stores.activations.seal(TODAY)).activations == 3
    assert await bill(stores.activations) == (4, 41, 41 * 256)
    await stores.close()


async def test_a_late_bulk_that_fails_takes_nothing_with_it_that_is_there_already(
    fake: CouchFake, stores: CouchStores
) -> None:
    put(stores, 3)
    await written(stores)
    await sealed(stores.activations)
    fake.script.add("status", path="late", status=500, error="timeout", times=2)

    put(stores, 5)
    await written(stores)

    assert stores.fault is None
    assert await bill(stores.activations) == (5, 10, 2560)


async def test_another_process_learns_that_a_day_is_closed(
    fake: CouchFake, stores: CouchStores, tmp_path: Path
) -> None:
    put(stores, 3)
    await written(stores)
    await sealed(stores.activations)

    fresh = await open_stores(fake, tmp_path / "fresh")
    put(fresh, 5)
    await written(fresh)

    assert await bill(fresh.activations) == (5, 10, 2560)
    (late,) = (shard for shard in await fresh.activations.shards() if shard.is_late)
    found = [name for name in fake.databases[f"brisk_act_{late.text}"].live() if "guest/" in name]
    assert len(found) == 2, "those that are in the closed day already are not written again"
    await fresh.close()


async def test_records_that_are_gone_are_no_reason_to_change_sums(
    fake: CouchFake, stores: CouchStores
) -> None:
    put(stores, 3)
    await written(stores)
    await sealed(stores.activations)
    db = fake.databases[DAY_NAME]
    lost = next(name for name in db.live() if name.startswith("guest/"))
    db.delete(lost, db.docs[lost].rev)

    with pytest.raises(Unbalanced, match="fewer records"):
        await stores.activations.seal(TODAY)
    with pytest.raises(Unbalanced, match="has 2 records, and its sums count 3"):
        await stores.activations.drop(TODAY)

    audit = await stores.activations.audit(GUEST)
    assert not audit.is_exact
    assert DAY_NAME in fake.databases


async def test_a_sealed_day_that_was_deleted_by_hand_is_dropped(
    fake: CouchFake, stores: CouchStores
) -> None:
    put(stores, 3)
    await written(stores)
    await sealed(stores.activations)
    del fake.databases[DAY_NAME]

    assert (await stores.activations.seal(TODAY)).activations == 3
    with capture_logs() as said:
        await stores.activations.drop(TODAY)

    assert "sealed_day_was_deleted_by_hand" in [line["event"] for line in said]
    assert await bill(stores.activations) == (3, 3, 768)
