"""How often: exact, over any sixty seconds.

OpenWhisk counts per calendar minute (`RateThrottler.scala`), so that twice the rate passes across a
minute's boundary, and it counts refused calls too. Here the window slides and a refused call costs
nothing: the moments of the charged calls are kept, oldest first, never more than the rate allows.

Each controller of a cluster counts alone, and lets pass its share: the shares of all of them add up
to the limit, so that together they never let pass more. Whose calls all go to one controller has
that controller's share of them; a cluster's front door spreads calls evenly. OpenWhisk lets 20 %
more pass instead (`Entitlement.scala`).
"""

import math
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final

WINDOW_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of a namespace's limits one controller hands out.

    controller: its number, from 0. of: how many there are.
    """

    controller: int = 0
    of: int = 1

    def part(self, limit: int) -> int:
        """Return this controller's part of *limit*; at least 1, unless nothing is allowed at all.

        The parts add up to *limit*, but where there are more controllers than that: each has 1.
        """
        if limit <= 0:
            return 0
        whole, rest = divmod(limit, self.of)
        return max(1, whole + (self.controller < rest))


class SlidingWindow:
    """The charged calls of one namespace. All moments are monotonic seconds and never go back."""

    def __init__(self) -> None:
        self._charged_s: deque[float] = deque()

    def count(self, now_s: float) -> int:
        """Return how many calls were charged in the sixty seconds up to *now_s*."""
        charged_s, oldest_s = self._charged_s, now_s - WINDOW_S
        while charged_s and charged_s[0] <= oldest_s:
            charged_s.popleft()
        return len(charged_s)

    def charge(self, now_s: float) -> None:
        """Count one call."""
        self._charged_s.append(now_s)

    def retry_after_s(self, now_s: float, allowed: int) -> int | None:
        """Return in how many whole seconds the next call passes, 1 at least; None for never.

        allowed: may be less than were charged, if the limit was lowered meanwhile.
        """
        if allowed <= 0:
            return None
        surplus = self.count(now_s) - allowed
        if surplus < 0:
            return 1
        leaves_s = next(islice(self._charged_s, surplus, None)) + WINDOW_S
        return max(1, math.ceil(leaves_s - now_s))
