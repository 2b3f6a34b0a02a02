"""What was let through, for each of many under one kind of limit; those that idle are let go."""

from typing import Final

from common.errors import TooManyRequests
from controller.entitlement.throttle import SlidingWindow

SWEEP_ABOVE: Final = 1_000
"""Windows that may be kept before the idle ones are let go."""


class Windows:
    """The windows of everybody for one limit."""

    def __init__(self, limit: str) -> None:
        """Begin with nothing charged.

        limit: its name, for who is refused.
        """
        self._limit = limit
        self._windows: dict[str, SlidingWindow] = {}

    def check(self, who: str, now_s: float, allowed: int) -> None:
        """Refuse one more call of *who* within the last minute. Raises `TooManyRequests`."""
        window = self._windows.get(who)
        count = window.count(now_s) if window else 0
        if count >= allowed:
            raise TooManyRequests(
                count + 1,
                allowed,
                limit=self._limit,
                retry_after_s=window.retry_after_s(now_s, allowed) if window else None,
            )

    def charge(self, who: str, now_s: float) -> None:
        """Count one call of *who*."""
        (self._windows.get(who) or self._new(who, now_s)).charge(now_s)

    def _new(self, who: str, now_s: float) -> SlidingWindow:
        if len(self._windows) >= SWEEP_ABOVE:
            windows = self._windows.items()
            self._windows = {key: window for key, window in windows if window.count(now_s)}
        return self._windows.setdefault(who, SlidingWindow())
