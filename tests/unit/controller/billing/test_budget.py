"""What of a budget is spent, what follows, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.entity.budget import Budget, Level, Measure
from common.ids import Namespace
from common.store.port import UsageRow
from controller.billing import budget as decide
from controller.billing.price import Price, PriceBook
from tests.fakes.records import a_record

NS = Namespace("team")
NOV_21 = 1_763_726_400_000  # 2025-11-21T12:00Z
BOOK = PriceBook.of("EUR", [Price("2025-01-01", 1_000_000, 0), Price("2025-11-21", 3_000_000, 0)])
FREE = PriceBook.of("", [])


def a_budget(**changes: object) -> Budget:
    usual = {"namespace": NS, "measure": Measure.ACTIVATIONS, "amount": 100}
    return Budget(**(usual | changes))  # type: ignore[arg-type]


def used(day: str, activations: int, mb_ms: int = 0) -> UsageRow:
    return UsageRow(day, "a", activations, 0, mb_ms)


def test_months_and_days_are_those_of_the_calendar() -> None:
    month = decide.span(a_budget(), NOV_21)
    assert (month.name, decide.moment(month.start_ms), decide.moment(month.end_ms)) == (
        "2025-11", "2025-11-01T00:00:00Z", "2025-12-01T00:00:00Z",
    )  # fmt: skip
    day = decide.span(a_budget(every="day"), NOV_21)
    assert (day.name, decide.moment(day.start_ms), decide.moment(day.end_ms)) == (
        "2025-11-21", "2025-11-21T00:00:00Z", "2025-11-22T00:00:00Z",
    )  # fmt: skip


@given(st.integers(0, 4_000_000_000_000), st.sampled_from(["day", "month"]))
def test_every_moment_is_in_its_span(now_ms: int, every: str) -> None:
    span = decide.span(a_budget(every=every), now_ms)
    assert span.start_ms <= now_ms < span.end_ms
    assert decide.span(a_budget(every=every), span.end_ms).start_ms == span.end_ms
    assert span.start_ms == 0 or decide.span(a_budget(every=every), span.start_ms - 1) != span


def test_each_day_is_counted_at_its_own_price() -> None:
    rows = [used("2025-11-20", 1_000_000), used("2025-11-21", 2_000_000)]
    money = a_budget(measure=Measure.COST, amount=7_000_000)
    spent = decide.spent(money, rows, BOOK)
    assert decide.amount_text(money, spent, BOOK) == "7.00 EUR"
    assert decide.level(money, spent) is Level.STOPPED
    assert decide.level(money, spent - 1) is Level.WARNED, "not a millionth of a millionth early"


def test_gb_seconds_and_activations_need_no_prices() -> None:
    rows = [used("2025-11-20", 3, mb_ms=1_024_000), used("2025-11-21", 4, mb_ms=512_000)]
    memory = a_budget(measure=Measure.GB_SECONDS, amount=2)
    assert decide.amount_text(memory, decide.spent(memory, rows, FREE), FREE) == "1.5 GB-s"
    assert decide.spent(a_budget(), rows, FREE) == 7


def test_what_has_no_price_spends_nothing_and_says_so() -> None:
    money = a_budget(measure=Measure.COST, amount=1)
    assert decide.spent(money, [used("2025-11-20", 10**9)], FREE) == 0
    assert "without prices" in decide.amount_text(money, 0, FREE)


@pytest.mark.parametrize("measure", Measure)
def test_a_record_adds_what_the_bill_will_say(measure: Measure) -> None:
    budget = a_budget(measure=measure)
    record = a_record(37, memory_mb=256)
    row = UsageRow("2025-11-21", "hello", 1, 37, 37 * 256)
    assert decide.added(budget, record, BOOK) == decide.spent(budget, [row], BOOK) > 0


@pytest.mark.parametrize(
    ("spent", "level"),
    [(0, Level.WITHIN), (79, Level.WITHIN), (80, Level.WARNED), (89, Level.WARNED),
     (90, Level.THROTTLED), (99, Level.THROTTLED), (100, Level.STOPPED), (10**9, Level.STOPPED)],
)  # fmt: skip
def test_the_highest_threshold_that_is_reached_counts(spent: int, level: Level) -> None:
    assert decide.level(a_budget(throttle_percent=90), spent) is level


def test_a_threshold_that_is_never_is_never_reached() -> None:
    never = a_budget(warn_percent=None, stop_percent=None)
    assert decide.level(never, 10**12) is Level.WITHIN


def test_who_is_refused_learns_of_what_is_spent_and_until_when() -> None:
    budget = a_budget(throttle_percent=90, per_minute=3)
    stopped = decide.verdict(budget, 101, Level.STOPPED, NOV_21, BOOK)
    assert stopped.text == (
        "The budget of namespace 'team' is spent: 101 activations of 100 activations this month. "
        "Invocations are accepted again from 2025-12-01T00:00:00Z on, or when the budget is raised."
    )
    throttled = decide.verdict(budget, 95, Level.THROTTLED, NOV_21, BOOK)
    assert "95 activations of 100 activations this month" in throttled.text
    assert "No more than 3 invocations a minute" in throttled.text
    assert "until 2025-12-01T00:00:00Z" in throttled.text


def test_programs_and_people_are_told_the_same() -> None:
    money = a_budget(measure=Measure.COST, amount=10_000_000)
    spent = decide.spent(money, [used("2025-11-21", 3_000_000)], BOOK)
    event = decide.event(money, spent, Level.WARNED, NOV_21, BOOK)
    assert event == {
        "namespace": "team",
        "period": "2025-11",
        "measure": "cost",
        "every": "month",
        "amount": 10_000_000,
        "spent": 9_000_000,
        "percent": 90,
        "level": "warned",
        "resets": "2025-12-01T00:00:00Z",
        "text": "9.00 EUR of 10.00 EUR",
    }
