"""The bill, as sums of records: one row per action and hour, added up as a question wants it.

Integers, so that the order of adding is nothing, and every store comes to the same sums.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from common.entity.activation import ActivationRecord
from common.store.port import Period, UsageRow
from common.store.shard import HOUR_MS

ALL_HOURS: Final = (-(1 << 40), 1 << 40)
_PERIOD_FORMATS: Final = {"action": "", "hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


@dataclass(frozen=True, slots=True)
class HourUsage:
    """One row of the ledger. *hour* counts from 1970."""

    path: str
    hour: int
    activations: int
    billed_ms: int
    mb_ms: int


def used(record: ActivationRecord) -> HourUsage:
    """Return what one record adds."""
    return HourUsage(
        path=record.listed_as,
        hour=record.start_ms // HOUR_MS,
        activations=1,
        billed_ms=record.billed_ms,
        mb_ms=record.billed_ms * record.memory_mb,
    )


def added(path: str, hour: int, rows: Iterable[HourUsage]) -> HourUsage:
    """Return the sum of *rows*, under a path and an hour."""
    activations = billed_ms = mb_ms = 0
    for row in rows:
        activations += row.activations
        billed_ms += row.billed_ms
        mb_ms += row.mb_ms
    return HourUsage(path, hour, activations, billed_ms, mb_ms)


def total(rows: Iterable[HourUsage]) -> UsageRow:
    """Return the sum of *rows* as a row without period and action."""
    whole = added("", 0, rows)
    return UsageRow("", "", whole.activations, whole.billed_ms, whole.mb_ms)


def summed(rows: Iterable[HourUsage], by: Period) -> list[UsageRow]:
    """Return the sums of *rows*, one for each period and action, ordered."""
    groups: defaultdict[tuple[str, str], list[HourUsage]] = defaultdict(list)
    for row in rows:
        groups[_period(row.hour, by), row.path].append(row)
    sums = ((period, path, added(path, 0, group)) for (period, path), group in groups.items())
    return sorted(
        UsageRow(period, path, total.activations, total.billed_ms, total.mb_ms)
        for period, path, total in sums
    )


def _period(hour: int, by: Period) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime(_PERIOD_FORMATS[by])
