"""Whether an invoker may be given work: histories of pings and outcomes, and the verdict."""

import pytest

from controller.balance import health
from controller.balance.health import Ended, Health, Invoker


def ping(invoker: Invoker, now_s: float = 0.0, *, is_taking: bool = True) -> Invoker:
    return health.pinged(invoker, memory_mb=1024, is_taking=is_taking, now_s=now_s)


def after(invoker: Invoker, *outcomes: Ended) -> Invoker:
    for outcome in outcomes:
        invoker = health.ended(invoker, outcome)
    return invoker


def test_a_new_invoker_is_trusted_with_its_first_ping() -> None:
    assert Invoker().health is Health.OFFLINE
    assert ping(Invoker()).health is Health.HEALTHY


def test_ten_seconds_of_silence_are_too_many() -> None:
    invoker = ping(Invoker(), 100.0)
    assert health.waited(invoker, now_s=110.0).health is Health.HEALTHY
    assert health.waited(invoker, now_s=110.1).health is Health.OFFLINE


def test_one_that_drains_gets_nothing_more() -> None:
    assert ping(ping(Invoker()), is_taking=False).health is Health.OFFLINE


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [(Ended.AT_FAULT, Health.UNHEALTHY), (Ended.UNANSWERED, Health.UNRESPONSIVE)],
)
def test_more_than_three_faults_of_ten_are_too_many(fault: Ended, verdict: Health) -> None:
    invoker = after(ping(Invoker()), *[fault] * 3)
    assert invoker.health is Health.HEALTHY
    invoker = after(invoker, fault)
    assert invoker.health is verdict
    assert ping(invoker).health is verdict, "a ping proves nothing"


def test_it_proves_itself_by_ending_well() -> None:
    invoker = after(ping(Invoker()), *[Ended.AT_FAULT] * 4)
    assert after(invoker, *[Ended.WELL] * 6).health is Health.UNHEALTHY
    assert after(invoker, *[Ended.WELL] * 7).health is Health.HEALTHY


def test_errors_of_users_are_no_fault_of_an_invoker() -> None:
    assert after(ping(Invoker()), *[Ended.WELL] * 50).health is Health.HEALTHY


def test_one_that_comes_back_is_on_trial_if_it_had_worked() -> None:
    worked = after(ping(Invoker(), 0.0), Ended.WELL)
    back = ping(health.waited(worked, now_s=60.0), 61.0)
    assert back.health is Health.HEALTHY
    assert after(back, *[Ended.WELL] * 6, Ended.AT_FAULT).health is Health.UNHEALTHY
    assert after(back, *[Ended.WELL] * 10, Ended.AT_FAULT).health is Health.HEALTHY
    idle = ping(health.waited(ping(Invoker(), 0.0), now_s=60.0), 61.0)
    assert after(idle, Ended.AT_FAULT).health is Health.HEALTHY, "nothing is known against it"


@pytest.mark.parametrize("fault", [Ended.AT_FAULT, Ended.UNANSWERED])
def test_who_failed_is_given_another_trial_every_ten_seconds(fault: Ended) -> None:
    invoker = after(ping(Invoker(), 100.0), *[fault] * 4)
    verdict = invoker.health
    for now_s in (100.0, 105.0, 109.9):
        invoker = ping(health.waited(invoker, now_s=now_s), now_s)
        assert invoker.health is verdict
    invoker = health.waited(invoker, now_s=110.0)
    assert invoker.health is Health.HEALTHY
    again = after(invoker, fault)
    assert again.health is verdict
    again = ping(health.waited(again, now_s=111.0), 111.0)
    assert health.waited(again, now_s=120.9).health is verdict
    assert health.waited(again, now_s=121.0).health is Health.HEALTHY
    assert after(invoker, Ended.WELL).health is Health.HEALTHY


def test_who_is_offline_is_not_judged_by_late_outcomes() -> None:
    gone = health.waited(ping(Invoker(), 0.0), now_s=60.0)
    assert after(gone, Ended.WELL).health is Health.OFFLINE


def test_the_words_are_openwhisks() -> None:
    assert [state.text for state in Health] == ["up", "unhealthy", "unresponsive", "offline"]
