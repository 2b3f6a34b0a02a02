"""How often APIs are called: counted here, in memory; a restart forgives."""

from typing import Final

from common import metrics
from common.clock import Clock
from common.errors import TooManyRequests
from controller.entitlement.throttle import Share
from controller.entitlement.windows import Windows
from controller.gateway.admission import Allowance

LIMIT: Final = "apiCallsPerMinute"


class CallRates:
    """Counts calls. One per controller, which hands out its share of each limit."""

    def __init__(self, clock: Clock, share: Share) -> None:
        self._clock = clock
        self._share = share
        self._windows = Windows(LIMIT)

    def charge(self, allowance: Allowance) -> None:
        """Count one call. Raises `TooManyRequests`; a refused call is not counted."""
        now_s = self._clock.elapsed_s()
        try:
            allowed = self._share.part(allowance.per_minute)
            self._windows.check(allowance.counted_as, now_s, allowed)
        except TooManyRequests:
            metrics.THROTTLED["api_calls_per_minute"].inc()
            raise
        self._windows.charge(allowance.counted_as, now_s)
