"""The budgets as a controller knows them: what is in force, when, and who is told, once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from common.entity.budget import Budget, Level
from common.ids import Namespace
from common.store.budgets import BudgetStore
from common.store.port import Period, StoreUnavailable, UsageRow
from controller.billing import budgets as budgets_module
from controller.billing.budgets import Budgets
from controller.billing.price import PriceBook
from tests.fakes.clock import FakeClock
from tests.fakes.records import DAY_MS, NOON_MS, a_record
from tests.fakes.running_api import MemoryActivations, MemoryDocs

pytestmark = pytest.mark.looptime
NS = Namespace("guest")
BOOK = PriceBook.of("", [])


class Bill(MemoryActivations):
    """So many activations on the 21st, and one more namespace that has used nothing."""

    def __init__(self, activations: int = 0) -> None:
        super().__init__()
        self.activations = activations
        self.is_away = False
        self.before_answer: Callable[[], None] = lambda: None

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period
    ) -> Sequence[UsageRow]:
        if self.is_away:
            raise StoreUnavailable("away")
        assert by == "day"
        count = self.activations if from_ms <= NOON_MS < to_ms and namespace == NS else 0
        self.before_answer()
        return [UsageRow("2025-11-21", "a", count, 0, 0)]


class World:
    """A budget of ten activations, and a controller that knows it."""

    def __init__(self, activations: int = 0, **fields: Any) -> None:
        self.clock = FakeClock(NOON_MS)
        self.docs = MemoryDocs()
        self.store = BudgetStore(self.docs)
        self.bill = Bill(activations)
        self.fired: list[Mapping[str, Any]] = []
        self.alert_takes_s = 0.0
        self.fields = {"measure": "activations", "amount": 10} | fields
        self.budgets = self.another()

    def another(self) -> Budgets:
        return Budgets(self.store, self.bill, self.clock, BOOK, check_s=15, alert=self._fire)

    async def _fire(self, budget: Budget, event: Mapping[str, Any]) -> None:
        await asyncio.sleep(self.alert_takes_s)
        self.fired.append(event)

    async def began(self) -> "World":
        await self.store.set(NS, self.fields, 1)
        await self.budgets.refresh()
        return self

    def ends(self, count: int) -> None:
        for number in range(count):
            self.budgets.ended(a_record(number))

    @property
    def level(self) -> Level | None:
        said = self.budgets.verdict(NS)
        return None if said is None else said.level


async def while_running(budgets: Budgets, do: Callable[[], Awaitable[None]]) -> None:
    running = asyncio.ensure_future(budgets.run())
    try:
        await do()
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_what_is_spent_already_is_in_force_before_anything_is_served() -> None:
    world = await World(10).began()
    assert world.level is Level.STOPPED
    assert world.budgets.verdict(Namespace("other")) is None


async def test_what_ends_here_is_added_at_once() -> None:
    world = await World(8, throttle=90).began()
    world.ends(1)
    levels = [world.level]
    world.ends(1)
    assert [*levels, world.level] == [Level.THROTTLED, Level.STOPPED]
    shown = world.budgets.shown(NS)
    assert shown is not None
    assert (shown["spent"], shown["level"], shown["percent"]) == (10, "stopped", 100)


async def test_a_new_month_begins_anew() -> None:
    world = await World(10).began()
    world.clock.advance(ms=9 * DAY_MS)
    assert world.level is Level.STOPPED
    world.clock.advance(ms=DAY_MS)
    assert world.level is None, "at once, before the bill was read"
    await world.budgets.refresh()
    assert world.level is None


async def test_what_ends_while_the_bill_is_read_is_not_forgotten() -> None:
    world = await World(9).began()
    world.bill.before_answer = lambda: world.ends(1)
    await world.budgets.refresh()
    assert world.level is Level.STOPPED


async def test_a_budget_that_is_raised_or_deleted_lets_pass_again() -> None:
    world = await World(10).began()
    await world.store.set(NS, {"amount": 20}, 2)
    await world.budgets.refresh()
    assert world.level is None
    await world.store.set(NS, {"amount": 5}, 3)
    await world.budgets.refresh()
    assert world.level is Level.STOPPED
    await world.store.delete(NS)
    await world.budgets.refresh()
    assert (world.level, world.budgets.shown(NS)) == (None, None)


async def test_what_is_known_stays_in_force_while_the_store_is_away() -> None:
    world = await World(10).began()
    world.bill.is_away = True
    await while_running(world.budgets, lambda: asyncio.sleep(60))
    assert world.level is Level.STOPPED
    world.bill.is_away, world.bill.activations = False, 0
    await while_running(world.budgets, lambda: asyncio.sleep(20))
    assert world.level is Level.STOPPED, "what it has counted may be on its way to the bill"
    await while_running(world.budgets, lambda: asyncio.sleep(20))
    assert world.level is None


async def test_each_threshold_is_told_once_also_by_several_controllers() -> None:
    world = await World(8, trigger="alarm").began()
    other = world.another()
    await other.refresh()

    async def month() -> None:
        await asyncio.sleep(40)
        assert [each["level"] for each in world.fired] == ["warned"]
        world.bill.activations = 10
        await asyncio.sleep(40)

    await while_running(world.budgets, lambda: while_running(other, month))
    assert [each["level"] for each in world.fired] == ["warned", "stopped"]
    again = world.another()
    await again.refresh()
    await while_running(again, lambda: asyncio.sleep(40))
    assert len(world.fired) == 2, "a restart tells nothing anew"
    world.clock.advance(ms=10 * DAY_MS)
    world.bill.activations = 0
    await while_running(again, lambda: asyncio.sleep(40))
    assert len(world.fired) == 2
    assert world.level is None


async def test_the_trigger_is_fired_before_what_it_tells_of_is_forbidden() -> None:
    world = await World(9, trigger="alarm", warn=0).began()
    world.alert_takes_s = 2

    async def crossing() -> None:
        await asyncio.sleep(1)
        world.ends(1)
        await asyncio.sleep(1)
        assert world.level is None, "the trigger's action may start still"
        await asyncio.sleep(2)
        assert world.level is Level.STOPPED

    await while_running(world.budgets, crossing)
    assert [each["level"] for each in world.fired] == ["stopped"]


async def test_a_trigger_that_hangs_holds_up_nothing_for_long() -> None:
    world = await World(9, trigger="alarm", warn=0).began()
    world.alert_takes_s = 1000

    async def crossing() -> None:
        world.ends(1)
        await asyncio.sleep(budgets_module.ALERT_S + 1)
        assert world.level is Level.STOPPED

    await while_running(world.budgets, crossing)


async def test_a_budget_that_cannot_be_read_is_left_out_and_the_others_hold() -> None:
    world = await World(10).began()
    await world.docs.create(
        "bud/broken",  # type: ignore[arg-type]
        {"entityType": "budget", "namespace": "budgets", "name": "broken", "amount": "x"},
    )
    await world.budgets.refresh()
    assert world.level is Level.STOPPED
    assert world.budgets.shown(Namespace("broken")) is None
