"""Asks what a namespace may still do, and refuses with the number that bound.

Counts are kept by the uuid of the namespace's key, in memory; a restart forgives.
"""

from typing import Final

from common import metrics
from common.clock import Clock
from common.entity.identity import Identity
from common.errors import TooManyConcurrent, TooManyRequests
from controller.balance.inflight import InFlight
from controller.entitlement.throttle import Share, SlidingWindow

SWEEP_ABOVE: Final = 1_000
"""Windows that may be kept before the idle ones are let go."""
WHOLE: Final = Share()
INVOCATIONS: Final = "invocationsPerMinute"
FIRINGS: Final = "firesPerMinute"


class Entitlement:
    """Charges calls to namespaces. Owned by one controller."""

    def __init__(self, clock: Clock, inflight: InFlight, share: Share = WHOLE) -> None:
        """Begin with nothing charged.

        share: of each limit, which this controller hands out.
        """
        self._clock = clock
        self._inflight = inflight
        self._share = share
        self._invocations = _Windows(INVOCATIONS)
        self._firings = _Windows(FIRINGS)

    def charge_invocation(self, identity: Identity) -> None:
        """Count one invocation of *identity*'s namespace.

        Raises `TooManyRequests` or `TooManyConcurrent`; a refused call is not counted.
        """
        try:
            self.check_invocation(identity)
        except TooManyRequests:
            metrics.THROTTLED["invocations_per_minute"].inc()
            raise
        except TooManyConcurrent:
            metrics.THROTTLED["concurrent_invocations"].inc()
            raise
        self.count_invocation(identity)

    def check_invocation(self, identity: Identity) -> None:
        """Raise what `charge_invocation` would raise now; count nothing."""
        allowed = self._share.part(identity.invocations_per_minute)
        self._invocations.check(identity.uuid, self._clock.elapsed_s(), allowed)
        under_way = self._inflight.count(identity.namespace)
        allowed = self._share.part(identity.concurrent_invocations)
        if under_way >= allowed:
            raise TooManyConcurrent(under_way, allowed)

    def count_invocation(self, identity: Identity) -> None:
        """Count one invocation that was checked, and begun."""
        self._invocations.charge(identity.uuid, self._clock.elapsed_s())

    def charge_firing(self, identity: Identity) -> None:
        """Count one firing of a trigger of *identity*'s namespace.

        The actions that it invokes are charged apart, one by one, by `charge_invocation`.
        Raises `TooManyRequests`; a refused firing is not counted.
        """
        now_s = self._clock.elapsed_s()
        try:
            allowed = self._share.part(identity.firings_per_minute)
            self._firings.check(identity.uuid, now_s, allowed)
        except TooManyRequests:
            metrics.THROTTLED["firings_per_minute"].inc()
            raise
        self._firings.charge(identity.uuid, now_s)


class _Windows:
    """The windows of all namespaces for one limit."""

    def __init__(self, limit: str) -> None:
        self._limit = limit
        self._windows: dict[str, SlidingWindow] = {}

    def check(self, uuid: str, now_s: float, allowed: int) -> None:
        window = self._windows.get(uuid)
        count = window.count(now_s) if window else 0
        if count >= allowed:
            raise TooManyRequests(
                count + 1,
                allowed,
                limit=self._limit,
                retry_after_s=window.retry_after_s(now_s, allowed) if window else None,
            )

    def charge(self, uuid: str, now_s: float) -> None:
        (self._windows.get(uuid) or self._new(uuid, now_s)).charge(now_s)

    def _new(self, uuid: str, now_s: float) -> SlidingWindow:
        if len(self._windows) >= SWEEP_ABOVE:
            windows = self._windows.items()
            self._windows = {key: window for key, window in windows if window.count(now_s)}
        return self._windows.setdefault(uuid, SlidingWindow())
