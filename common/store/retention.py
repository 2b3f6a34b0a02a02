"""What is to be done with which place, now: a question of its state, its age and the settings.

A day is sealed some time after its end, when what was accepted on it has ended and what was written
elsewhere meanwhile has arrived. Its records are dropped when they have been kept for long enough,
and its sums much later. Today and tomorrow are prepared, so that nobody waits at midnight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from common.store.shard import DAY_MS, Shard, State

Kind: TypeAlias = Literal["prepare", "seal", "drop", "forget"]

_AHEAD: Final = 1


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept, counted from the end of its day."""

    grace_ms: int
    """How long a day stays open."""
    records_ms: int
    sums_ms: int


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    kind: Kind
    shard: Shard


def due(now_ms: int, known: Mapping[Shard, State], keep: Retention) -> list[Step]:
    """Return what to do, in order: the oldest place first, what makes room before what verifies.

    A sealed place is sealed again for as long as it has records: that verifies it.
    """
    today = now_ms // DAY_MS
    coming = [Shard(day) for day in range(today, today + _AHEAD + 1)]
    steps = [Step("prepare", shard) for shard in coming if shard not in known]
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
