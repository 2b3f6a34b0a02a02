"""The trigger of a budget: fired as its namespace would, tried again under one name, or told of."""

from collections.abc import Mapping
from typing import Any

import pytest

from common.entity.budget import Budget, Measure
from common.entity.identity import Identity
from common.ids import Namespace, Rev, Subject
from controller.events.budget_alert import TRIES, BudgetAlert
from controller.events.client import Reply

pytestmark = pytest.mark.looptime
BUDGET = Budget(
    namespace=Namespace("team"), measure=Measure.COST, amount=1, trigger="alarm", rev=Rev("3-x")
)
EVENT = {"period": "2026-11", "level": "warned"}


class Team:
    """A namespace with one subject, or with nobody."""

    def __init__(self, *, is_there: bool = True) -> None:
        self._is_there = is_there

    async def owner(self, namespace: Namespace) -> Identity | None:
        if not self._is_there:
            return None
        return Identity(
            subject=Subject("alice"),
            namespace=namespace,
            uuid="u",
            invocations_per_minute=1,
            firings_per_minute=1,
            concurrent_invocations=1,
        )

    async def api_key(self, uuid: str) -> str:
        return f"{uuid}:key"


class Fired:
    """Answers with statuses in turn."""

    def __init__(self, *statuses: int | None) -> None:
        self._statuses = list(statuses)
        self.asked: list[tuple[str, str, str, str]] = []

    async def fire(
        self, namespace: str, name: str, auth: str, payload: Mapping[str, Any], *, key: str
    ) -> Reply:
        assert payload == EVENT
        self.asked.append((namespace, name, auth, key))
        return Reply(self._statuses.pop(0))


KEY = "budget/2026-11/warned/3-x"


async def test_it_is_fired_with_the_key_of_the_namespace() -> None:
    fired = Fired(202)
    await BudgetAlert(Team(), fired)(BUDGET, EVENT)
    assert fired.asked == [("team", "alarm", "u:key", KEY)]


async def test_what_had_no_answer_is_the_same_firing_again() -> None:
    fired = Fired(None, 503, 202)
    await BudgetAlert(Team(), fired)(BUDGET, EVENT)
    assert [key for *_, key in fired.asked] == [KEY] * 3


@pytest.mark.parametrize(("statuses", "asked"), [((404,), 1), ((503,) * TRIES, TRIES)])
async def test_what_cannot_be_fired_is_given_up(statuses: tuple[int, ...], asked: int) -> None:
    fired = Fired(*statuses)
    await BudgetAlert(Team(), fired)(BUDGET, EVENT)
    assert len(fired.asked) == asked


async def test_where_nobody_may_use_the_namespace_nothing_is_fired() -> None:
    fired = Fired()
    await BudgetAlert(Team(is_there=False), fired)(BUDGET, EVENT)
    assert fired.asked == []
