"""Whose loaded code becomes a template, and what has to go for it."""

import pytest

from common.ids import ActivationId, ContainerId, DocId, Namespace, Rev
from invoker.driver.port import Ability, OwnImage
from invoker.pool import container as life
from invoker.pool.books import Books
from invoker.pool.container import ActionKey, Shape, State
from invoker.pool.keepalive import FixedKeepAlive
from invoker.pool.orders import (
    Assign,
    CastTemplate,
    Destroy,
    DrainAsked,
    Happened,
    Job,
    JobArrived,
    Loaded,
    Order,
    Start,
    Ticked,
)
from invoker.pool.templates import Likeness, TemplateRules, Templates, is_worth, judge

PYTHON = Shape("python:3.11", 256)
RULES = TemplateRules(most=2, most_mb=768, least_init_ms=100, idle_timeout_s=3600)


def likeness(
    action: str = "a", rev: str = "1", variables: str = "v", shape: Shape = PYTHON
) -> Likeness:
    key = ActionKey(Namespace("guest"), DocId(f"guest/{action}"), Rev(rev))
    return Likeness(key, shape, variables)


@pytest.mark.parametrize(
    ("shape", "init_ms", "expected"),
    [
        (PYTHON, 100, True),
        (PYTHON, 99, False),
        (Shape("nodejs:20", 256), 900, False),
        (Shape("native:actionloop", 256), 900, False),
        (Shape("python:3.11", 256, OwnImage("some/body", Namespace("guest"))), 900, False),
    ],
)
def test_it_is_worth_it_where_loading_took_long(shape: Shape, init_ms: int, expected: bool) -> None:
    assert is_worth(shape, init_ms, RULES) is expected


def test_a_driver_that_cannot_copy_has_none() -> None:
    numbers = {"most": 2, "most_mb": 768, "least_init_ms": 100}
    without = TemplateRules.where_possible([Ability.MEMORY], **numbers, idle_timeout_s=1)
    assert not is_worth(PYTHON, 900, without)
    assert is_worth(
        PYTHON, 900, TemplateRules.where_possible([Ability.TEMPLATES], **numbers, idle_timeout_s=1)
    )


@pytest.mark.parametrize(
    ("held_mb", "free_mb", "free_starts", "verdict"),
    [
        ([], 256, 2, "cast"),
        ([], 255, 2, "leave"),
        ([], 256, 1, "leave"),
        ([256], 256, 2, "cast"),
        ([256, 256], 256, 2, "evict"),
        ([768], 256, 2, "evict"),
    ],
)
def test_one_is_made_of_what_nobody_else_uses(
    held_mb: list[int], free_mb: int, free_starts: int, verdict: str
) -> None:
    assert judge(256, held_mb, RULES, free_mb=free_mb, free_starts=free_starts) == verdict


def test_one_that_is_too_large_for_all_templates_evicts_none() -> None:
    assert judge(1024, [256, 256], RULES, free_mb=4096, free_starts=4) == "leave"


def test_only_so_many_that_are_unfit_are_remembered() -> None:
    templates = Templates()
    for number in range(1001):
        templates.put(ContainerId(f"c-{number}"), likeness(f"a{number}"))
        templates.drop(ContainerId(f"c-{number}"), is_unfit=True)
    assert not templates.is_unfit(likeness("a0"))
    assert templates.is_unfit(likeness("a1"))
    assert templates.ids() == []


class Pool:
    """Books with templates, consistent after every event."""

    def __init__(self, capacity_mb: int = 2048, rules: TemplateRules = RULES) -> None:
        self.books = Books(
            prefix="c",
            capacity_mb=capacity_mb,
            max_starts=4,
            keep_alive=FixedKeepAlive(idle_timeout_s=600, pause_grace_s=10),
            stem_cells={},
            template_rules=rules,
        )
        self.now_s = 0.0

    def tell(self, event: object) -> list[Order]:
        orders = self.books.handle(event)  # type: ignore[arg-type]
        self.books.check()
        return orders

    def happened(self, container: str, event: life.Event) -> list[Order]:
        return self.tell(Happened(ContainerId(container), event, self.now_s))

    def loaded(self, like: Likeness | None = None, init_ms: int = 500) -> list[Order]:
        return self.tell(Loaded(like or likeness(), init_ms))

    def cast(self, like: Likeness | None = None) -> str:
        """Have a template made, and return its name."""
        (order,) = self.loaded(like)
        assert isinstance(order, CastTemplate)
        assert self.happened(order.container, life.Cast()) == []
        return order.container

    def call(self, job: str, action: str = "a", rev: str = "1", mb: int = 256) -> list[Order]:
        like = likeness(action, rev, shape=Shape("python:3.11", mb))
        return self.tell(JobArrived(Job(ActivationId(job), like.key, like.shape)))


def test_a_template_holds_memory_from_its_beginning_and_is_found_when_it_is_there() -> None:
    pool = Pool()
    assert pool.loaded() == [CastTemplate(ContainerId("c-1"), PYTHON)]
    assert pool.books.shelf.reserved_mb == 256
    assert pool.books.template(likeness()) is None
    pool.happened("c-1", life.Cast())
    assert pool.books.template(likeness()) == "c-1"
    assert pool.books.template(likeness(variables="other")) is None
    assert pool.books.template(likeness(rev="2")) is None
    assert pool.loaded() == [], "there is one"


def test_who_waits_for_a_sandbox_comes_first() -> None:
    pool = Pool(capacity_mb=256)
    pool.call("j1")
    assert pool.loaded() == []
    pool.happened("c-1", life.Started())
    assert pool.loaded() == [], "no memory is left"


def test_a_call_gets_the_memory_of_a_template() -> None:
    pool = Pool(capacity_mb=512)
    template = pool.cast()
    assert pool.call("j1", "b", mb=512) == [Destroy(ContainerId(template))]
    assert pool.books.template(likeness()) is None
    assert pool.happened(template, life.Removed()) == [
        Start(ContainerId("c-2"), Shape("python:3.11", 512))
    ]


def test_who_came_while_it_was_cast_gets_its_memory_when_that_is_over() -> None:
    pool = Pool(capacity_mb=512)
    pool.loaded()
    assert pool.call("j1", "b", mb=512) == []
    assert pool.happened("c-1", life.Cast()) == [Destroy(ContainerId("c-1"))]


def test_what_is_being_cast_is_no_start_that_calls_wait_for() -> None:
    pool = Pool()
    pool.loaded()
    assert pool.call("j1") == [Start(ContainerId("c-2"), PYTHON)]
    assert pool.happened("c-1", life.StartFailed()) == [], "nobody is refused for it"
    assert pool.happened("c-2", life.Started()) == [
        Assign(ActivationId("j1"), ContainerId("c-2"), State.BLANK)
    ]


def test_the_one_that_was_copied_longest_ago_makes_room_for_the_next_time() -> None:
    pool = Pool()
    old, new = pool.cast(likeness("old")), pool.cast(likeness("new"))
    pool.happened(old, life.Copied())
    assert pool.loaded(likeness("third")) == [Destroy(ContainerId(new))]
    pool.happened(new, life.Removed())
    assert pool.cast(likeness("third"))


def test_a_new_revision_drives_the_template_of_the_old_one_out() -> None:
    pool = Pool()
    template = pool.cast()
    assert Destroy(ContainerId(template)) in pool.call("j1", rev="2")


def test_it_goes_when_nobody_has_copied_it_for_long() -> None:
    pool = Pool()
    template = pool.cast()
    pool.now_s = 3000
    pool.happened(template, life.Copied())
    assert pool.tell(Ticked(6599)) == []
    assert pool.tell(Ticked(6600)) == [Destroy(ContainerId(template))]


@pytest.mark.parametrize(
    ("event", "is_tried_again"),
    [(life.StartFailed(is_hopeless=True), False), (life.StartFailed(), True)],
)
def test_code_that_cannot_be_copied_is_not_tried_again(
    event: life.Event, is_tried_again: bool
) -> None:
    pool = Pool()
    pool.loaded()
    pool.happened("c-1", event)
    assert pool.books.shelf.reserved_mb == 0
    assert bool(pool.loaded()) is is_tried_again


def test_a_copy_that_failed_ends_the_template_for_good() -> None:
    pool = Pool()
    template = pool.cast()
    assert pool.happened(template, life.CopyFailed()) == [Destroy(ContainerId(template))]
    assert pool.happened(template, life.CopyFailed()) == [], "a second one comes late"
    assert pool.loaded() == []


def test_one_that_died_may_be_made_again() -> None:
    pool = Pool()
    template = pool.cast()
    assert pool.happened(template, life.Died()) == [Destroy(ContainerId(template))]
    pool.happened(template, life.Removed())
    assert pool.loaded() != []


def test_a_pool_that_is_emptied_keeps_none() -> None:
    pool = Pool()
    template = pool.cast()
    (other,) = pool.loaded(likeness("b"))
    assert isinstance(other, CastTemplate)
    assert pool.tell(DrainAsked()) == [Destroy(ContainerId(template))]
    assert pool.happened(other.container, life.Cast()) == [Destroy(other.container)]
    assert pool.loaded(likeness("c")) == []
