"""Exact limits: in any sixty seconds, and in flight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import metrics
from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.errors import TooManyConcurrent, TooManyRequests
from common.ids import ActivationId, Namespace, Subject
from controller.balance.inflight import InFlight
from controller.entitlement.entitlement import Entitlement
from controller.entitlement.throttle import WINDOW_S, SlidingWindow


class StoppedClock:
    def __init__(self) -> None:
        self.s = 0.0

    def now_ms(self) -> int:
        return int(self.s * 1000)

    def now_ns(self) -> int:
        return int(self.s * 1e9)

    def elapsed_s(self) -> float:
        return self.s

    def elapsed_ns(self) -> int:
        return int(self.s * 1e9)


def who(*, per_minute: int = 100, concurrent: int = 100) -> Identity:
    return Identity(
        subject=Subject("guest"),
        namespace=Namespace("guest"),
        uuid="u",
        invocations_per_minute=per_minute,
        firings_per_minute=0,
        concurrent_invocations=concurrent,
    )


def refusals(limit: str) -> float:
    name = "brisk_entitlement_throttled_requests_total"
    return metrics.REGISTRY.get_sample_value(name, {"limit": limit}) or 0.0


@given(st.lists(st.floats(0, 200), max_size=80).map(sorted), st.integers(0, 10))
def test_no_sixty_seconds_hold_more_than_allowed(moments: list[float], allowed: int) -> None:
    window = SlidingWindow()
    accepted = []
    for now_s in moments:
        if window.count(now_s) < allowed:
            window.charge(now_s)
            accepted.append(now_s)
    for start in accepted:
        inside = [moment for moment in accepted if start <= moment < start + WINDOW_S]
        assert len(inside) <= allowed


def test_a_refused_call_costs_nothing_and_names_the_number_that_bound() -> None:
    clock = StoppedClock()
    before = refusals("invocations_per_minute")
    entitlement = Entitlement(clock, InFlight())
    for _ in range(2):
        entitlement.charge_invocation(who(per_minute=2))
    for _ in range(5):
        with pytest.raises(TooManyRequests) as refused:
            entitlement.charge_invocation(who(per_minute=2))
        assert str(refused.value) == "Too many requests in the last minute (count: 3, allowed: 2)."
    assert refusals("invocations_per_minute") == before + 5
    clock.s = 60.0
    entitlement.charge_invocation(who(per_minute=2))


def test_a_limit_of_nothing_blocks_everything() -> None:
    with pytest.raises(TooManyRequests, match=r"count: 1, allowed: 0"):
        Entitlement(StoppedClock(), InFlight()).charge_invocation(who(per_minute=0))


async def test_what_is_in_flight_counts_until_it_ends() -> None:
    before = refusals("concurrent_invocations")
    inflight = InFlight()
    entitlement = Entitlement(StoppedClock(), inflight)
    for activation, namespace in (("1", "guest"), ("2", "other")):
        inflight.add(
            ActivationId(activation), Namespace(namespace), ends_by_s=10, on_end=lambda record: None
        )
    with pytest.raises(TooManyConcurrent) as refused:
        entitlement.charge_invocation(who(concurrent=1))
    assert refusals("concurrent_invocations") == before + 1
    text = "Too many concurrent requests in flight (count: 1, allowed: 1)."
    assert str(refused.value) == text
    inflight.complete(ActivationId("1"), None)
    entitlement.charge_invocation(who(concurrent=1))


async def test_an_activation_that_never_completes_gives_its_slot_back() -> None:
    inflight = InFlight()
    ends: list[ActivationRecord | None] = []
    inflight.add(ActivationId("1"), Namespace("guest"), ends_by_s=10, on_end=ends.append)
    assert inflight.expire(9.9) == []
    assert inflight.expire(10.0) == [ActivationId("1")]
    assert (ends, len(inflight), inflight.count(Namespace("guest"))) == ([None], 0, 0)
    late: ActivationRecord | None = None
    assert not inflight.complete(ActivationId("1"), late)
