"""What usage costs: integers, exact until they are shown.

A price is so many millionths of the currency for a million activations, and for a million
GB-seconds (1 GB-s is 1024 · 1000 MB·ms). A cost is a whole number of *units*, of which a millionth
of the currency (a *micro*) has 1 024 000 000 000: no cost of any usage has a fraction of that, so
costs are added up without rounding, in any order.

Rounding happens once, where costs are shown in micros: the total is rounded to the nearest, a half
up, and shared out to its rows by the largest remainder, the earlier row first among equals. So what
is shown adds up to the total that is shown, and no row is off by a whole micro.

A price holds from its day (UTC) until that of the next one; before the first, nothing costs
anything.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from common.store.port import Period, UsageRow

MB_MS_IN_GB_S: Final = 1024 * 1000
MILLION: Final = 1_000_000
UNITS_IN_MICRO: Final = MB_MS_IN_GB_S * MILLION
# Units may have 70 digits; dividing by 2^10 · 10^15 adds 25 decimals at most.
EXACT: Final = Context(prec=100)
_PERIOD_LENGTHS: Final = {"action": 0, "month": len("2026-11"), "day": len("2026-11-21")}


@dataclass(frozen=True, slots=True, order=True)
class Price:
    """What usage costs from a day on; *from_day* is `2026-11-21`."""

    from_day: str
    million_activations_micros: int
    million_gb_s_micros: int


FREE: Final = Price("", 0, 0)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of an installation. *currency* is a code of ISO 4217."""

    currency: str
    prices: tuple[Price, ...]
    """In the order of their days, no two of the same."""

    @classmethod
    def of(cls, currency: str, prices: Iterable[Price]) -> "PriceBook":
        """Return the book with *prices*, in any order. Raises `ValueError` for two of one day."""
        ordered = sorted(prices)
        days = [each.from_day for each in ordered]
        if len(set(days)) < len(days):
            raise ValueError("two prices begin on one day")
        return cls(currency, tuple(ordered))

    def at(self, day: str) -> Price:
        """Return the price of what began on *day*, or at a later moment that begins so."""
        days = [each.from_day for each in self.prices]
        index = bisect_right(days, day[: len("2026-11-21")])
        return self.prices[index - 1] if index else FREE


@dataclass(frozen=True, slots=True)
class Cost:
    """What usage costs, in units."""

    activations: int = 0
    memory: int = 0

    @property
    def units(self) -> int:
        """All of it."""
        return self.activations + self.memory

    def plus(self, other: "Cost") -> "Cost":
        """Return both together."""
        return Cost(self.activations + other.activations, self.memory + other.memory)


@dataclass(frozen=True, slots=True)
class Priced:
    """A row of usage, and what it costs."""

    row: UsageRow
    cost: Cost


def cost_of(row: UsageRow, price: Price) -> Cost:
    """Return what *row* costs at one price."""
    return Cost(
        row.activations * price.million_activations_micros * MB_MS_IN_GB_S,
        row.mb_ms * price.million_gb_s_micros,
    )


def needed(by: Period) -> Period:
    """Return by which periods usage has to be asked for, so that it can be priced and shown."""
    return "hour" if by == "hour" else "day"


def priced(rows: Iterable[UsageRow], by: Period, book: PriceBook) -> list[Priced]:
    """Return *rows* with their costs, summed by the period that is shown, ordered.

    rows: by `needed(by)`.
    """
    sums: defaultdict[tuple[str, str], list[Priced]] = defaultdict(list)
    for row in rows:
        period = row.period if by == "hour" else row.period[: _PERIOD_LENGTHS[by]]
        sums[period, row.action].append(Priced(row, cost_of(row, book.at(row.period))))
    return [_added(*key, sums[key]) for key in sorted(sums)]


def total_units(rows: Iterable[Priced]) -> int:
    """Return what all of *rows* cost, in units."""
    return sum(each.cost.units for each in rows)


def micros(units: int) -> int:
    """Return *units*, not negative, in whole micros: the nearest, a half up."""
    return (2 * units + UNITS_IN_MICRO) // (2 * UNITS_IN_MICRO)


def shared(units: Sequence[int]) -> list[int]:
    """Return each of *units* in whole micros, so that they add up to the rounded total."""
    whole = [each // UNITS_IN_MICRO for each in units]
    missing = micros(sum(units)) - sum(whole)
    by_rest = sorted(range(len(units)), key=lambda at: (-(units[at] % UNITS_IN_MICRO), at))
    for at in by_rest[:missing]:
        whole[at] += 1
    return whole


def exact(units: int) -> Decimal:
    """Return *units* in the currency, without rounding."""
    amount = EXACT.divide(Decimal(units), Decimal(UNITS_IN_MICRO * MILLION))
    return amount.normalize(EXACT)


def _added(period: str, action: str, parts: Sequence[Priced]) -> Priced:
    rows = [each.row for each in parts]
    row = UsageRow(
        period,
        action,
        sum(each.activations for each in rows),
        sum(each.billed_ms for each in rows),
        sum(each.mb_ms for each in rows),
    )
    cost = Cost()
    for each in parts:
        cost = cost.plus(each.cost)
    return Priced(row, cost)
