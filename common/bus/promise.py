"""What is on disk of a message that is promised: its entries, and what they make of it.

The journal of the embedded bus and the marks of a consumer of Kafka write the same words. There the
broker itself keeps that a message was accepted, so a mark may be the first that is heard of it.

What an activation comes to when all that was known of it is read after a crash: ACCEPTED is run,
STARTED is not run again and recorded as broken off, SETTLED is over.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Final, NoReturn

from common.machine import Move


class Entry(StrEnum):
    """The first word of a line."""

    ACCEPTED = "accepted"
    STARTED = "started"
    SETTLED = "settled"


class Phase(Enum):
    """How far a message has come."""

    UNHEARD = auto()
    """Nothing on disk speaks of it."""
    ACCEPTED = auto()
    """It is promised, and nothing of it has run."""
    STARTED = auto()
    """It may have run."""
    SETTLED = auto()
    """It is done for good."""


MOVES: Final[Mapping[tuple[Phase, Entry], Move[Phase, NoReturn]]] = {
    (Phase.UNHEARD, Entry.ACCEPTED): Move(Phase.ACCEPTED, None, "synced, before the 202 goes out"),
    (Phase.UNHEARD, Entry.STARTED): Move(Phase.STARTED, None, "on Kafka: the broker accepted it"),
    (Phase.UNHEARD, Entry.SETTLED): Move(Phase.SETTLED, None, "on Kafka"),
    (Phase.ACCEPTED, Entry.ACCEPTED): Move(Phase.ACCEPTED, None, "again: into a smaller file"),
    (Phase.ACCEPTED, Entry.STARTED): Move(Phase.STARTED, None, "before the sandbox hears of it"),
    (Phase.ACCEPTED, Entry.SETTLED): Move(Phase.SETTLED, None, "it ended before its work began"),
    (Phase.STARTED, Entry.ACCEPTED): Move(Phase.STARTED, None, "again: into a smaller file"),
    (Phase.STARTED, Entry.STARTED): Move(Phase.STARTED, None, "again: into a smaller file"),
    (Phase.STARTED, Entry.SETTLED): Move(Phase.SETTLED, None, "its record is with the store"),
}
"""After SETTLED nothing counts: what is still read of it was written before."""


def after(phase: Phase, entry: Entry) -> Phase:
    """Return how far a message in *phase* has come with *entry*."""
    move = MOVES.get((phase, entry))
    return phase if move is None else move.to
