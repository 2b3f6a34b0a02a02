"""What waits to be sent to one who follows: in order, bounded, and honest about what is missing.

Whoever reads more slowly than things happen does not slow anybody down: what finds the line full is
left out and counted, and the count stands in the line where it is missing.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

REMEMBERED: Final = 4096
"""Names of what was sent, so that nothing is sent twice that comes by two ways."""


@dataclass(frozen=True, slots=True)
class Missed:
    """So many were left out here."""

    count: int


class Line(Generic[Item]):
    """Belongs to one who follows."""

    def __init__(self, capacity: int) -> None:
        """Hold at most *capacity*."""
        self._capacity = capacity
        self._waiting: deque[Item] = deque()
        self._missed = 0
        self._known: dict[str, None] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def put(self, name: str, item: Item) -> bool:
        """Take *item* in unless what bears its *name* was; tell whether there was room."""
        if name in self._known:
            return True
        # Once something is missing, what comes after it is, too, until that has been said.
        if self._missed or len(self._waiting) >= self._capacity:
            self._missed += 1
            return False
        self.know(name)
        self._waiting.append(item)
        return True

    def know(self, name: str) -> bool:
        """Remember that what bears *name* is sent; tell whether that is new."""
        if name in self._known:
            return False
        self._known[name] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return True

    def take(self, most: int) -> list[Item] | Missed | None:
        """Return what is to be sent next, at most so many at once; None while there is nothing."""
        if self._waiting:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if self._missed:
            missed, self._missed = self._missed, 0
            return Missed(missed)
        return None
