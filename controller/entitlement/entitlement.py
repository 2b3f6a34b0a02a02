"""Asks what a namespace may still do, and refuses with the number that bound.

Counts are kept by the uuid of the namespace's key, in memory; a restart forgives.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from common import metrics
from common.clock import Clock
from common.entity.budget import Level
from common.entity.identity import Identity
from common.errors import OverBudget, TooManyConcurrent, TooManyRequests
from common.message.event import MetricName
from controller.balance.inflight import InFlight
from controller.billing.budget import Verdict
from controller.billing.budgets import Asked
from controller.entitlement.throttle import Share
from controller.entitlement.windows import Windows

WHOLE: Final = Share()
INVOCATIONS: Final = "invocationsPerMinute"
FIRINGS: Final = "firesPerMinute"

Tell: TypeAlias = Callable[[Identity, MetricName, int], None]
"""Neither waits nor raises."""


class Entitlement:
    """Charges calls to namespaces. Owned by one controller."""

    def __init__(
        self,
        clock: Clock,
        inflight: InFlight,
        share: Share = WHOLE,
        budgets: Asked | None = None,
        *,
        tell: Tell | None = None,
    ) -> None:
        """Begin with nothing charged.

        share: of each limit, which this controller hands out.
        budgets: None where nobody has one.
        tell: told of what is let in, and of what is not.
        """
        self._budgets = budgets
        self._clock = clock
        self._inflight = inflight
        self._tell = tell or _nobody
        self._share = share
        self._invocations = Windows(INVOCATIONS)
        self._firings = Windows(FIRINGS)

    def charge_invocation(self, identity: Identity) -> None:
        """Count one invocation of *identity*'s namespace.

        Raises `TooManyRequests`, `TooManyConcurrent`, `OverBudget`; who is refused is not counted.
        """
        try:
            self.check_invocation(identity)
        except TooManyRequests:
            metrics.THROTTLED["invocations_per_minute"].inc()
            self._tell(identity, "TimedRateLimit", 1)
            raise
        except TooManyConcurrent:
            metrics.THROTTLED["concurrent_invocations"].inc()
            self._tell(identity, "ConcurrentRateLimit", 1)
            raise
        except OverBudget:
            metrics.THROTTLED["budget"].inc()
            raise
        self._count(identity, 1 + self._inflight.count(identity.namespace))

    def check_invocation(self, identity: Identity) -> None:
        """Raise what `charge_invocation` would raise now; count nothing."""
        if self._budgets is not None and (said := self._budgets.verdict(identity.namespace)):
            self._check_budget(identity, said)
        allowed = self._share.part(identity.invocations_per_minute)
        self._invocations.check(identity.uuid, self._clock.elapsed_s(), allowed)
        under_way = self._inflight.count(identity.namespace)
        allowed = self._share.part(identity.concurrent_invocations)
        if under_way >= allowed:
            raise TooManyConcurrent(under_way, allowed)

    def _check_budget(self, identity: Identity, said: Verdict) -> None:
        """Raise `OverBudget` if the budget does not let one more invocation pass."""
        if said.level is Level.STOPPED:
            left_ms = said.end_ms - self._clock.now_ms()
            raise OverBudget(said.text, max(1, -(-left_ms // 1000)))
        allowed = self._share.part(said.per_minute)
        try:
            self._invocations.check(identity.uuid, self._clock.elapsed_s(), allowed)
        except TooManyRequests as error:
            raise OverBudget(said.text, error.retry_after_s or 60) from error

    def count_invocation(self, identity: Identity) -> None:
        """Count one invocation that was checked, and begun."""
        self._count(identity, self._inflight.count(identity.namespace))

    def _count(self, identity: Identity, under_way: int) -> None:
        self._invocations.charge(identity.uuid, self._clock.elapsed_s())
        self._tell(identity, "ConcurrentInvocations", under_way)

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
            self._tell(identity, "TimedRateLimit", 1)
            raise
        self._firings.charge(identity.uuid, now_s)


def _nobody(identity: Identity, name: MetricName, value: int) -> None:
    """Tell nobody."""
