"""Exact limits: in any sixty seconds, and in flight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import metrics
from common.entity.activation import ActivationRecord
from common.entity.budget import Level
from common.entity.identity import Identity
from common.errors import OverBudget, TooManyConcurrent, TooManyRequests
from common.ids import ActivationId, Namespace, Subject
from controller.balance.inflight import InFlight
from controller.billing.budget import Verdict
from controller.entitlement.entitlement import Entitlement
from controller.entitlement.throttle import WINDOW_S, Share, SlidingWindow


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


def who(*, per_minute: int = 100, concurrent: int = 100, firings: int = 0) -> Identity:
    return Identity(
        subject=Subject("guest"),
        namespace=Namespace("guest"),
        uuid="u",
        invocations_per_minute=per_minute,
        firings_per_minute=firings,
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


def test_firings_are_counted_apart_from_invocations() -> None:
    clock = StoppedClock()
    before = refusals("firings_per_minute")
    entitlement = Entitlement(clock, InFlight())
    whose = who(per_minute=1, firings=2)
    entitlement.charge_firing(whose)
    clock.s = 13.5
    entitlement.charge_firing(whose)
    with pytest.raises(TooManyRequests) as refused:
        entitlement.charge_firing(whose)
    assert str(refused.value) == "Too many requests in the last minute (count: 3, allowed: 2)."
    assert (refused.value.limit, refused.value.retry_after_s) == ("firesPerMinute", 47)
    assert refusals("firings_per_minute") == before + 1
    entitlement.charge_invocation(whose)


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=40).map(sorted),
    st.integers(1, 10),
    st.integers(0, 5),
)
def test_who_comes_again_when_told_passes_and_a_second_earlier_does_not(
    moments: list[float], allowed: int, lowered_by: int
) -> None:
    window = SlidingWindow()
    for moment in moments:
        if window.count(moment) < allowed:
            window.charge(moment)
    now_s, allowed = moments[-1], max(1, allowed - lowered_by)
    after_s = window.retry_after_s(now_s, allowed)
    assert after_s is not None
    hair_s = 1e-6  # what floats of this size cannot tell apart
    if window.count(now_s) >= allowed and after_s > 1:
        assert window.count(now_s + after_s - 1 - hair_s) >= allowed
    assert window.count(now_s + after_s + hair_s) < allowed


def test_where_nothing_is_allowed_no_time_helps() -> None:
    assert SlidingWindow().retry_after_s(1.0, 0) is None
    with pytest.raises(TooManyRequests) as refused:
        Entitlement(StoppedClock(), InFlight()).charge_invocation(who(per_minute=0))
    assert refused.value.retry_after_s is None


@given(st.integers(0, 20_000), st.integers(1, 20))
def test_the_shares_of_all_controllers_are_the_limit(limit: int, of: int) -> None:
    parts = [Share(controller, of).part(limit) for controller in range(of)]
    if limit >= of or limit == 0:
        assert sum(parts) == limit
        assert max(parts) - min(parts) <= 1
    else:
        assert parts == [1] * of


def test_a_controller_of_two_lets_its_half_pass() -> None:
    inflight = InFlight()
    entitlement = Entitlement(StoppedClock(), inflight, Share(1, 2))
    entitlement.charge_invocation(who(per_minute=3))
    with pytest.raises(TooManyRequests, match=r"count: 2, allowed: 1"):
        entitlement.charge_invocation(who(per_minute=3))
    inflight.add(ActivationId("1"), Namespace("guest"), ends_by_s=10, on_end=lambda record: None)
    with pytest.raises(TooManyConcurrent, match=r"count: 1, allowed: 1"):
        entitlement.charge_invocation(who(concurrent=2))


class OneBudget:
    """Says the same of every namespace."""

    def __init__(self, level: Level, per_minute: int = 0) -> None:
        self._said = Verdict(level, per_minute, "the budget is spent", 90_500)

    def verdict(self, namespace: Namespace) -> Verdict | None:
        return self._said


def test_a_spent_budget_lets_nothing_pass_and_says_when_it_begins_anew() -> None:
    entitlement = Entitlement(StoppedClock(), InFlight(), budgets=OneBudget(Level.STOPPED))
    before = refusals("budget")
    with pytest.raises(OverBudget, match="the budget is spent") as caught:
        entitlement.charge_invocation(who())
    assert (caught.value.retry_after_s, caught.value.limit) == (91, "budget")
    assert refusals("budget") == before + 1
    entitlement.charge_firing(who(firings=1))


def test_a_budget_that_is_nearly_spent_lets_this_controllers_share_pass() -> None:
    budgets = OneBudget(Level.THROTTLED, per_minute=4)
    clock = StoppedClock()
    entitlement = Entitlement(clock, InFlight(), Share(0, 2), budgets)
    for _ in range(2):
        entitlement.charge_invocation(who())
    with pytest.raises(OverBudget) as caught:
        entitlement.charge_invocation(who())
    assert caught.value.retry_after_s == 60
    clock.s = 61.0
    entitlement.charge_invocation(who(per_minute=2))
    with pytest.raises(TooManyRequests):
        entitlement.charge_invocation(who(per_minute=2))
