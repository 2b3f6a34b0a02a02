"""The sums of a closed place: one row per namespace, action and day, with a slot for each hour.

Integers, in a fixed order, and nothing else: what is made of the same records is the same, whoever
makes it and however often. A place may hold starts of the days beside its own, so a row says which
day it is of, and is kept apart for each place that has contributed to that day.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from common.ids import Namespace
from common.store.ledger import HourUsage

HOURS: Final = 24

Owned: TypeAlias = tuple[Namespace, HourUsage]
"""A row of the ledger, and whose it is."""
Slots: TypeAlias = tuple[int, ...]


class Shrunk(Exception):
    """There are fewer records than have been summed."""


@dataclass(frozen=True, slots=True, order=True)
class Rollup:
    """What one action used on one day (UTC, counted from 1970). 24 slots each, one per hour."""

    namespace: Namespace
    day: int
    path: str
    activations: Slots
    billed_ms: Slots
    mb_ms: Slots


class Sums(NamedTuple):
    """What a whole place comes to."""

    activations: int = 0
    billed_ms: int = 0
    mb_ms: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """Return both together."""
        return Sums(*(one + more for one, more in zip(self, other, strict=True)))


NOTHING: Final = Sums()


def rolled(rows: Iterable[Owned]) -> list[Rollup]:
    """Return the rollups of *rows*, ordered; the order of the rows is nothing."""
    found: defaultdict[tuple[Namespace, int, str], list[list[int]]] = defaultdict(
        lambda: [[0] * HOURS for _ in Sums._fields]
    )
    for namespace, row in rows:
        day, slot = divmod(row.hour, HOURS)
        amounts = (row.activations, row.billed_ms, row.mb_ms)
        for slots, amount in zip(found[namespace, day, row.path], amounts, strict=True):
            slots[slot] += amount
    return sorted(Rollup(*key, *map(tuple, slots)) for key, slots in found.items())


def hours_of(rollup: Rollup) -> Iterator[HourUsage]:
    """Yield the rows that a rollup was made of, one for each hour with an activation."""
    amounts = zip(rollup.activations, rollup.billed_ms, rollup.mb_ms, strict=True)
    for slot, (activations, billed_ms, mb_ms) in enumerate(amounts):
        if activations:
            hour = rollup.day * HOURS + slot
            yield HourUsage(rollup.path, hour, activations, billed_ms, mb_ms)


def sums(rollups: Iterable[Rollup]) -> Sums:
    """Return what *rollups* come to together."""
    activations = billed_ms = mb_ms = 0
    for each in rollups:
        activations += sum(each.activations)
        billed_ms += sum(each.billed_ms)
        mb_ms += sum(each.mb_ms)
    return Sums(activations, billed_ms, mb_ms)


def beyond(rollups: Iterable[Rollup], known: Iterable[Rollup]) -> list[Rollup]:
    """Return what *rollups* have more than *known*, which were made earlier.

    Raises `Shrunk` when they have less of anything: then records are gone.
    """
    rest: defaultdict[tuple[Namespace, str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for sign, group in ((1, rollups), (-1, known)):
        for each in group:
            for row in hours_of(each):
                amounts = rest[each.namespace, each.path, row.hour]
                amounts[0] += sign * row.activations
                amounts[1] += sign * row.billed_ms
                amounts[2] += sign * row.mb_ms
    if any(min(amounts) < 0 for amounts in rest.values()):
        raise Shrunk
    return rolled(
        (namespace, HourUsage(path, hour, *amounts))
        for (namespace, path, hour), amounts in rest.items()
        if any(amounts)
    )
