"""Costs: exact sums of integers, rounded once, shared out so that rows add up."""

from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.store.port import Period, UsageRow
from controller.billing.price import (
    MB_MS_IN_GB_S,
    UNITS_IN_MICRO,
    Price,
    PriceBook,
    cost_of,
    exact,
    micros,
    needed,
    priced,
    shared,
    total_units,
)

USUAL = Price("2026-11-01", million_activations_micros=200_000, million_gb_s_micros=16_666_700)
BOOK = PriceBook.of("EUR", [USUAL])
AMOUNTS = st.integers(0, 10**24)
ROWS = st.lists(
    st.builds(
        UsageRow,
        period=st.sampled_from(["2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01"]),
        action=st.sampled_from(["a", "p/b"]),
        activations=st.integers(0, 10**9),
        billed_ms=st.integers(0, 10**12),
        mb_ms=st.integers(0, 10**15),
    ),
    max_size=12,
)


def row(period: str, activations: int = 0, mb_ms: int = 0) -> UsageRow:
    return UsageRow(period, "hello", activations, mb_ms // 128, mb_ms)


def test_a_million_activations_and_a_million_gb_seconds_cost_their_price() -> None:
    cost = cost_of(row("2026-11-02", 1_000_000, 1_000_000 * MB_MS_IN_GB_S), USUAL)
    assert (micros(cost.activations), micros(cost.memory)) == (200_000, 16_666_700)
    assert str(exact(cost.units)) == "16.8667"
    # One millisecond of 128 MB: to the last digit.
    assert exact(cost_of(row("2026-11-02", 0, 128), USUAL).units) == exact(128 * 16_666_700)
    assert f"{exact(128 * 16_666_700):f}" == "0.0000000020833375"


def test_a_price_holds_from_its_day_until_that_of_the_next() -> None:
    book = PriceBook.of("EUR", [Price("2026-12-01", 2, 2), Price("2026-11-15", 1, 1)])
    days = ["2026-11-14", "2026-11-15", "2026-11-30", "2026-12-01", "2027-01-01"]
    assert [book.at(day).million_gb_s_micros for day in days] == [0, 1, 1, 2, 2]
    assert book.at("2026-12-01T00").million_gb_s_micros == 2
    assert book.at("2026-11-30T23").million_gb_s_micros == 1
    with pytest.raises(ValueError, match="two prices begin on one day"):
        PriceBook.of("EUR", [USUAL, USUAL])


def test_a_month_in_which_the_price_changes_has_both() -> None:
    book = PriceBook.of("EUR", [USUAL, Price("2026-11-15", 400_000, 0)])
    rows = [row("2026-11-14", 1_000_000), row("2026-11-15", 1_000_000), row("2026-12-01", 1)]
    [november, december] = priced(rows, "month", book)
    assert (november.row.period, november.row.activations) == ("2026-11", 2_000_000)
    assert micros(november.cost.units) == 600_000
    assert (december.row.period, micros(december.cost.units)) == ("2026-12", 0)
    assert exact(december.cost.units) == exact(400_000 * MB_MS_IN_GB_S)


@pytest.mark.parametrize("by", ["action", "day", "month"])
@given(rows=ROWS)
def test_however_it_is_grouped_nothing_is_added_or_lost(by: Period, rows: list[UsageRow]) -> None:
    shown = priced(rows, by, BOOK)
    each = sum(cost_of(one, BOOK.at(one.period)).units for one in rows)
    assert total_units(shown) == each
    sums: defaultdict[str, int] = defaultdict(int)
    for one in rows:
        sums[one.action] += one.mb_ms
    assert {a: s for a, s in sums.items() if s} == {
        a: total
        for a in ("a", "p/b")
        if (total := sum(p.row.mb_ms for p in shown if p.row.action == a))
    }
    assert [(p.row.period, p.row.action) for p in shown] == sorted(
        {(p.row.period, p.row.action) for p in shown}
    )


def test_only_hours_need_hours() -> None:
    assert [needed(by) for by in ("action", "hour", "day", "month")] == [
        "day",
        "hour",
        "day",
        "day",
    ]
    hours = [row("2026-11-02T13", 1), row("2026-11-02T14", 1)]
    assert [p.row.period for p in priced(hours, "hour", BOOK)] == ["2026-11-02T13", "2026-11-02T14"]


@given(AMOUNTS)
def test_a_total_is_rounded_to_the_nearest_and_a_half_up(units: int) -> None:
    rounded = Fraction(micros(units))
    assert -Fraction(1, 2) < rounded - Fraction(units, UNITS_IN_MICRO) <= Fraction(1, 2)


@given(st.lists(AMOUNTS, max_size=30))
def test_what_is_shown_adds_up_and_no_row_is_off_by_a_micro(units: list[int]) -> None:
    shown = shared(units)
    assert sum(shown) == micros(sum(units))
    for part, whole in zip(shown, units, strict=True):
        assert abs(Fraction(part) - Fraction(whole, UNITS_IN_MICRO)) < 1


def test_among_equals_the_earlier_row_is_first() -> None:
    half = UNITS_IN_MICRO // 2
    assert shared([half, half, half]) == [1, 1, 0]
    assert shared([half - 1, half + 1]) == [0, 1]


@given(AMOUNTS)
def test_in_the_currency_a_cost_has_all_of_its_digits(units: int) -> None:
    assert Fraction(exact(units)) == Fraction(units, UNITS_IN_MICRO * 1_000_000)
