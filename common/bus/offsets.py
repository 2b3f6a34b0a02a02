"""How far a consumer may commit: below the lowest message that is unsettled, never beyond.

Messages of a topic are settled in any order, but a broker remembers one number: where to begin
again. Committing the lowest unsettled offset loses nothing, and would deliver again what had been
settled above it. So a note travels with the number (Kafka keeps a text with each commit): which
offsets above it are still unsettled, which of those had been started, and up to where the note
knows anything, its horizon. Who takes over, on whatever machine, skips what had been settled and
says of the rest whether it had been started.

    note     = horizon { " " offset [ "s" ] }       offset - low, all decimal; s: had been started
    example  low 1000, note "7 0s 4" : 1000 had been started, 1004 not, 1001-1003, 1005, 1006 are
             settled, from 1007 on nothing is known

A note has a bound. What does not fit lowers the horizon, which only means that less is known.
"""

import heapq
from collections.abc import Set
from dataclasses import dataclass
from enum import Enum
from typing import Final

MOST_NOTE_CHARACTERS: Final = 4_000
"""Kafka's `offset.metadata.max.bytes` is 4096 unless told otherwise."""


class MalformedNote(ValueError):
    """The text is no note of a consumer."""


class Taken(Enum):
    """What a message is that comes from the broker."""

    NEW = "new"
    IN_HAND = "in hand"
    """It came before and is being worked on: the position went back, as in a rebalance."""
    SETTLED = "settled"
    """It was done before an earlier consumer ended."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What the broker is to keep for a topic."""

    low: int
    """Everything below has been settled."""
    note: str


@dataclass(frozen=True, slots=True)
class Known:
    """What a commit says of the offsets from its own on."""

    horizon: int
    """From here on nothing is known."""
    unsettled: Set[int]
    started: Set[int]


def read(commit: Commit) -> Known:
    """Return what *commit* says. Raises `MalformedNote`."""
    horizon, *entries = commit.note.split() or ["0"]
    try:
        numbers = {int(entry.removesuffix("s")) + commit.low for entry in entries}
        started = {int(entry[:-1]) + commit.low for entry in entries if entry.endswith("s")}
        return Known(int(horizon) + commit.low, numbers, started)
    except ValueError as error:
        raise MalformedNote(f"{commit.note[:40]!r} is no note of a consumer.") from error


class Offsets:
    """The offsets of one topic in the hands of one consumer. O(log n) a step, n in hand."""

    def __init__(self) -> None:
        """Begin with nothing in hand, at the beginning of the topic."""
        self._next = 0
        self._in_hand: dict[int, int] = {}
        self._heap: list[int] = []
        self._started: set[int] = set()
        self._known = Known(0, frozenset(), frozenset())

    def __repr__(self) -> str:
        return f"<Offsets low={self.low} next={self._next} in_hand={len(self._in_hand)}>"

    def __len__(self) -> int:
        """Return how many are in hand."""
        return len(self._in_hand)

    @property
    def low(self) -> int:
        """Below this, everything has been settled."""
        lowest = self._lowest_in_hand
        return self._next if lowest is None else min(lowest, self._next)

    @property
    def next(self) -> int:
        """The first offset that has not been taken."""
        return self._next

    @property
    def oldest_ms(self) -> int | None:
        """When the lowest in hand was sent; None when nothing is in hand."""
        lowest = self._lowest_in_hand
        return None if lowest is None else self._in_hand[lowest]

    def begin(self, commit: Commit) -> None:
        """Go on where *commit* says, whoever made it; what is in hand stays, unless it is settled.

        Raises `MalformedNote`; then nothing has changed.
        """
        known = read(commit)
        self._known = known
        self._next = commit.low
        gone = [offset for offset in self._in_hand if self._is_settled(offset)]
        for offset in gone:
            self.settle(offset)

    def take(self, offset: int, sent_ms: int) -> Taken:
        """Enter a message that came, in the order of the topic, and return what it is."""
        self._next = max(self._next, offset + 1)
        if offset in self._in_hand:
            return Taken.IN_HAND
        if self._is_settled(offset):
            return Taken.SETTLED
        self._in_hand[offset] = sent_ms
        heapq.heappush(self._heap, offset)
        return Taken.NEW

    def give_back(self, offset: int) -> None:
        """Forget a message in hand whose work has not begun; it will come again, or go elsewhere.

        Nothing above it may have been taken and kept: a queue is given back from its end.
        """
        if self._in_hand.pop(offset, None) is not None:
            self._next = min(self._next, offset)

    def was_started(self, offset: int) -> bool:
        """Tell whether an earlier consumer had begun its work."""
        return offset in self._known.started

    def start(self, offset: int) -> None:
        """Note that its work begins."""
        if offset in self._in_hand:
            self._started.add(offset)

    def settle(self, offset: int) -> None:
        """Note that it is done for good. Idempotent; what is not in hand any more is let be.

        What is settled after its topic went elsewhere is not known here when it comes back; the
        consumer's own marks know (`common.bus.marks`).
        """
        if self._in_hand.pop(offset, None) is not None:
            self._started.discard(offset)

    def commit(self, most_characters: int = MOST_NOTE_CHARACTERS) -> Commit:
        """Return what the broker is to keep now."""
        low = self.low
        entries: list[str] = []
        # What an earlier commit knew beyond what has been taken again is passed on.
        horizon = max(self._next, self._known.horizon)
        left = most_characters - len(str(horizon - low))
        for offset in sorted(self._unsettled_from(low)):
            had_begun = offset in self._started or offset in self._known.started
            entry = f" {offset - low}{'s' if had_begun else ''}"
            left -= len(entry)
            if left < 0:
                horizon = offset
                break
            entries.append(entry)
        return Commit(low, f"{horizon - low}{''.join(entries)}")

    @property
    def _lowest_in_hand(self) -> int | None:
        lowest = self._heap
        while lowest and lowest[0] not in self._in_hand:
            heapq.heappop(lowest)
        return lowest[0] if lowest else None

    def _unsettled_from(self, low: int) -> set[int]:
        beyond = {offset for offset in self._known.unsettled if offset >= max(low, self._next)}
        return beyond | self._in_hand.keys()

    def _is_settled(self, offset: int) -> bool:
        """Tell whether it had been settled when this consumer began."""
        known = self._known
        return offset < known.horizon and offset not in known.unsettled
