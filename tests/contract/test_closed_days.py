"""A day that is closed: its sums are the bill, whatever comes after, also without its records."""

import asyncio
from typing import get_args

import pytest

from common.ids import ActivationId, Namespace
from common.store.port import Missing, NotSealed, Period, Stores
from common.store.shard import Shard, State
from tests.contract.closed import ALL, GUEST, TODAY, bill, sealed, usage, written
from tests.contract.conftest import Reopen
from tests.fakes.records import DAY_MS, HOUR_MS, NOON_MS, a_record, an_action, an_id

OTHER = Namespace("other")
MIDNIGHT_MS = NOON_MS + 12 * HOUR_MS


async def late_places(stores: Stores) -> dict[Shard, State]:
    known = await stores.activations.shards()
    return {shard: state for shard, state in known.items() if shard.is_late}


async def test_sealing_and_dropping_change_no_sum(stores: Stores) -> None:
    store = stores.activations
    records = [
        a_record(1),
        a_record(20, action=an_action("p/x y@z"), memory_mb=128),
        a_record(300, start_ms=NOON_MS + 3 * HOUR_MS),
        a_record(40, namespace=OTHER),
        # Accepted today, begun tomorrow, and the other way round.
        a_record(5, start_ms=MIDNIGHT_MS + 9, activation_id=an_id(5, at_ms=MIDNIGHT_MS - 1)),
        a_record(6, start_ms=NOON_MS - 12 * HOUR_MS - 9, activation_id=an_id(6)),
        a_record(7, start_ms=NOON_MS + DAY_MS),
    ]
    await written(stores, *records)
    periods: tuple[Period, ...] = get_args(Period)
    before = [await usage(store, by) for by in periods]
    other = await bill(store, OTHER)

    report = await sealed(store)

    assert (report.activations, report.billed_ms) == (6, 1 + 20 + 300 + 40 + 5 + 6)
    assert report.mb_ms == 256 * (1 + 300 + 40 + 5 + 6) + 128 * 20
    assert [await usage(store, by) for by in periods] == before
    assert await bill(store) == (6, 339, 256 * 319 + 128 * 20)
    assert await bill(store, OTHER) == other == (1, 40, 40 * 256)
    assert await store.get(GUEST, records[0].activation_id) == records[0]

    await store.drop(TODAY)

    assert (await store.shards())[TODAY] is State.DROPPED
    assert [await usage(store, by) for by in periods] == before
    assert await bill(store, OTHER) == other
    assert list(await store.list(ALL, limit=9, skip=0)) == [records[-1]]
    audit = await store.audit(GUEST)
    assert (audit.ledger.activations, audit.dropped.activations) == (1, 5)
    with pytest.raises(Missing):
        await store.get(GUEST, records[0].activation_id)


async def test_what_is_closed_stays_closed_over_a_restart(reopen: Reopen) -> None:
    stores = await reopen()
    await written(stores, a_record(3), a_record(4, start_ms=NOON_MS - DAY_MS))
    yesterday = Shard(TODAY.day - 1)
    await sealed(stores.activations)
    await sealed(stores.activations, yesterday)
    await stores.activations.drop(yesterday)
    await stores.close()

    store = (await reopen()).activations

    assert await store.shards() == {TODAY: State.SEALED, yesterday: State.DROPPED}
    assert await bill(store) == (2, 7, 7 * 256)
    assert await store.count(ALL) == 1


async def test_what_comes_too_late_is_seen_once_and_summed_apart(stores: Stores) -> None:
    store = stores.activations
    await written(stores, a_record(1))
    first = await sealed(store)
    late = a_record(10, start_ms=NOON_MS + HOUR_MS)

    store.put(late)
    assert await bill(store) == (2, 11, 11 * 256), "also while it is on its way"
    await written(stores)

    assert await bill(store) == (2, 11, 11 * 256)
    assert await store.get(GUEST, late.activation_id) == late
    assert [row.period for row in await usage(store)] == ["2025-11-21T12", "2025-11-21T13"]
    [(place, state)] = (await late_places(stores)).items()
    assert state is State.OPEN
    assert await sealed(store) == first, "what was summed is not touched"

    assert (await sealed(store, place)).billed_ms == 10
    assert await bill(store) == (2, 11, 11 * 256)
    await store.drop(TODAY)
    await store.drop(place)
    assert await bill(store) == (2, 11, 11 * 256)
    assert await store.count(ALL) == 0


async def test_the_late_of_a_closed_late_place_go_to_another(stores: Stores) -> None:
    store = stores.activations
    await written(stores, a_record(1))
    await sealed(store)
    await written(stores, a_record(2))
    [first] = await late_places(stores)
    await sealed(store, first)

    await written(stores, a_record(3))

    assert await bill(store) == (3, 6, 6 * 256)
    assert await late_places(stores) == {
        first: State.SEALED,
        Shard(first.day + 1, is_late=True): State.OPEN,
    }


async def test_a_record_that_comes_again_counts_once_wherever_it_is(stores: Stores) -> None:
    store = stores.activations
    await written(stores, a_record(1))
    await sealed(store)
    await written(stores, a_record(2))

    for _ in range(2):
        for number in (1, 2):
            store.put(a_record(number))
        assert await bill(store) == (2, 3, 3 * 256), "also while they are on their way"
        await written(stores)
        assert await bill(store) == (2, 3, 3 * 256)
        [place] = await late_places(stores)
        await sealed(store, place)


async def test_what_comes_for_a_dropped_day_is_billed_no_second_time(stores: Stores) -> None:
    store = stores.activations
    await written(stores, a_record(1), a_record(2, start_ms=NOON_MS + DAY_MS))
    await sealed(store)
    await written(stores, a_record(3))
    await store.drop(TODAY)

    store.put(a_record(1))
    assert (await usage(store))[0].activations == 2
    await written(stores, a_record(1), a_record(4), a_record(3))

    assert await bill(store) == (3, 6, 6 * 256)
    assert await store.count(ALL) == 2, "the late one is there still"


async def test_sealing_and_dropping_again_is_the_same(reopen: Reopen) -> None:
    stores = await reopen()
    store = stores.activations
    await written(stores, *(a_record(number) for number in range(5)))

    reports = await asyncio.gather(*(store.seal(TODAY) for _ in range(3)))

    assert len(set(reports)) == 1
    for _ in range(2):
        await store.drop(TODAY)
        assert await bill(store) == (5, 10, 2560)
    dropped = await store.seal(TODAY)
    assert (dropped.state, dropped.billed_ms) == (State.DROPPED, 10)


async def test_several_may_close_a_day_at_once(reopen: Reopen) -> None:
    stores = await reopen()
    # Another process, where a store has several.
    others = stores if "Sqlite" in repr(stores) else await reopen()
    one, two = stores.activations, others.activations
    await written(stores, *(a_record(number) for number in range(5)))

    for step in ("seal", "drop", "forget"):
        every = (getattr(store, step)(TODAY) for store in (one, two, one, two))
        await asyncio.gather(*every)
        expected = (0, 0, 0) if step == "forget" else (5, 10, 2560)
        assert await bill(two) == expected

    assert await one.shards() == {}


async def test_only_a_sealed_day_is_dropped_and_only_a_known_one_sealed(stores: Stores) -> None:
    store = stores.activations
    await written(stores, a_record(1))
    unknown = Shard(TODAY.day + 9)

    with pytest.raises(NotSealed):
        await store.drop(TODAY)
    with pytest.raises(NotSealed):
        await store.forget(TODAY)
    for ask in (store.seal, store.drop):
        with pytest.raises(Missing):
            await ask(unknown)
    await store.forget(unknown)

    assert await store.shards() == {TODAY: State.OPEN}
    assert await bill(store) == (1, 1, 256)


async def test_sums_that_are_forgotten_are_gone(stores: Stores) -> None:
    store = stores.activations
    tomorrow = Shard(TODAY.day + 1)
    await written(stores, a_record(1), a_record(2, start_ms=NOON_MS + DAY_MS))
    for shard in (TODAY, tomorrow):
        await sealed(store, shard)
        await store.drop(shard)

    for _ in range(2):
        await store.forget(TODAY)

    assert await store.shards() == {tomorrow: State.DROPPED}
    assert await bill(store) == (1, 2, 512)


async def test_a_place_is_prepared_before_its_first_record(stores: Stores) -> None:
    store = stores.activations
    for _ in range(2):
        await store.prepare(TODAY)
    assert await store.shards() == {TODAY: State.OPEN}
    assert await bill(store) == (0, 0, 0)

    await written(stores, a_record(1))
    empty = Shard(TODAY.day + 1)
    await store.prepare(empty)
    assert (await sealed(store, empty)).activations == 0
    await store.prepare(empty)
    await store.drop(empty)
    await store.prepare(empty)

    assert await store.shards() == {TODAY: State.OPEN, empty: State.DROPPED}
    assert await bill(store) == (1, 1, 256)


async def test_answers_are_exact_while_days_are_sealed_under_them(stores: Stores) -> None:
    await close_under_readers(stores, is_dropped=False)


# PouchDB's server never answers who reads a view while its database is being deleted.
@pytest.mark.parametrize(
    "reopen",
    ["sqlite", "couchfake", pytest.param("couchdb", marks=pytest.mark.couchdb)],
    indirect=True,
)
async def test_answers_are_exact_while_days_are_dropped_under_them(stores: Stores) -> None:
    await close_under_readers(stores, is_dropped=True)


async def close_under_readers(stores: Stores, *, is_dropped: bool) -> None:
    store = stores.activations
    days = [Shard(TODAY.day - number) for number in range(3)]
    for number in range(3):
        start_ms = NOON_MS - number * DAY_MS
        await written(stores, *(a_record(each, start_ms=start_ms) for each in range(30)))
    expected = await usage(store)
    done = asyncio.Event()

    async def close_all() -> None:
        for day in days:
            await sealed(store, day)
            if is_dropped:
                await store.drop(day)
        done.set()

    async def look() -> int:
        looked = 0
        while not done.is_set() or not looked:
            assert await usage(store) == expected
            audit = await store.audit(GUEST)
            assert audit.is_exact
            assert audit.ledger.activations + audit.dropped.activations == 90
            looked += 1
        return looked

    closing, *looked = await asyncio.gather(close_all(), look(), look())

    assert closing is None
    assert all(looked)
    assert await bill(store) == (90, 3 * 435, 3 * 435 * 256)


async def test_a_foreign_id_is_found_among_the_late(stores: Stores) -> None:
    store = stores.activations
    await written(stores, a_record(1))
    await sealed(store)
    foreign = a_record(2, activation_id=ActivationId("44b1a0ed3c124f34b1a0ed3c12ef34aa"))

    await written(stores, foreign)

    assert await store.get(GUEST, foreign.activation_id) == foreign
    assert await bill(store) == (2, 3, 3 * 256)


async def test_a_day_of_many_rows_is_summed_page_by_page(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in (("shards", "_ROWS"), ("sums", "_PAGE"), ("sums", "_AT_ONCE")):
        monkeypatch.setattr(f"common.store.couch_{module}.{name}", 2)
    store = stores.activations
    names = ("a", "b", "p/a", "p/b c")
    records = [
        a_record(
            number, start_ms=NOON_MS + number % 5 * HOUR_MS, action=an_action(names[number % 4])
        )
        for number in range(60)
    ]
    await written(stores, *records, a_record(7, namespace=OTHER))
    before = await usage(store)
    assert len(before) == 20

    assert (await sealed(store)).activations == 61

    assert await usage(store) == before
    assert await bill(store, OTHER) == (1, 7, 7 * 256)
    await store.drop(TODAY)
    assert await usage(store) == before
    await store.forget(TODAY)
    assert await usage(store) == []
