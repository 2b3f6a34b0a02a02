"""Which place holds a record, and which places a question is about.

Records are kept by UTC day, a file or a database each, which is dropped whole when its time is
over. Which one follows from the record alone, so nothing has to remember it: an id of ours begins
with the moment it was accepted, and that day is the record's. An id from elsewhere, or one that had
waited for more than a day, goes by its start. So a day holds only starts from a day before its own
to a day after. What comes when its day is closed goes to the late (`common.store.shard`).
"""

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from common.entity.activation import ActivationRecord
from common.ids import ActivationId, Namespace, accepted_ms
from common.store.port import ActivationFilter
from common.store.shard import DAY_MS, LAST_DAY, Shard

_LAST_START_MS: Final = LAST_DAY * DAY_MS
_OURS: Final = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}\Z")
_EVER: Final = (-(1 << 62), 1 << 62)

Key: TypeAlias = tuple[Namespace, ActivationId]


def day_of(activation_id: ActivationId, start_ms: int) -> int:
    """Return the day, counted from 1970, that a record belongs to.

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


def shards_between(
    shards: Iterable[Shard], since_ms: int | None, upto_ms: int | None
) -> list[Shard]:
    """Return those of *shards* that may hold a start in the bounds, newest first."""
    since, upto = bounds(since_ms, upto_ms)
    return sorted(
        (each for each in shards if each.first_start_ms <= upto and each.last_start_ms >= since),
        reverse=True,
    )


def likeliest_first(shards: Iterable[Shard], activation_id: ActivationId) -> list[Shard]:
    """Return those of *shards* that may hold an id, the likeliest first."""
    hinted = hinted_day(activation_id)
    if hinted is None:
        return sorted(shards, reverse=True)
    # An activation starts when it was accepted or later; the day before, for clocks that differ.
    # It may also have been late for its day, on any day since.
    return sorted(
        (each for each in shards if each.day >= hinted - 1),
        key=lambda each: (each.day < hinted, each.is_late, each.day),
    )


def matches(record: ActivationRecord, wanted: ActivationFilter) -> bool:
    """Tell whether a record that is not in a file yet belongs to an answer."""
    since, upto = bounds(wanted.since_ms, wanted.upto_ms)
    return (
        record.namespace == wanted.namespace
        and wanted.name in (None, record.listed_as)
        and since <= record.start_ms <= upto
    )


def bounds(since_ms: int | None, upto_ms: int | None) -> tuple[int, int]:
    """Return both bounds, inside what every database can compare."""
    first, last = _EVER
    since = first if since_ms is None else max(first, min(since_ms, last))
    upto = last if upto_ms is None else max(first, min(upto_ms, last))
    return since, upto
