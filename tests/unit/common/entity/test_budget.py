"""What a budget's document says, and what is refused before it is written."""

from typing import Any

import pytest

from common.entity.budget import (
    Budget,
    Level,
    Measure,
    NotABudget,
    Told,
    budget_of,
    changed,
    micros,
    shown,
)
from common.ids import Namespace

NS = Namespace("team")
LEAST = {"measure": "cost", "amount": 12_500_000}


def test_what_is_not_set_has_its_default() -> None:
    assert budget_of(NS, LEAST) == Budget(
        namespace=NS,
        measure=Measure.COST,
        amount=12_500_000,
        every="month",
        warn_percent=80,
        throttle_percent=None,
        stop_percent=100,
        per_minute=10,
        trigger="",
        told=Told(),
    )


def test_zero_percent_is_never() -> None:
    budget = budget_of(NS, LEAST | {"warn": 0, "stop": 0, "throttle": 90})
    assert (budget.warn_percent, budget.throttle_percent, budget.stop_percent) == (None, 90, None)


def test_what_was_told_is_kept_by_who_tells_and_forgotten_by_who_changes() -> None:
    body = LEAST | {"told": {"period": "2026-11", "level": 2}, "entityType": "budget"}
    assert budget_of(NS, body).told == Told(period="2026-11", level=Level.THROTTLED)
    assert changed(body, {"amount": 5}) == {"measure": "cost", "amount": 5}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"amount": 0}, "amount cannot be 0: a whole number from 1"),
        ({"amount": "5"}, "amount cannot be '5'"),
        ({"amount": True}, "amount cannot be True"),
        ({"measure": "joy"}, "measure cannot be 'joy': one of cost, gbSeconds, activations"),
        ({"every": "year"}, "every cannot be 'year': one of day, month"),
        ({"warn": -1}, "warn cannot be -1: a whole number from 0 to 1000"),
        ({"stop": 1001}, "stop cannot be 1001"),
        ({"perMinute": -1}, "perMinute cannot be -1"),
        ({"trigger": "a/b"}, "trigger cannot be 'a/b'"),
        ({"trigger": 5}, "trigger cannot be 5"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(given: dict[str, Any], text: str) -> None:
    with pytest.raises(NotABudget, match=text):
        changed(LEAST, given)


def test_a_budget_needs_an_amount_of_something() -> None:
    with pytest.raises(NotABudget, match="measure cannot be None"):
        changed({}, {"warn": 5})


@pytest.mark.parametrize(
    ("text", "expected"), [("12.50", 12_500_000), ("0.000001", 1), ("1e3", 10**9)]
)
def test_an_amount_of_money_is_exact(text: str, expected: int) -> None:
    assert micros(text) == expected


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "0.0000001", "NaN", "Infinity", "1e30"])
def test_what_is_no_amount_of_money_is_refused(text: str) -> None:
    with pytest.raises(NotABudget, match=r"a number such as 12\.50"):
        micros(text)


def test_it_is_shown_in_one_order() -> None:
    assert shown({"stop": 90, "trigger": "", **LEAST}) == [
        "measure = cost",
        "amount = 12500000",
        "stop = 90",
    ]
