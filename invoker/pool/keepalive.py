"""How long an idle sandbox stays, and when it is paused.

Fixed times, as OpenWhisk has them: ten minutes of idleness, the first ten seconds of them unpaused
(`container-proxy.timeouts` in its `application.conf`). A policy answers for one sandbox from values
alone, so that others (histogram, greedy-dual) can take its place and be replayed against traces.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Fate(Enum):
    """What becomes of an idle sandbox now."""

    KEEP = auto()
    PAUSE = auto()
    REMOVE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedKeepAlive:
    """Every sandbox stays equally long. Both times count from the end of its last call."""

    idle_timeout_s: float
    pause_grace_s: float

    def fate(self, idle_s: float, *, is_paused: bool) -> Fate:
        """Return what becomes of a sandbox that has been idle for *idle_s*."""
        if idle_s >= self.idle_timeout_s:
            return Fate.REMOVE
        if idle_s >= self.pause_grace_s and not is_paused:
            return Fate.PAUSE
        return Fate.KEEP
