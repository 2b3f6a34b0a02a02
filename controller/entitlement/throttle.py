"""How often: exact, over any sixty seconds.

OpenWhisk counts per calendar minute (`RateThrottler.scala`), so that twice the rate passes across a
minute's boundary, and it counts refused calls too. Here the window slides and a refused call costs
nothing: the moments of the charged calls are kept, oldest first, never more than the rate allows.
"""

from collections import deque
from typing import Final

WINDOW_S: Final = 60.0


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
