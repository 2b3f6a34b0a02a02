"""Which day holds a record, and which days a question is about.

Records are kept by UTC day, a file or a database each, which is dropped whole when its time is
over. Which one follows from the record alone, so nothing has to remember it: an id of ours begins
with the moment it was accepted, and that day is the record's. An id from elsewhere, or one that had
waited for more than a day, goes by its start. So a day holds only starts from a day before its own
to a day after.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from common.append_log import Segment
from common.entity.activation import ActivationRecord
from common.ids import ActivationId, Namespace, accepted_ms
from common.store.port import ActivationFilter

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
EPOCH: Final = date(1970, 1, 1).toordinal()
# Two days before the end of the calendar, so that every day nearby has a name.
_LAST_START_MS: Final = (date.max.toordinal() - EPOCH - 2) * DAY_MS
_OURS: Final = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}\Z")
_EVER: Final = (-(1 << 62), 1 << 62)

Key: TypeAlias = tuple[Namespace, ActivationId]


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A record on its way to the file of its day."""

    record: ActivationRecord
    document: bytes
    day: int
    segment: Segment
    """Where the spool keeps it until it is committed."""

    @property
    def key(self) -> Key:
        """What identifies the record."""
        return self.record.namespace, self.record.activation_id


def day_of(activation_id: ActivationId, start_ms: int) -> int:
    """Return the day, counted from 1970, whose file or database holds a record.

    Raises `ValueError` for a start that no calendar has.
    """
    if not 0 <= start_ms <= _LAST_START_MS:
        raise ValueError(f"no record starts at {start_ms} ms")
    hinted = hinted_day(activation_id)
    if hinted is not None and abs(accepted_ms(activation_id) - start_ms) <= DAY_MS:
        return hinted
    return start_ms // DAY_MS


def hinted_day(activation_id: ActivationId) -> int | None:
    """Return the day of which an id speaks; None when it is not one of ours."""
    if _OURS.match(activation_id) is None:
        return None
    return accepted_ms(activation_id) // DAY_MS


def likeliest_first(stored: Iterable[int], activation_id: ActivationId) -> list[int]:
    """Return those of the days *stored* that may hold an id, the likeliest first."""
    hinted = hinted_day(activation_id)
    if hinted is None:
        return sorted(stored, reverse=True)
    # An activation starts when it was accepted or later; the day before, for clocks that differ.
    return sorted((day for day in stored if day >= hinted - 1), key=lambda day: (day < hinted, day))


def first_start_ms(day: int) -> int:
    """Return the earliest start that the file of *day* may hold."""
    return (day - 1) * DAY_MS


def last_start_ms(day: int) -> int:
    """Return the latest start that the file of *day* may hold."""
    return (day + 2) * DAY_MS - 1


def days_between(days: Iterable[int], since_ms: int | None, upto_ms: int | None) -> list[int]:
    """Return those of *days* that may hold a start in the bounds, newest first."""
    since, upto = bounds(since_ms, upto_ms)
    return sorted(
        (day for day in days if first_start_ms(day) <= upto and last_start_ms(day) >= since),
        reverse=True,
    )


def matches(record: ActivationRecord, wanted: ActivationFilter) -> bool:
    """Tell whether a record that is not in a file yet belongs to an answer."""
    since, upto = bounds(wanted.since_ms, wanted.upto_ms)
    return (
        record.namespace == wanted.namespace
        and wanted.name in (None, record.action.in_namespace)
        and since <= record.start_ms <= upto
    )


def bounds(since_ms: int | None, upto_ms: int | None) -> tuple[int, int]:
    """Return both bounds, inside what every database can compare."""
    first, last = _EVER
    since = first if since_ms is None else max(first, min(since_ms, last))
    upto = last if upto_ms is None else max(first, min(upto_ms, last))
    return since, upto
