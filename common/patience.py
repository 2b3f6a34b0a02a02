"""How long a stopping platform still waits: one deadline for all its parts together.

Its parts end one after the other, each after what it serves. If each waited as long as it may, a
stop would take the sum; so the clock is started once, and who comes later has less.
"""

import math

from common.clock import Clock


class Patience:
    """The time that is left for what is under way."""

    def __init__(self, drain_s: float, clock: Clock) -> None:
        """Grant *drain_s* from the moment of `begin`."""
        self._drain_s = drain_s
        self._clock = clock
        self._ends_s = math.inf

    def __repr__(self) -> str:
        return f"<Patience {self.left_s():g} s>"

    def begin(self) -> None:
        """Start the clock."""
        self._ends_s = self._clock.elapsed_s() + self._drain_s

    def left_s(self) -> float:
        """Return how much is left; before `begin`, all of it."""
        return min(self._drain_s, max(0.0, self._ends_s - self._clock.elapsed_s()))
