"""Several calls of one action in one sandbox: who gets in, who waits, and when it goes."""

import pytest

from common.ids import ActivationId, ContainerId
from invoker.pool import container as life
from invoker.pool.container import State
from invoker.pool.orders import Destroy, Order
from tests.unit.invoker.pool.test_books import PYTHON, Pool, assign, start

DESTROY = [Destroy(ContainerId("c-1"))]


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def shared() -> Pool:
    """A pool with one sandbox that takes three calls at a time, and serves one."""
    pool = Pool()
    assert pool.call("j1", most=3) == [start("c-1")]
    assert pool.started("c-1") == [assign("j1", "c-1", State.BLANK)]
    assert pool.opened("c-1", 3) == []
    return pool


def failed(pool: Pool, job: str) -> list[Order]:
    return pool.happened("c-1", life.JobFailed(ActivationId(job)))


def test_others_join_until_it_is_full(shared: Pool) -> None:
    assert shared.call("j2", most=3) == [assign("j2", "c-1", State.BUSY)]
    assert shared.call("j3", most=3) == [assign("j3", "c-1", State.BUSY)]
    assert shared.call("j4", most=3) == [start("c-2")]
    assert shared.done("c-1", "j2") == [assign("j4", "c-1", State.BUSY)]


def test_it_is_idle_when_the_last_has_left(shared: Pool) -> None:
    shared.call("j2", most=3)
    shared.done("c-1", "j1")
    assert shared.state("c-1") is State.BUSY
    shared.done("c-1", "j2")
    assert shared.state("c-1") is State.READY
    assert shared.call("j3", most=3) == [assign("j3", "c-1", State.READY)]
    assert shared.call("j4", most=3) == [assign("j4", "c-1", State.BUSY)], "it is still open"


def test_who_comes_while_code_is_loaded_waits_for_it_and_starts_nothing(pool: Pool) -> None:
    pool.call("j1", most=3)
    pool.started("c-1")
    assert pool.call("j2", most=3) == []
    assert pool.call("j3", most=3) == []
    assert pool.call("j4", most=3) == [start("c-2")], "the first could not take it"
    assert pool.opened("c-1", 3) == [
        assign("j2", "c-1", State.BUSY),
        assign("j3", "c-1", State.BUSY),
    ]


def test_code_that_takes_one_at_a_time_after_all_has_the_others_served_elsewhere(
    pool: Pool,
) -> None:
    pool.call("j1", most=3)
    pool.started("c-1")
    pool.call("j2", most=3)
    pool.call("j3", most=3)
    assert pool.opened("c-1", 1) == [start("c-2")]
    assert pool.started("c-2") == [assign("j2", "c-2", State.BLANK)]
    assert pool.done("c-1", "j1") == [assign("j3", "c-1", State.READY)]


def test_code_that_cannot_be_loaded_leaves_the_others_to_another_sandbox(pool: Pool) -> None:
    pool.call("j1", most=3)
    pool.started("c-1")
    pool.call("j2", most=3)
    assert failed(pool, "j1") == [*DESTROY, start("c-2")]


def test_many_that_wait_need_few_sandboxes(pool: Pool) -> None:
    for number in range(7):
        pool.call(f"j{number}", most=3)
    starting = [c for c in pool.books.shelf.containers.values() if c.state is State.STARTING]
    assert len(starting) == 3


def test_after_a_failure_nobody_joins_and_the_others_end_in_peace(shared: Pool) -> None:
    shared.call("j2", most=3)
    assert failed(shared, "j1") == []
    assert shared.call("j3", most=3) == [start("c-2")]
    assert shared.done("c-1", "j2") == DESTROY


def test_a_sandbox_that_died_is_joined_by_nobody(shared: Pool) -> None:
    shared.call("j2", most=3)
    assert shared.happened("c-1", life.Died()) == []
    assert shared.call("j3", most=3) == [start("c-2")]
    assert failed(shared, "j1") == []
    assert failed(shared, "j2") == DESTROY


def test_one_that_was_paused_is_joined_once_it_goes_on(shared: Pool) -> None:
    shared.done("c-1", "j1")
    shared.tick(11)
    shared.happened("c-1", life.Suspended())
    assert shared.call("j2", most=3) == [assign("j2", "c-1", State.PAUSED)]
    assert shared.call("j3", most=3) == []
    assert shared.opened("c-1", None) == [assign("j3", "c-1", State.BUSY)]


def test_calls_of_another_revision_or_action_do_not_join(shared: Pool) -> None:
    assert shared.call("j2", most=3, rev="2") == [start("c-2")]
    assert shared.call("j3", most=3, action="b") == [start("c-3")]


def test_who_hopes_in_vain_takes_a_blank_sandbox() -> None:
    pool = Pool(stem_cells={PYTHON: 1})
    pool.tick(0)
    pool.started("c-1")
    assert pool.call("j1", most=3) == [assign("j1", "c-1", State.BLANK), start("c-2")]
    assert pool.call("j2", most=3) == []
    assert pool.started("c-2") == [], "it hopes for the first"
    assert pool.opened("c-1", 1)[0] == assign("j2", "c-2", State.BLANK)
