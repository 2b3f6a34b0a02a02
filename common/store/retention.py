"""What is to be done with which place, now: a question of its state, its age and the settings.

A day is sealed some time after its end, when what was accepted on it has ended and what was written
elsewhere meanwhile has arrived. Its records are dropped when they have been kept for long enough,
and its sums much later. A namespace may have its records kept for less time or for more: a day goes
when nobody keeps it any more, and what a namespace does not keep is not shown until then.

Today and tomorrow are prepared, so that nobody waits at midnight. Where some processes may make no
place, more is prepared for them: where goes what comes late, and the days that passed while nothing
could be made.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from common.store.shard import DAY_MS, Shard, State

Kind: TypeAlias = Literal["prepare", "seal", "drop", "forget"]

_AHEAD: Final = 1
_MOST_MISSED: Final = 31
"""Days: a clock that was wrong by years makes no database for each day of them."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept, counted from the end of its day."""

    grace_ms: int
    """How long a day stays open."""
    records_ms: int
    sums_ms: int


def shown_from_ms(now_ms: int, days: int) -> int:
    """Return the start from which on records are shown that are kept for *days*.

    Whole days (UTC): as long as the place of such a day stays.
    """
    return (now_ms // DAY_MS - days) * DAY_MS


def longest(keep: Retention, days: Iterable[int]) -> Retention:
    """Return *keep* where namespaces have their records kept for *days*."""
    return replace(keep, records_ms=max([keep.records_ms, *(each * DAY_MS for each in days)]))


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    kind: Kind
    shard: Shard


def coming(now_ms: int, known: Collection[Shard], *, for_others: bool) -> list[Shard]:
    """Return the places to make now, before their first record comes.

    for_others: whether there are processes that may make none.
    """
    today = now_ms // DAY_MS
    first = today
    if for_others:
        last = max((s.day for s in known if not s.is_late and s.day <= today), default=today)
        first = max(min(last + 1, today), today - _MOST_MISSED)
    days = [Shard(day) for day in range(first, today + _AHEAD + 1)]
    late = [Shard(day, is_late=True) for day in range(today, today + _AHEAD + 1)]
    return [shard for shard in (*days, *(late if for_others else ())) if shard not in known]


def due(
    now_ms: int, known: Mapping[Shard, State], keep: Retention, *, for_others: bool = False
) -> list[Step]:
    """Return what to do, in order: the oldest place first, what makes room before what verifies.

    A sealed place is sealed again for as long as it has records: that verifies it.
    for_others: see `coming`.
    """
    steps = [Step("prepare", shard) for shard in coming(now_ms, known, for_others=for_others)]
    for shard, state in sorted(known.items()):
        kind = _kind(shard, state, now_ms - (shard.day + 1) * DAY_MS, keep)
        if kind == "drop" and state is State.SEALED and _is_needed(shard, known):
            kind = "seal"
        if kind is not None:
            steps.append(Step(kind, shard))
    return steps


def _kind(shard: Shard, state: State, age_ms: int, keep: Retention) -> Kind | None:
    match state:
        case State.OPEN:
            return "seal" if age_ms >= keep.grace_ms else None
        case State.SEALING:
            return "seal"
        case State.SEALED:
            return "drop" if age_ms >= keep.records_ms else "seal"
        case State.DROPPING:
            return "drop"
        case State.DROPPED:
            return "forget" if age_ms >= keep.sums_ms else None


def _is_needed(late: Shard, known: Mapping[Shard, State]) -> bool:
    """Tell whether these late may be of a day that still has records.

    Until that is dropped, a record that comes for it once more has to be found where it is.
    """
    return late.is_late and any(
        state.has_records and not shard.is_late and shard.day <= late.day
        for shard, state in known.items()
    )
