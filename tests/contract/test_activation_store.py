"""What every store of records does, and that what it bills is the sum of what it holds."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.entity.activation import ActivationRecord, Response, Status
from common.ids import ActivationId, Namespace
from common.store.port import (
    ActivationFilter,
    ActivationStore,
    Missing,
    Period,
    Stores,
    UsageRow,
)
from tests.contract.conftest import Reopen
from tests.contract.stores import HISTORY_PARAMS, STORES, require
from tests.fakes.records import DAY_MS, HOUR_MS, NOON_MS, a_record, an_action, an_id

GUEST = Namespace("guest")
OTHER = Namespace("other")
ALL = ActivationFilter(namespace=GUEST)
FOREIGN = ActivationId("44b1a0ed3c124f34b1a0ed3c12ef34aa")


@pytest.fixture
def store(stores: Stores) -> ActivationStore:
    return stores.activations


async def numbers(store: ActivationStore, limit: int = 200, skip: int = 0, **f: Any) -> list[int]:
    wanted = ActivationFilter(**({"namespace": GUEST} | f))
    return [r.billed_ms for r in await store.list(wanted, limit=limit, skip=skip)]


async def total(store: ActivationStore, namespace: Namespace = GUEST) -> tuple[int, int, int]:
    audit = await store.audit(namespace)
    assert audit.is_exact
    return audit.ledger.activations, audit.ledger.billed_ms, audit.ledger.mb_ms


async def test_a_record_can_be_read_at_once_and_later(reopen: Reopen) -> None:
    record = a_record(1, response=Response(status=Status.SUCCESS, result=b'{"n": 1.0}'))
    stores = await reopen()

    stores.activations.put(record)
    assert await stores.activations.get(GUEST, record.activation_id) == record

    await stores.close()
    stores = await reopen()
    assert await stores.activations.get(GUEST, record.activation_id) == record


async def test_whoever_waits_for_a_record_to_arrive_waits_no_longer_than_that(
    store: ActivationStore,
) -> None:
    record = a_record(1)
    store.put(record)
    for known in (record.activation_id, an_id(2)):
        await asyncio.wait_for(store.arrived(GUEST, known), 10)


async def test_an_unknown_record_is_missing(store: ActivationStore) -> None:
    for unknown in (an_id(1), FOREIGN, ActivationId("f" * 32)):
        with pytest.raises(Missing):
            await store.get(GUEST, unknown)


async def test_a_list_has_the_newest_start_first(reopen: Reopen) -> None:
    starts = (NOON_MS, NOON_MS + 5, NOON_MS - 3 * DAY_MS, NOON_MS + 40 * DAY_MS, NOON_MS + DAY_MS)
    before = await reopen()
    for number, start_ms in enumerate(starts):
        before.activations.put(a_record(number, start_ms=start_ms))

    assert await numbers(before.activations) == [3, 4, 1, 0, 2]
    await before.close()
    after = (await reopen()).activations
    assert await numbers(after) == [3, 4, 1, 0, 2]
    assert await numbers(after, limit=2, skip=1) == [4, 1]
    assert await numbers(after, limit=2, skip=5) == []
    assert await numbers(after, limit=0) == []


async def test_bounds_are_inclusive(store: ActivationStore) -> None:
    for number in range(5):
        store.put(a_record(number, start_ms=NOON_MS + number))

    bounds: dict[str, Any] = {"since_ms": NOON_MS + 1, "upto_ms": NOON_MS + 3}
    assert await numbers(store, **bounds) == [3, 2, 1]
    assert await store.count(ActivationFilter(namespace=GUEST, **bounds)) == 3
    assert await numbers(store, since_ms=1 << 70) == []
    assert await numbers(store, upto_ms=-(1 << 70)) == []


async def test_a_name_selects_the_action_with_or_without_its_package(
    store: ActivationStore,
) -> None:
    for number, name in enumerate(("a", "p/a", "p/b", "b")):
        store.put(a_record(number, action=an_action(name)))

    assert await numbers(store, name="a") == [0]
    assert await numbers(store, name="p/a") == [1]
    assert await store.count(ActivationFilter(namespace=GUEST, name="p/b")) == 1
    assert await store.count(ActivationFilter(namespace=GUEST, name="c")) == 0


async def test_nobody_sees_another_namespace(reopen: Reopen) -> None:
    stores = await reopen()
    mine, theirs = a_record(1), a_record(2, namespace=OTHER)
    for record in (mine, theirs):
        stores.activations.put(record)

    for _ in range(2):
        store = stores.activations
        with pytest.raises(Missing):
            await store.get(GUEST, theirs.activation_id)
        assert await numbers(store) == [1]
        assert await store.count(ALL) == 1
        assert await total(store) == (1, 1, 256)
        [row] = await store.usage(GUEST, from_ms=0, to_ms=NOON_MS * 2, by="month")
        assert row.activations == 1
        await stores.close()
        stores = await reopen()


async def test_a_record_counts_once_however_often_it_is_put(reopen: Reopen) -> None:
    for _ in range(3):
        stores = await reopen()
        for _ in range(3):
            stores.activations.put(a_record(7))
            assert await total(stores.activations) == (1, 7, 7 * 256)
        await stores.close()

    assert await total((await reopen()).activations) == (1, 7, 7 * 256)


async def test_the_first_of_two_records_of_one_activation_stays(reopen: Reopen) -> None:
    stores = await reopen()
    stores.activations.put(a_record(7))
    await stores.close()
    stores = await reopen()
    stores.activations.put(a_record(7, billed_ms=9))
    await stores.close()

    store = (await reopen()).activations
    assert (await store.get(GUEST, an_id(7))).billed_ms == 7
    assert await total(store) == (1, 7, 7 * 256)


@pytest.mark.parametrize(
    "activation_id",
    [FOREIGN, ActivationId("not-hex"), an_id(1, at_ms=NOON_MS - 9 * DAY_MS), an_id(1, at_ms=0)],
)
async def test_an_id_that_does_not_tell_the_day_is_found(
    reopen: Reopen, activation_id: ActivationId
) -> None:
    record = a_record(1, activation_id=activation_id)
    stores = await reopen()
    stores.activations.put(record)
    stores.activations.put(a_record(2, start_ms=NOON_MS + DAY_MS))
    await stores.close()

    store = (await reopen()).activations
    assert await store.get(GUEST, activation_id) == record
    assert await store.count(ALL) == 2


async def test_a_record_that_waited_over_midnight_is_listed_and_billed_where_it_started(
    reopen: Reopen,
) -> None:
    midnight_ms = NOON_MS + 12 * HOUR_MS
    stores = await reopen()
    late = a_record(5, start_ms=midnight_ms + 9, activation_id=an_id(5, at_ms=midnight_ms - 1))
    stores.activations.put(late)
    await stores.close()

    store = (await reopen()).activations
    assert await store.get(GUEST, late.activation_id) == late
    assert await numbers(store, since_ms=midnight_ms) == [5]
    rows = await store.usage(GUEST, from_ms=midnight_ms, to_ms=midnight_ms + DAY_MS, by="day")
    assert rows == [UsageRow("2025-11-22", "hello", 1, 5, 5 * 256)]


async def test_usage_sums_by_action_hour_day_and_month(reopen: Reopen) -> None:
    stores = await reopen()
    put = stores.activations.put
    put(a_record(10))
    put(a_record(0, start_ms=NOON_MS + 1))
    put(a_record(20, start_ms=NOON_MS + HOUR_MS, memory_mb=128))
    put(a_record(30, start_ms=NOON_MS + DAY_MS, action=an_action("p/x")))
    put(a_record(40, start_ms=NOON_MS + 10 * DAY_MS))

    async def usage(store: ActivationStore, by: Period) -> Sequence[UsageRow]:
        return await store.usage(GUEST, from_ms=NOON_MS, to_ms=NOON_MS + 30 * DAY_MS, by=by)

    for _ in range(2):
        store = stores.activations
        assert await usage(store, "action") == [
            UsageRow("", "hello", 4, 70, 50 * 256 + 20 * 128),
            UsageRow("", "p/x", 1, 30, 30 * 256),
        ]
        assert await usage(store, "hour") == [
            UsageRow("2025-11-21T12", "hello", 2, 10, 2560),
            UsageRow("2025-11-21T13", "hello", 1, 20, 2560),
            UsageRow("2025-11-22T12", "p/x", 1, 30, 7680),
            UsageRow("2025-12-01T12", "hello", 1, 40, 10240),
        ]
        assert [row.period for row in await usage(store, "day")] == [
            "2025-11-21",
            "2025-11-22",
            "2025-12-01",
        ]
        assert await usage(store, "month") == [
            UsageRow("2025-11", "hello", 3, 30, 2560 + 2560),
            UsageRow("2025-11", "p/x", 1, 30, 7680),
            UsageRow("2025-12", "hello", 1, 40, 10240),
        ]
        await stores.close()
        stores = await reopen()


async def test_usage_begins_with_its_first_hour_and_ends_before_its_last(
    store: ActivationStore,
) -> None:
    for number, start_ms in enumerate((NOON_MS - 1, NOON_MS, NOON_MS + HOUR_MS - 1)):
        store.put(a_record(1 << number, start_ms=start_ms))
    store.put(a_record(8, start_ms=NOON_MS + HOUR_MS))

    async def billed(from_ms: int, to_ms: int) -> int:
        rows = await store.usage(GUEST, from_ms=from_ms, to_ms=to_ms, by="hour")
        return sum(row.billed_ms for row in rows)

    assert await billed(NOON_MS, NOON_MS + HOUR_MS) == 2 + 4
    assert await billed(NOON_MS + 9, NOON_MS + 10) == 2 + 4
    assert await billed(NOON_MS, NOON_MS) == 0
    assert await billed(0, 2 * NOON_MS) == 15


async def test_every_answer_is_exact_while_records_are_being_written(
    store: ActivationStore,
) -> None:
    written = 0
    for _ in range(20):
        for _ in range(100):
            store.put(a_record(written))
            written += 1
        counted, rows, sums = await asyncio.gather(
            store.count(ALL),
            store.usage(GUEST, from_ms=NOON_MS, to_ms=NOON_MS + 1, by="hour"),
            total(store),
        )
        assert counted == rows[0].activations == sums[0] == written


async def test_records_survive_a_crash_and_are_there_at_once(reopen: Reopen) -> None:
    before = await reopen()
    records = [a_record(number) for number in range(1000)]
    for record in records:
        before.activations.put(record)

    store = (await reopen()).activations

    assert await store.count(ALL) == 1000
    assert await total(store) == (1000, *(await total(before.activations))[1:])
    assert await store.get(GUEST, records[500].activation_id) == records[500]


async def test_sync_returns_for_many_callers(store: ActivationStore) -> None:
    async def put_and_sync(number: int) -> None:
        store.put(a_record(number))
        await store.sync()

    await asyncio.gather(*map(put_and_sync, range(64)))

    assert await store.count(ALL) == 64


async def test_a_cancelled_reader_disturbs_nobody(store: ActivationStore) -> None:
    store.put(a_record(1))
    readers = [asyncio.ensure_future(store.count(ALL)) for _ in range(10)]
    await asyncio.sleep(0)
    for reader in readers[::2]:
        reader.cancel()

    outcomes = await asyncio.gather(*readers, return_exceptions=True)

    assert [o for o in outcomes if not isinstance(o, asyncio.CancelledError)] == [1] * 5


HISTORIES = st.lists(
    st.builds(
        lambda number, hours, billed_ms, memory_mb, name, ours: a_record(
            number,
            start_ms=NOON_MS + hours * HOUR_MS,
            billed_ms=billed_ms,
            memory_mb=memory_mb,
            action=an_action(name),
            activation_id=an_id(number) if ours else ActivationId(f"foreign{number}"),
        ),
        number=st.integers(0, 12),
        hours=st.integers(-50, 50),
        billed_ms=st.integers(0, 300_000),
        memory_mb=st.sampled_from([128, 256, 512]),
        name=st.sampled_from(["a", "p/a"]),
        ours=st.booleans(),
    ),
    max_size=30,
)


@pytest.mark.parametrize("adapter", HISTORY_PARAMS)
@given(history=HISTORIES, crashes=st.lists(st.booleans(), min_size=1, max_size=3))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_usage_is_the_sum_of_the_records_after_any_history(
    adapter: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[ActivationRecord],
    crashes: list[bool],
) -> None:
    require(adapter, request)
    first: dict[ActivationId, ActivationRecord] = {}
    # Two records of one activation go to one file only if they start within a day of their id.
    history = [r for r in history if first.setdefault(r.activation_id, r).start_ms == r.start_ms]

    async def live() -> None:
        folder = tmp_path_factory.mktemp("history")
        opened = []
        for has_crashed in crashes:
            stores = await STORES[adapter](folder)
            opened.append(stores)
            for record in history:
                stores.activations.put(record)
            if not has_crashed:
                await stores.close()
        stores = await STORES[adapter](folder)
        rows = await stores.activations.usage(GUEST, from_ms=0, to_ms=NOON_MS * 2, by="hour")
        assert sum(row.activations for row in rows) == len(first)
        assert sum(row.billed_ms for row in rows) == sum(r.billed_ms for r in first.values())
        assert sum(row.mb_ms for row in rows) == sum(
            r.billed_ms * r.memory_mb for r in first.values()
        )
        await total(stores.activations)
        for opened_stores in (*opened, stores):
            await opened_stores.close()

    asyncio.run(live())
