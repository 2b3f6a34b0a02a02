"""The busiest namespaces each for itself, and all others together: what bounds their series. Pure.

A place goes to whoever comes while there are any, and from then on to who was clearly busier since
the last look than the least busy one that has a place. Who loses it is counted among the others,
with all that was counted of it: so no sum ever falls, and nothing is counted twice or not at all.
"""

from dataclasses import dataclass, field
from typing import Final

from common.entity.activation import ActivationRecord, Status
from common.ids import Namespace

OTHERS: Final = Namespace("_other")
"""What all others are called. A namespace of this name never has a place, and is one of them."""
CANDIDATES: Final = 10
"""For each place, namespaces without one whose activity is remembered from one look to the next."""
CLEARLY: Final = 2
"""How many times busier one must be to take another's place: else two would swap for ever."""


@dataclass(slots=True)
class Tally:
    """What one namespace has used, or all others."""

    ended: list[int] = field(default_factory=lambda: [0] * len(Status))
    """Activations by status."""
    cold: int = 0
    """Those that code was loaded for."""
    wait_ms: int = 0
    billed_ms: int = 0
    recent: int = 0
    """Activations since the last look."""

    def add(self, record: ActivationRecord) -> None:
        """Count one activation."""
        self.ended[record.response.status] += 1
        self.cold += record.init_ms is not None
        self.wait_ms += record.wait_ms
        self.billed_ms += record.billed_ms
        self.recent += 1

    def absorb(self, other: "Tally") -> None:
        """Count all that *other* has counted."""
        self.ended = [mine + its for mine, its in zip(self.ended, other.ended, strict=True)]
        self.cold += other.cold
        self.wait_ms += other.wait_ms
        self.billed_ms += other.billed_ms


class Busiest:
    """Of one process."""

    def __init__(self, most: int) -> None:
        """Give *most* namespaces a place."""
        self.most = most
        self.shown: dict[Namespace, Tally] = {}
        self.others = Tally()
        self._candidates: dict[Namespace, int] = {}

    def count(self, record: ActivationRecord) -> None:
        """Count one activation that ended."""
        tally = self.shown.get(record.namespace)
        (tally or self._newcomer(record.namespace)).add(record)

    def look(self) -> None:
        """Give places to who was clearly busier since the last look, and begin anew."""
        coming = sorted(self._candidates.items(), key=lambda pair: pair[1], reverse=True)
        going = sorted(self.shown.items(), key=lambda pair: pair[1].recent)
        for (newcomer, came), (namespace, tally) in zip(coming, going, strict=False):
            if came <= CLEARLY * tally.recent:
                break
            self.others.absorb(self.shown.pop(namespace))
            self.shown[newcomer] = Tally()
        for tally in (*self.shown.values(), self.others):
            tally.recent = 0
        self._candidates = {}

    def _newcomer(self, namespace: Namespace) -> Tally:
        """Return where one without a place is counted."""
        if namespace == OTHERS:
            return self.others
        if len(self.shown) < self.most:
            return self.shown.setdefault(namespace, Tally())
        if namespace in self._candidates or len(self._candidates) < CANDIDATES * self.most:
            self._candidates[namespace] = self._candidates.get(namespace, 0) + 1
        return self.others
