"""Budgets in every store: written beside controllers, and noted in by one of them."""

import asyncio

import pytest

from common.entity.budget import Level, NotABudget, Told
from common.ids import Namespace
from common.store.budgets import BudgetStore
from common.store.port import Stores

TEAM, OTHER = Namespace("team"), Namespace("other")
GIVEN = {"measure": "cost", "amount": 5_000_000}


async def test_a_budget_is_set_changed_and_deleted(stores: Stores) -> None:
    budgets = BudgetStore(stores.subjects)
    assert await budgets.body(TEAM) is None
    await budgets.set(TEAM, GIVEN, 1)
    await budgets.set(OTHER, GIVEN | {"every": "day"}, 2)
    await budgets.set(TEAM, {"warn": 50}, 3)

    assert await budgets.body(TEAM) == GIVEN | {"warn": 50}
    found = {each.namespace: each for each in await budgets.all()}
    assert (found[TEAM].warn_percent, found[OTHER].every) == (50, "day")
    with pytest.raises(NotABudget):
        await budgets.set(TEAM, {"amount": 0}, 4)

    await budgets.delete(TEAM)
    await budgets.delete(TEAM)
    assert await budgets.body(TEAM) is None
    assert await budgets.names() == [OTHER]


async def test_of_several_one_tells(stores: Stores) -> None:
    budgets = BudgetStore(stores.subjects)
    await budgets.set(TEAM, GIVEN, 1)
    [budget] = await budgets.all()
    told = Told(period="2026-11", level=Level.WARNED)

    assert sorted(await asyncio.gather(*(budgets.tell(budget, told) for _ in range(3)))) == [
        False, False, True,
    ]  # fmt: skip

    [after] = await budgets.all()
    assert after.told == told
    assert not await budgets.tell(budget, told), "it has changed since it was read"
    await budgets.set(TEAM, {"amount": 9}, 2)
    [raised] = await budgets.all()
    assert raised.told == Told(), "a budget that is changed is told of anew"


async def test_more_budgets_than_a_page_holds(stores: Stores) -> None:
    budgets = BudgetStore(stores.subjects)
    for number in range(201):
        await budgets.set(Namespace(f"team{number}"), GIVEN, number)
    assert len(await budgets.names()) == 201
