"""Who reads an action waits for a store that is away, within a bound, and for nothing else."""

from typing import cast

import pytest

from common.clock import SystemClock
from common.store.actions import ActionStore
from common.store.port import Corrupted, Denied, Missing, StoreError, StoreUnavailable
from invoker import actions as actions_module
from invoker.actions import PatientActions
from tests.fakes.jobs import an_action

ACTION = an_action()


class Flaky:
    """A store that fails with each of *failures* in turn, and then answers."""

    def __init__(self, *failures: StoreError) -> None:
        self.failures = list(failures)
        self.asked = 0

    async def get(self, name: object, *, rev: object) -> object:
        assert (name, rev) == (ACTION.name, ACTION.rev)
        return self._answer(ACTION)

    async def code(self, action: object) -> object:
        assert action is ACTION
        return self._answer("code")

    def _answer(self, value: object) -> object:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return value


def patient(store: Flaky, wait_s: float = 10.0) -> PatientActions:
    return PatientActions(cast(ActionStore, store), SystemClock(), wait_s=wait_s)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions_module, "PAUSE_S", 0.001)


async def test_a_store_that_comes_back_in_time_was_never_away() -> None:
    store = Flaky(*(StoreUnavailable() for _ in range(3)))
    assert await patient(store).get(ACTION.name, ACTION.rev) is ACTION
    store.failures = [StoreUnavailable()]
    assert await patient(store).code(ACTION) == "code"
    assert store.asked == 6


async def test_a_store_that_stays_away_is_given_up_when_the_time_is_over() -> None:
    store = Flaky(*(StoreUnavailable() for _ in range(1000)))
    with pytest.raises(StoreUnavailable):
        await patient(store, wait_s=0.02).get(ACTION.name, ACTION.rev)
    assert 2 <= store.asked < 1000


@pytest.mark.parametrize("failure", [Missing(), Corrupted(), Denied()])
async def test_what_waiting_does_not_mend_is_said_at_once(failure: StoreError) -> None:
    store = Flaky(failure)
    with pytest.raises(type(failure)):
        await patient(store).get(ACTION.name, ACTION.rev)
    assert store.asked == 1
