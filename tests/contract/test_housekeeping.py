"""Who keeps house, and what becomes of days and code in the course of time, in every store."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from common import log, metrics
from common.clock import SystemClock
from common.entity.action import Action, Exec
from common.entity.namespace_limits import RETENTION
from common.ids import DocId, Namespace
from common.settings import RetentionSettings
from common.store.actions import ActionStore
from common.store.housekeeping import Housekeeper
from common.store.lease import Lease
from common.store.port import (
    Corrupted,
    DayStore,
    Doc,
    Missing,
    SealReport,
    Stores,
    StoreUnavailable,
)
from common.store.shard import Shard, State
from common.store.subject_documents import limits_id
from tests.contract.closed import ALL, TODAY, bill, written
from tests.contract.conftest import Reopen
from tests.fakes.clock import FakeClock
from tests.fakes.records import DAY_MS, HOUR_MS, NOON_MS, a_record, an_action

KEEP = RetentionSettings()
TEN_MINUTES_MS = 600_000


def housekeeper(stores: Stores, clock: FakeClock, **changes: Any) -> Housekeeper:
    settings = KEEP.model_copy(update=changes)
    return Housekeeper(stores, settings, clock, name="test")


class Unreadable:
    """Stores whose subjects cannot be read now."""

    def __init__(self, stores: Stores) -> None:
        self.activations, self.meta = stores.activations, stores.meta
        self.subjects = self

    async def every(self) -> AsyncIterator[Doc]:
        raise StoreUnavailable("away")
        yield


async def states(stores: Stores) -> dict[Shard, State]:
    return dict(await stores.activations.shards())


def value(counter: Any) -> float:
    return float(counter._value.get())


async def test_the_life_of_a_day(stores: Stores) -> None:
    clock = FakeClock(NOON_MS)
    house = housekeeper(stores, clock)
    tomorrow = Shard(TODAY.day + 1)

    await house.once()
    assert await states(stores) == {TODAY: State.OPEN, tomorrow: State.OPEN}
    await written(stores, a_record(1), a_record(2))

    clock.advance(ms=12 * HOUR_MS + KEEP.grace_h * HOUR_MS - 1)
    await house.once()
    assert (await states(stores))[TODAY] is State.OPEN
    clock.advance(ms=1)
    with log.set_up("info", BytesIO(), clock), capture_logs() as said:
        await house.once()
    assert (await states(stores))[TODAY] is State.SEALED
    [line] = [line for line in said if line["event"] == "day_sealed"]
    assert (line["day"], line["activations"], line["billed_ms"]) == ("20251121", 2, 3)

    clock.advance(ms=6 * DAY_MS)
    await house.once()
    assert (await states(stores))[TODAY] is State.DROPPED
    assert await bill(stores.activations) == (2, 3, 768)
    assert await stores.activations.count(ALL) == 0

    clock.advance(ms=393 * DAY_MS)
    await house.once()
    assert TODAY not in await states(stores)
    assert await bill(stores.activations) == (0, 0, 0)


async def test_a_day_stays_for_as_long_as_some_namespace_keeps_it(stores: Stores) -> None:
    clock = FakeClock(NOON_MS)
    house = housekeeper(stores, clock)
    await written(stores, a_record(1), a_record(2))
    await stores.subjects.create(limits_id(Namespace("less")), {RETENTION: 1})
    more = await stores.subjects.create(limits_id(Namespace("more")), {RETENTION: 30})
    for days in (2, 8, 29):
        clock.advance(ms=NOON_MS + days * DAY_MS - clock.now_ms())
        await house.once()
        assert (await states(stores))[TODAY] is State.SEALED, "nothing goes early either"

    clock.advance(ms=2 * DAY_MS)
    await house.once()
    assert (await states(stores))[TODAY] is State.DROPPED
    assert await bill(stores.activations) == (2, 3, 768)

    await written(stores, a_record(5, start_ms=clock.now_ms()))
    await stores.subjects.replace(limits_id(Namespace("more")), more, {})
    day = Shard(clock.now_ms() // DAY_MS)
    clock.advance(ms=2 * DAY_MS)
    await house.once()
    clock.advance(ms=6 * DAY_MS)
    await house.once()
    assert (await states(stores))[day] is State.DROPPED


async def test_nothing_goes_while_it_is_not_known_who_keeps_it(stores: Stores) -> None:
    clock = FakeClock(NOON_MS)
    house = housekeeper(stores, clock)
    await written(stores, a_record(1))
    clock.advance(ms=2 * DAY_MS)
    await house.once()
    clock.advance(ms=30 * DAY_MS)
    object.__setattr__(house, "_stores", Unreadable(stores))
    await house.once()
    assert (await states(stores))[TODAY] is State.SEALED


async def test_after_a_long_sleep_all_days_are_caught_up_with(stores: Stores) -> None:
    for number in range(4):
        await written(stores, a_record(1 + number, start_ms=NOON_MS + number * DAY_MS))
    house = housekeeper(stores, FakeClock(NOON_MS + 100 * DAY_MS))

    await house.once()
    await house.once()

    known = await states(stores)
    assert [known[Shard(TODAY.day + number)] for number in range(4)] == [State.DROPPED] * 4
    assert await bill(stores.activations) == (4, 10, 2560)


async def test_one_of_two_keeps_house_and_the_other_takes_over_when_it_is_gone(
    reopen: Reopen,
) -> None:
    clock = FakeClock(NOON_MS)
    here, there = await reopen(), await reopen()
    one = Lease(here.meta, "x", holder="one", lasts_ms=TEN_MINUTES_MS, clock=clock)
    two = Lease(there.meta, "x", holder="two", lasts_ms=TEN_MINUTES_MS, clock=clock)

    assert sorted(await asyncio.gather(one.take(), two.take())) == [False, True]
    if not await one.take():
        one, two = two, one
    assert not await two.take()
    clock.advance(ms=TEN_MINUTES_MS - 1)
    assert await one.take(), "it is renewed"
    clock.advance(ms=1)
    assert not await two.take()

    clock.advance(ms=TEN_MINUTES_MS)
    assert await two.take()
    assert not await one.take()
    await one.give_back()
    assert not await one.take(), "it was not ours to give"
    await two.give_back()
    assert await one.take()


async def test_who_has_no_lease_does_nothing(stores: Stores) -> None:
    clock = FakeClock(NOON_MS)
    lease = Lease(stores.meta, "housekeeping", holder="x", lasts_ms=TEN_MINUTES_MS, clock=clock)
    assert await lease.take()

    assert not await housekeeper(stores, clock).once()
    assert await states(stores) == {}

    clock.advance(ms=TEN_MINUTES_MS)
    await housekeeper(stores, clock).once()
    assert set(await states(stores)) == {TODAY, Shard(TODAY.day + 1)}
    assert await lease.take(), "it was given back"


class Failing:
    """The days of a store of which one request fails, as often as told."""

    def __init__(self, days: DayStore, error: Exception, times: int) -> None:
        self._days = days
        self._error = error
        self.times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._days, name)

    async def seal(self, shard: Shard) -> SealReport:
        if self.times:
            self.times -= 1
            raise self._error
        return await self._days.seal(shard)


def failing(stores: Stores, error: Exception, times: int) -> Failing:
    found = Failing(stores.activations, error, times)
    stores.activations = cast(DayStore, found)
    return found


async def test_a_step_that_fails_is_told_and_done_again_and_the_others_go_on(
    stores: Stores,
) -> None:
    first, second = Shard(TODAY.day - 1), TODAY
    await written(stores, a_record(1), a_record(2, start_ms=NOON_MS - DAY_MS))
    failures = metrics.HOUSEKEEPING_FAILURES["seal"]
    before = value(failures)
    failing(stores, Corrupted("The file is damaged."), 1)
    house = housekeeper(stores, FakeClock(NOON_MS + 5 * DAY_MS))

    with capture_logs() as said:
        await house.once()

    known = await states(stores)
    assert (known[first], known[second]) == (State.OPEN, State.SEALED)
    assert value(failures) - before == 1
    [line] = [line for line in said if line["event"] == "housekeeping_failed"]
    assert (line["step"], line["day"]) == ("seal", "20251120")
    assert line["why"] == "The file is damaged."
    await house.once()
    assert (await states(stores))[first] is State.SEALED


async def test_a_store_that_is_away_is_asked_again_soon(stores: Stores) -> None:
    await written(stores, a_record(1))
    failing(stores, StoreUnavailable("It is away."), 1)
    house = housekeeper(stores, FakeClock(NOON_MS + 5 * DAY_MS))

    assert await house.once(), "soon"
    assert (await states(stores))[TODAY] is State.OPEN
    assert not await house.once()
    assert (await states(stores))[TODAY] is State.SEALED


async def test_it_goes_on_whatever_happens_until_it_is_told_to_end(stores: Stores) -> None:
    await written(stores, a_record(1))
    broken = failing(stores, RuntimeError("a mistake of ours"), 2)
    house = housekeeper(stores, FakeClock(NOON_MS + 5 * DAY_MS), check_s=0.01)
    running = asyncio.ensure_future(house.run())

    async with asyncio.timeout(20):
        while (await states(stores)).get(TODAY) is not State.SEALED:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert broken.times == 0
    assert not running.done()
    running.cancel()
    await asyncio.wait((running,))
    assert running.cancelled()


def an_action_with_code(name: str, text: str) -> Action:
    body = f"def main(args):\n    return {{}}\n# {text}" + " " * 20_000
    return Action(name=an_action(name), exec=Exec(kind="python:3.11", code=body))


async def test_code_that_no_action_names_goes_when_it_is_old(stores: Stores) -> None:
    clock = FakeClock(SystemClock().now_ms())
    house = housekeeper(stores, clock)
    actions = ActionStore(stores.entities, stores.blobs)
    kept = await actions.put(an_action_with_code("kept", "kept"), None)
    gone = await actions.put(an_action_with_code("gone", "gone"), None)
    orphan = await stores.blobs.put(b"of an upload that broke off")
    assert kept.exec.code_ref and gone.exec.code_ref

    await house.once()
    await actions.delete(gone)
    clock.advance(ms=25 * HOUR_MS)
    await house.once()
    for ref in (kept.exec.code_ref, gone.exec.code_ref, orphan):
        assert await stores.blobs.get(ref), "all of it is young"

    clock.advance(ms=48 * HOUR_MS)
    swept = value(metrics.SWEPT_BLOBS)
    await house.once()

    assert value(metrics.SWEPT_BLOBS) - swept == 2
    assert await actions.code(kept)
    for ref in (gone.exec.code_ref, orphan):
        with pytest.raises(Missing):
            await stores.blobs.get(ref)


async def test_code_that_was_named_at_the_last_sweep_stays_until_the_next(stores: Stores) -> None:
    clock = FakeClock(SystemClock().now_ms() + 73 * HOUR_MS)
    house = housekeeper(stores, clock)
    actions = ActionStore(stores.entities, stores.blobs)
    action = await actions.put(an_action_with_code("a", "first"), None)
    assert action.exec.code_ref

    await house.once()
    await actions.delete(action)
    for _ in range(2):  # within a day it sweeps once
        clock.advance(ms=13 * HOUR_MS)
        await house.once()
        assert await stores.blobs.get(action.exec.code_ref)

    clock.advance(ms=25 * HOUR_MS)
    await house.once()
    with pytest.raises(Missing):
        await stores.blobs.get(action.exec.code_ref)


async def test_nothing_is_swept_while_an_action_cannot_be_read(stores: Stores) -> None:
    clock = FakeClock(SystemClock().now_ms() + 73 * HOUR_MS)
    orphan = await stores.blobs.put(b"orphan")
    odd: dict[str, Any] = {"exec": {"codeRef": {"size": 9}}, "entityType": "action"}
    rev = await stores.entities.create(DocId("guest/odd"), odd)

    with capture_logs() as said:
        await housekeeper(stores, clock).once()
    assert "guest/odd" in said[-1]["why"]
    assert await stores.blobs.get(orphan)

    await stores.entities.replace(DocId("guest/odd"), rev, {"entityType": "trigger"})
    await housekeeper(stores, clock).once()
    with pytest.raises(Missing):
        await stores.blobs.get(orphan)


async def test_an_upload_renews_the_date_of_its_code(stores: Stores) -> None:
    ref = await stores.blobs.put(b"code")
    clock = SystemClock()
    first_ms = clock.now_ms()
    async with asyncio.timeout(5):
        while clock.now_ms() == first_ms:  # noqa: ASYNC110 - of the clock
            await asyncio.sleep(0.001)
    between_ms = clock.now_ms()

    assert await stores.blobs.put(b"code") == ref

    assert await stores.blobs.sweep(set(), older_than_ms=between_ms) == 0
    assert await stores.blobs.get(ref) == b"code"


async def test_every_document_is_found_however_many_there_are(stores: Stores) -> None:
    ids = {DocId(f"guest/{number:04}") for number in range(450)}
    await asyncio.gather(*(stores.entities.create(doc_id, {"n": doc_id}) for doc_id in ids))

    found = [doc async for doc in stores.entities.every()]

    assert {doc.id for doc in found} == ids and len(found) == 450
    assert all(doc.body == {"n": doc.id} for doc in found)
    assert await stores.entities.get(found[0].id) == found[0]
