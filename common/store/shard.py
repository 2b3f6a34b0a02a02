"""Where records lie, and what becomes of such a place in the course of time.

A place holds the records of one UTC day, or what came too late for its own day, which was closed
by then: that goes to the place of the late of the day on which it came. So what has been summed is
never touched again, and the late are summed apart.

Open, a place is written to. Sealed, its sums are kept elsewhere, and they, not its records, are the
bill from then on. Dropped, the sums are all that is left. The state is the switch: whatever a place
holds is counted by its records or by its sums, never by both.
"""

import re
from collections.abc import Mapping
from datetime import date
from enum import Enum, StrEnum, auto
from typing import Final, NamedTuple, NoReturn

from common.machine import InvalidTransition, Move

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
EPOCH: Final = date(1970, 1, 1).toordinal()
LAST_DAY: Final = date.max.toordinal() - EPOCH - 2
"""Two days before the end of the calendar, so that every day nearby has a name."""
_EVER_MS: Final = 1 << 62
_TEXT: Final = re.compile(r"(late_)?(\d{4})(\d\d)(\d\d)\Z")


class State(StrEnum):
    """Where a place is in its life."""

    OPEN = "open"
    SEALING = "sealing"
    """Nobody writes to it any more; its sums are being made."""
    SEALED = "sealed"
    DROPPING = "dropping"
    """Its records are being deleted: from here on they are gone."""
    DROPPED = "dropped"

    @property
    def has_records(self) -> bool:
        """Whether the records can still be read."""
        return self in (State.OPEN, State.SEALING, State.SEALED)

    @property
    def is_billed_by_sums(self) -> bool:
        """Whether the sums are the bill; else the records are."""
        return self in (State.SEALED, State.DROPPING, State.DROPPED)


class Done(Enum):
    """What was done to a place; `common.store.retention` says when what is due."""

    CLOSED = auto()
    SUMMED = auto()
    EXPIRED = auto()
    DELETED = auto()


MOVES: Final[Mapping[tuple[State, Done], Move[State, NoReturn]]] = {
    (State.OPEN, Done.CLOSED): Move(
        State.SEALING, None, "other processes may still be at a write: they are waited for"
    ),
    (State.OPEN, Done.SUMMED): Move(
        State.SEALED, None, "where one process writes: closed and summed in one transaction"
    ),
    (State.SEALING, Done.SUMMED): Move(State.SEALED),
    (State.SEALED, Done.SUMMED): Move(State.SEALED, None, "again: what came in spite of all"),
    (State.SEALED, Done.EXPIRED): Move(State.DROPPING, None, "its records agree with its sums"),
    (State.DROPPING, Done.DELETED): Move(State.DROPPED),
}


def after(state: State, done: Done) -> State:
    """Return the state of a place in *state* after *done*. Raises `InvalidTransition`."""
    move = MOVES.get((state, done))
    if move is None:
        raise InvalidTransition(f"a place that is {state} cannot have been {done.name.lower()}")
    return move.to


class Shard(NamedTuple):
    """One place. *day* counts from 1970; the late are kept by the day on which they came."""

    day: int
    is_late: bool = False

    @property
    def text(self) -> str:
        """How files and databases are named: `20251121`, `late_20251121`."""
        return f"{'late_' if self.is_late else ''}{day_text(self.day)}"

    @property
    def first_start_ms(self) -> int:
        """The earliest start that may be here."""
        return -_EVER_MS if self.is_late else (self.day - 1) * DAY_MS

    @property
    def last_start_ms(self) -> int:
        """The latest start that may be here."""
        return (self.day + 2) * DAY_MS - 1


def day_text(day: int) -> str:
    """Return `yyyymmdd`. Raises `ValueError` for a day that no calendar has."""
    return f"{date.fromordinal(EPOCH + day):%Y%m%d}"


def shard_of(text: str) -> Shard | None:
    """Return the place that is called so; None for any other text."""
    match = _TEXT.match(text)
    if match is None:
        return None
    late, *parts = match.groups()
    try:
        day = date(*map(int, parts)).toordinal() - EPOCH
    except ValueError:
        return None
    return Shard(day, late is not None)
