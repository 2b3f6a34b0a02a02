"""Histories in, orders out: how the pool's books decide. No loop, no sleep, no sandbox."""

from collections.abc import Iterator

import pytest

from common.ids import ActivationId, ContainerId, DocId, Namespace, Rev
from invoker.driver.port import OwnImage
from invoker.pool import container as life
from invoker.pool.books import Books
from invoker.pool.container import ActionKey, Shape, State
from invoker.pool.keepalive import FixedKeepAlive
from invoker.pool.orders import (
    Assign,
    Destroy,
    DrainAsked,
    Foretold,
    Happened,
    Job,
    JobArrived,
    JobWithdrawn,
    Order,
    Refuse,
    Start,
    Suspend,
    Ticked,
)

PYTHON = Shape("python:3.11", 256)
NODE = Shape("nodejs:20", 256)
LARGE = Shape("python:3.11", 512)
IMAGE = Shape("blackbox", 256, OwnImage("somebody/image", Namespace("guest")))
OTHERS_IMAGE = Shape("blackbox", 256, OwnImage("somebody/image", Namespace("other")))


class Pool:
    """Books with a shorthand for each event; consistent after every one of them."""

    def __init__(
        self, capacity_mb: int = 1024, stem_cells: dict[Shape, int] | None = None, starts: int = 9
    ) -> None:
        self.books = Books(
            prefix="c",
            capacity_mb=capacity_mb,
            max_starts=starts,
            keep_alive=FixedKeepAlive(idle_timeout_s=600, pause_grace_s=10),
            stem_cells=stem_cells or {},
            max_prewarmed=2,
        )
        self.now_s = 0.0

    def call(
        self, job: str, action: str = "a", shape: Shape = PYTHON, rev: str = "1", most: int = 1
    ) -> list[Order]:
        key = ActionKey(Namespace("guest"), DocId(f"guest/{action}"), Rev(rev))
        arrived = JobArrived(Job(ActivationId(job), key, shape, most))
        return self._checked(self.books.handle(arrived))

    def happened(self, container: str, event: life.Event) -> list[Order]:
        return self._checked(self.books.handle(Happened(ContainerId(container), event, self.now_s)))

    def hint(self, action: str = "b", shape: Shape = PYTHON) -> list[Order]:
        key = ActionKey(Namespace("guest"), DocId(f"guest/{action}"), Rev("1"))
        if self.books.foresee(key, shape) != "taken":
            return []
        return self._checked(self.books.handle(Foretold(shape)))

    def started(self, container: str) -> list[Order]:
        return self.happened(container, life.Started())

    def done(self, container: str, job: str | None = None) -> list[Order]:
        return self.happened(container, life.JobDone(ActivationId(job) if job else None))

    def opened(self, container: str, most: int | None) -> list[Order]:
        return self.happened(container, life.Opened(most))

    def tick(self, seconds: float) -> list[Order]:
        self.now_s += seconds
        return self._checked(self.books.handle(Ticked(self.now_s)))

    def state(self, container: str) -> State:
        return self.books.shelf.containers[ContainerId(container)].state

    def _checked(self, orders: list[Order]) -> list[Order]:
        self.books.check()
        return orders


def start(container: str, shape: Shape = PYTHON) -> Start:
    return Start(ContainerId(container), shape)


def not_started(job: str, container: str) -> Refuse:
    why = "the sandbox could not be started"
    return Refuse(ActivationId(job), why, ContainerId(container))


def assign(job: str, container: str, was: State) -> Assign:
    return Assign(ActivationId(job), ContainerId(container), was)


@pytest.fixture
def pool() -> Iterator[Pool]:
    yield Pool()


@pytest.fixture
def warm() -> Pool:
    """A pool with one idle sandbox of action `a`."""
    pool = Pool()
    pool.call("j0")
    pool.started("c-1")
    pool.done("c-1")
    return pool


def test_a_first_call_starts_a_sandbox_and_gets_it(pool: Pool) -> None:
    assert pool.call("j1") == [start("c-1")]
    assert pool.started("c-1") == [assign("j1", "c-1", State.BLANK)]


def test_a_warm_sandbox_is_taken_at_once(warm: Pool) -> None:
    assert warm.call("j1") == [assign("j1", "c-1", State.READY)]


def test_another_actions_warm_sandbox_is_never_taken(warm: Pool) -> None:
    assert warm.call("j1", action="b") == [start("c-2")]


def test_a_sandbox_with_an_older_revision_goes_when_a_newer_one_is_called(warm: Pool) -> None:
    assert warm.call("j1", rev="2") == [Destroy(ContainerId("c-1")), start("c-2")]


def test_the_sandbox_used_last_is_taken_first(pool: Pool) -> None:
    for job in ("j1", "j2"):
        pool.call(job)
    for container in ("c-1", "c-2"):
        pool.started(container)
    pool.done("c-1")
    pool.done("c-2")
    assert pool.call("j3") == [assign("j3", "c-2", State.READY)]


def test_a_waiting_call_takes_the_freed_sandbox_and_leaves_the_new_one_blank(warm: Pool) -> None:
    warm.call("j1")
    assert warm.call("j2") == [start("c-2")]
    assert warm.done("c-1") == [assign("j2", "c-1", State.READY)]
    assert warm.started("c-2") == []
    assert warm.state("c-2") is State.BLANK


def test_a_new_sandbox_serves_whoever_of_its_shape_has_waited_longest(pool: Pool) -> None:
    pool.call("j1", action="a")
    pool.call("j2", action="b")
    assert pool.started("c-2") == [assign("j1", "c-2", State.BLANK)]
    assert pool.started("c-1") == [assign("j2", "c-1", State.BLANK)]


def test_a_call_that_does_not_fit_holds_nobody_up(pool: Pool) -> None:
    for number in range(3):
        pool.call(f"j{number}")
        pool.started(f"c-{number + 1}")
    assert pool.call("large", action="l", shape=LARGE) == []
    assert pool.call("small", action="s") == [start("c-4")]


def test_the_longest_idle_sandbox_makes_room(pool: Pool) -> None:
    for number in range(4):
        pool.call(f"j{number}", action=f"a{number}")
        pool.started(f"c-{number + 1}")
    pool.done("c-2")
    pool.done("c-1")
    assert pool.call("new", action="new") == [Destroy(ContainerId("c-2"))]
    assert pool.happened("c-2", life.Removed()) == [start("c-5")]


def test_nothing_is_evicted_in_vain(pool: Pool) -> None:
    pool = Pool(capacity_mb=512)
    pool.call("j1")
    pool.call("j2")
    pool.started("c-1")
    pool.started("c-2")
    pool.done("c-1")
    assert pool.call("large", action="l", shape=LARGE) == []
    assert pool.done("c-2") == [Destroy(ContainerId("c-1")), Destroy(ContainerId("c-2"))]


def test_a_busy_pool_makes_room_as_soon_as_a_sandbox_is_idle(pool: Pool) -> None:
    pool = Pool(capacity_mb=256)
    pool.call("j1", action="a")
    pool.started("c-1")
    assert pool.call("j2", action="b") == []
    assert pool.done("c-1") == [Destroy(ContainerId("c-1"))]
    assert pool.happened("c-1", life.Removed()) == [start("c-2")]


def test_a_call_larger_than_the_pool_is_refused_at_once() -> None:
    orders = Pool(capacity_mb=256).call("j1", shape=LARGE)
    assert orders == [Refuse(ActivationId("j1"), "the pool has 256 MB in all")]


def test_each_failed_start_refuses_one_call(pool: Pool) -> None:
    pool.call("j1")
    pool.call("j2")
    assert pool.happened("c-1", life.StartFailed()) == [not_started("j1", "c-1")]
    assert pool.started("c-2") == [assign("j2", "c-2", State.BLANK)]


def test_an_image_that_cant_be_started_refuses_all_its_calls_and_no_others() -> None:
    pool = Pool(starts=1)
    pool.call("j1", shape=IMAGE)
    pool.call("j2", action="b", shape=IMAGE)
    pool.call("j3", action="c", shape=OTHERS_IMAGE)
    assert pool.happened("c-1", life.StartFailed(is_hopeless=True)) == [
        not_started("j1", "c-1"),
        not_started("j2", "c-1"),
        start("c-2", OTHERS_IMAGE),
    ]


def test_the_same_image_of_another_owner_is_another_image() -> None:
    pool = Pool()
    pool.call("j1", shape=IMAGE)
    assert pool.call("j2", shape=OTHERS_IMAGE) == [start("c-2", OTHERS_IMAGE)]
    assert pool.started("c-2") == [assign("j2", "c-2", State.BLANK)]
    assert pool.started("c-1") == [assign("j1", "c-1", State.BLANK)]


def test_the_image_of_an_action_is_not_kept_in_stock() -> None:
    pool = Pool()
    pool.call("j1", shape=IMAGE)
    pool.started("c-1")
    pool.call("j2", shape=IMAGE)
    assert pool.done("c-1") == [assign("j2", "c-1", State.READY)]
    assert pool.started("c-2") == [Destroy(ContainerId("c-2"))]


def test_a_call_that_withdraws_is_not_served(pool: Pool) -> None:
    pool.call("j1")
    assert pool.books.handle(JobWithdrawn(ActivationId("j1"))) == []
    assert pool.started("c-1") == []


def test_starts_are_bounded_and_go_on_when_one_is_up() -> None:
    pool = Pool(starts=1)
    assert pool.call("j1") == [start("c-1")]
    assert pool.call("j2", action="b") == []
    assert pool.started("c-1") == [assign("j1", "c-1", State.BLANK), start("c-2")]


def test_an_idle_sandbox_is_paused_after_ten_seconds_and_removed_after_ten_minutes(
    warm: Pool,
) -> None:
    assert warm.tick(9.9) == []
    assert warm.tick(0.1) == [Suspend(ContainerId("c-1"))]
    assert warm.happened("c-1", life.Suspended()) == []
    assert warm.tick(589) == []
    assert warm.tick(1) == [Destroy(ContainerId("c-1"))]
    assert warm.happened("c-1", life.Removed()) == []
    assert warm.books.shelf.reserved_mb == 0


def test_a_paused_sandbox_serves_again(warm: Pool) -> None:
    warm.tick(10)
    warm.happened("c-1", life.Suspended())
    assert warm.call("j1") == [assign("j1", "c-1", State.PAUSED)]


def test_a_call_that_meets_a_pausing_sandbox_gets_it_when_it_is_paused(warm: Pool) -> None:
    warm.tick(10)
    assert warm.call("j1") == [start("c-2")]
    assert warm.happened("c-1", life.Suspended()) == [assign("j1", "c-1", State.PAUSED)]


def test_a_sandbox_that_dies_idle_is_removed(warm: Pool) -> None:
    assert warm.happened("c-1", life.Died()) == [Destroy(ContainerId("c-1"))]
    assert warm.call("j1") == [start("c-2")]


def test_after_a_failed_call_the_next_one_gets_another_sandbox(warm: Pool) -> None:
    warm.call("j1")
    assert warm.happened("c-1", life.JobFailed()) == [Destroy(ContainerId("c-1"))]
    assert warm.call("j2") == [start("c-2")]


def test_stem_cells_are_made_when_time_begins_and_replaced_when_taken() -> None:
    pool = Pool(stem_cells={PYTHON: 2})
    assert pool.tick(0) == [start("c-1"), start("c-2")]
    pool.started("c-1")
    pool.started("c-2")
    assert pool.call("j1") == [assign("j1", "c-1", State.BLANK), start("c-3")]


def test_a_stem_cell_that_cannot_be_made_is_tried_again_with_the_next_tick_only() -> None:
    pool = Pool(stem_cells={PYTHON: 1})
    assert pool.tick(0) == [start("c-1")]
    assert pool.happened("c-1", life.StartFailed()) == []
    assert pool.tick(1) == [start("c-2")]


def test_stem_cells_evict_nobody_and_give_way_to_calls() -> None:
    pool = Pool(capacity_mb=512, stem_cells={PYTHON: 2})
    pool.tick(0)
    pool.started("c-1")
    pool.started("c-2")
    assert pool.call("n", action="n", shape=NODE) == [Destroy(ContainerId("c-1"))]
    assert pool.happened("c-1", life.Removed()) == [start("c-3", NODE)]


def test_draining_lets_go_of_what_is_idle_and_waits_for_what_is_busy(warm: Pool) -> None:
    warm.call("busy", action="b")
    warm.started("c-2")
    warm.call("waiting", action="w", shape=LARGE)
    orders = warm.books.handle(DrainAsked())
    assert orders == [
        Refuse(ActivationId("waiting"), "this invoker is stopping"),
        Destroy(ContainerId("c-1")),
    ]
    assert warm.call("late") == [Refuse(ActivationId("late"), "this invoker is stopping")]
    assert warm.started("c-3") == [Destroy(ContainerId("c-3"))]
    assert warm.done("c-2") == [Destroy(ContainerId("c-2"))]
    for container in ("c-1", "c-2", "c-3"):
        warm.happened(container, life.Removed())
    assert repr(warm.books) == "<Books <Shelf empty | 0/1024 MB> 0 waiting draining>"


def test_what_is_foretold_has_its_sandbox_when_it_is_called(warm: Pool) -> None:
    assert warm.hint(shape=NODE) == [start("c-2", NODE)]
    assert warm.hint(shape=NODE) == [], "one is being made"
    warm.started("c-2")
    assert warm.call("j1", action="b", shape=NODE) == [assign("j1", "c-2", State.BLANK)]


def test_what_is_there_is_not_made_for_a_hint(warm: Pool) -> None:
    assert warm.hint(action="a") == [], "it has its code already"
    assert Pool(stem_cells={NODE: 1}).hint(shape=LARGE) == [start("c-1", LARGE)]
    stocked = Pool(stem_cells={NODE: 1})
    stocked.tick(1)
    assert stocked.hint(shape=NODE) == [], "a stem cell will do"


def test_a_hint_takes_nothing_from_calls() -> None:
    pool = Pool(capacity_mb=512)
    pool.call("j1", shape=LARGE)
    pool.started("c-1")
    pool.done("c-1")
    assert pool.hint(shape=NODE) == [], "nothing warm is evicted for it"
    busy = Pool(starts=1)
    assert busy.hint() == [], "the last start is for calls"
    full = Pool(starts=2)
    for job in ("j1", "j2", "j3"):
        full.call(job)
    assert full.hint(shape=NODE) == [], "somebody waits who has no start"


def test_calls_that_wait_for_a_start_of_their_own_leave_the_rest_to_hints() -> None:
    pool = Pool()
    pool.call("j1")
    assert pool.hint() == [start("c-2")], "the first one is for who waits"
    assert pool.hint() == [], "the second one is for the hint"
    assert pool.started("c-2") == [assign("j1", "c-2", State.BLANK)]
    pool.started("c-1")
    assert pool.tick(600) == [Destroy(ContainerId("c-1"))], "whichever is left grows old"


def test_what_was_made_ahead_makes_way_and_is_bounded() -> None:
    pool = Pool(capacity_mb=768)
    assert pool.hint(shape=NODE) == [start("c-1", NODE)]
    assert pool.hint() == [start("c-2")]
    assert pool.hint(shape=Shape("php:8", 128)) == [], "two are the most"
    for container in ("c-1", "c-2"):
        pool.started(container)
    assert pool.call("j1", shape=LARGE) == [Destroy(ContainerId("c-1"))]
    assert pool.happened("c-1", life.Removed()) == [start("c-3", LARGE)]


def test_what_was_made_ahead_and_not_taken_goes_like_any_idle_sandbox() -> None:
    pool = Pool()
    pool.hint()
    pool.started("c-1")
    assert pool.tick(599) == []
    assert pool.tick(1) == [Destroy(ContainerId("c-1"))]
    pool.happened("c-1", life.Removed())

    pool.hint()
    pool.started("c-2")
    pool.call("j1")
    pool.done("c-2")
    pool.tick(10)
    assert pool.state("c-2") is State.PAUSING, "what was taken has its own age"
