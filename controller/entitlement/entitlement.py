"""Asks what a namespace may still do, and refuses with the number that bound.

Counts are kept by the uuid of the namespace's key, in memory; a restart forgives.
"""

from typing import Final

from common import metrics
from common.clock import Clock
from common.entity.identity import Identity
from common.errors import TooManyConcurrent, TooManyRequests
from controller.balance.inflight import InFlight
from controller.entitlement.throttle import SlidingWindow

SWEEP_ABOVE: Final = 1_000
"""Windows that may be kept before the idle ones are let go."""


class Entitlement:
    """Charges calls to namespaces. Owned by one controller."""

    def __init__(self, clock: Clock, inflight: InFlight) -> None:
        self._clock = clock
        self._inflight = inflight
        self._invocations: dict[str, SlidingWindow] = {}

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
        now_s = self._clock.elapsed_s()
        count, allowed = self._window(identity, now_s).count(now_s), identity.invocations_per_minute
        if count >= allowed:
            raise TooManyRequests(count + 1, allowed)
        under_way = self._inflight.count(identity.namespace)
        if under_way >= identity.concurrent_invocations:
            raise TooManyConcurrent(under_way, identity.concurrent_invocations)

    def count_invocation(self, identity: Identity) -> None:
        """Count one invocation that was checked, and begun."""
        now_s = self._clock.elapsed_s()
        self._window(identity, now_s).charge(now_s)

    def _window(self, identity: Identity, now_s: float) -> SlidingWindow:
        return self._invocations.get(identity.uuid) or self._new_window(identity.uuid, now_s)

    def _new_window(self, uuid: str, now_s: float) -> SlidingWindow:
        if len(self._invocations) >= SWEEP_ABOVE:
            windows = self._invocations.items()
            self._invocations = {key: window for key, window in windows if window.count(now_s)}
        return self._invocations.setdefault(uuid, SlidingWindow())
