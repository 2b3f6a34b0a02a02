"""What of a budget is spent, and what follows from it. Values in, values out.

Amounts are compared as integers, in the smallest parts that there are: units of the currency
(`controller.billing.price`), MB·ms, activations. What is shown is rounded, what is decided is not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from common.entity.activation import ActivationRecord
from common.entity.budget import MICROS, Budget, Level, Measure
from common.store.port import UsageRow
from controller.billing import price
from controller.billing.price import MB_MS_IN_GB_S, UNITS_IN_MICRO, PriceBook

STOPPED: Final = (
    "The budget of namespace '{namespace}' is spent: {spent} of {amount} this {every}. Invocations "
    "are accepted again from {resets} on, or when the budget is raised."
)
THROTTLED: Final = (
    "The budget of namespace '{namespace}' is nearly spent: {spent} of {amount} this {every}. No "
    "more than {per_minute} invocations a minute are accepted until {resets}."
)
_PARTS: Final = {
    Measure.COST: UNITS_IN_MICRO,
    Measure.GB_SECONDS: MB_MS_IN_GB_S,
    Measure.ACTIVATIONS: 1,
}
"""The smallest parts in one of what an amount is given in."""
_THOUSANDTH: Final = Decimal("0.001")
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Span:
    """A month or a day."""

    name: str
    """`2026-11`, `2026-11-21`."""
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a budget says of the next invocation, and in which words."""

    level: Level
    per_minute: int
    text: str
    end_ms: int
    """When it begins anew."""


def span(budget: Budget, now_ms: int) -> Span:
    """Return the month or day that *now_ms* is in."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if budget.every == "day":
        return Span(f"{start:%Y-%m-%d}", _ms(start), _ms(start + timedelta(days=1)))
    first = start.replace(day=1)
    # 31 days after the first is always in the next month.
    return Span(f"{first:%Y-%m}", _ms(first), _ms((first + timedelta(days=31)).replace(day=1)))


def spent(budget: Budget, rows: Iterable[UsageRow], book: PriceBook) -> int:
    """Return what usage comes to, in the smallest parts; *rows* are by day."""
    return sum(_parts(budget.measure, row, book) for row in rows)


def added(budget: Budget, record: ActivationRecord, book: PriceBook) -> int:
    """Return what one more activation comes to, in the smallest parts."""
    day = f"{datetime.fromtimestamp(record.start_ms / 1000, UTC):%Y-%m-%d}"
    mb_ms = record.billed_ms * record.memory_mb
    row = UsageRow(day, record.listed_as, 1, record.billed_ms, mb_ms)
    return _parts(budget.measure, row, book)


def level(budget: Budget, spent: int) -> Level:
    """Return the highest threshold that *spent* has reached."""
    whole = budget.amount * _PARTS[budget.measure]
    for found, percent in (
        (Level.STOPPED, budget.stop_percent),
        (Level.THROTTLED, budget.throttle_percent),
        (Level.WARNED, budget.warn_percent),
    ):
        if percent is not None and spent * 100 >= whole * percent:
            return found
    return Level.WITHIN


def verdict(budget: Budget, spent: int, at: Level, now_ms: int, book: PriceBook) -> Verdict:
    """Return what *budget* says when *spent* is spent and *at* is in force."""
    when = span(budget, now_ms)
    text = {Level.STOPPED: STOPPED, Level.THROTTLED: THROTTLED}.get(at, "")
    return Verdict(
        at,
        budget.per_minute,
        text.format(
            namespace=budget.namespace,
            spent=amount_text(budget, spent, book),
            amount=amount_text(budget, budget.amount * _PARTS[budget.measure], book),
            every=budget.every,
            per_minute=budget.per_minute,
            resets=moment(when.end_ms),
        ),
        when.end_ms,
    )


def shown(budget: Budget, spent: int, at: Level, now_ms: int, book: PriceBook) -> dict[str, Any]:
    """Return what `usage` tells of a budget, for programs and for people."""
    whole = budget.amount * _PARTS[budget.measure]
    return {
        "measure": budget.measure,
        "every": budget.every,
        "amount": budget.amount,
        "spent": _rounded(spent, _PARTS[budget.measure]),
        "percent": spent * 100 // whole,
        "level": at.name.lower(),
        "resets": moment(span(budget, now_ms).end_ms),
        "text": f"{amount_text(budget, spent, book)} of {amount_text(budget, whole, book)}",
    }


def event(budget: Budget, spent: int, at: Level, now_ms: int, book: PriceBook) -> dict[str, Any]:
    """Return what a trigger is fired with when a threshold is crossed."""
    facts = shown(budget, spent, at, now_ms, book)
    return {"namespace": budget.namespace, "period": span(budget, now_ms).name} | facts


def amount_text(budget: Budget, parts: int, book: PriceBook) -> str:
    """Return so many of the smallest parts as people write them: `12.34 EUR`, `5 GB-s`."""
    match budget.measure:
        case Measure.COST:
            amount = Decimal(_rounded(parts, UNITS_IN_MICRO)).scaleb(-6).normalize()
            return f"{_with_cents(amount)} {book.currency or 'of a currency without prices'}"
        case Measure.GB_SECONDS:
            exact = Decimal(parts) / Decimal(MB_MS_IN_GB_S)
            return f"{exact.quantize(_THOUSANDTH, ROUND_HALF_UP).normalize():f} GB-s"
        case Measure.ACTIVATIONS:
            return f"{parts} activations"


def moment(ms: int) -> str:
    """Return a moment in the words of ISO 8601."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _parts(measure: Measure, row: UsageRow, book: PriceBook) -> int:
    match measure:
        case Measure.COST:
            return price.cost_of(row, book.at(row.period)).units
        case Measure.GB_SECONDS:
            return row.mb_ms
        case Measure.ACTIVATIONS:
            return row.activations


def _rounded(parts: int, whole: int) -> int:
    return (2 * parts + whole) // (2 * whole)


def _with_cents(amount: Decimal) -> str:
    return f"{amount.quantize(_CENT):f}" if amount == amount.quantize(_CENT) else f"{amount:f}"


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


assert MICROS == price.MILLION
