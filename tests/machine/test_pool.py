"""The pool's invariants under histories that nobody would think of."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from common.ids import ActivationId, ContainerId, DocId, Namespace, Rev
from invoker.driver.port import OwnImage
from invoker.pool import container as life
from invoker.pool.books import Books
from invoker.pool.container import ActionKey, Shape, State
from invoker.pool.keepalive import FixedKeepAlive
from invoker.pool.orders import (
    Assign,
    CastTemplate,
    Destroy,
    DrainAsked,
    Event,
    Foretold,
    Happened,
    Job,
    JobArrived,
    JobWithdrawn,
    Loaded,
    Refuse,
    Start,
    Suspend,
    Ticked,
)
from invoker.pool.templates import Likeness, TemplateRules

SHAPES = [
    Shape("python:3.11", 128),
    Shape("python:3.11", 512),
    Shape("nodejs:20", 256),
    Shape("blackbox", 256, OwnImage("somebody/image", Namespace("guest"))),
]


class PoolMachine(RuleBasedStateMachine):
    """Plays the shell: performs orders in any order, and lets the world misbehave."""

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(
            prefix="c",
            capacity_mb=1024,
            max_starts=3,
            keep_alive=FixedKeepAlive(idle_timeout_s=600, pause_grace_s=10),
            stem_cells={SHAPES[0]: 1},
            max_prewarmed=2,
            template_rules=TemplateRules(
                most=2, most_mb=640, least_init_ms=100, idle_timeout_s=600
            ),
        )
        self.now_s = 0.0
        self.jobs = 0
        self.open: dict[ActivationId, ContainerId | None] = {}
        self.starting: list[ContainerId] = []
        self.casting: list[ContainerId] = []
        self.suspending: list[ContainerId] = []
        self.removing: list[ContainerId] = []

    def tell(self, event: Event) -> None:
        for order in self.books.handle(event):
            match order:
                case Assign(job, container, _):
                    assert self.open[job] is None, "a call was served twice"
                    self.open[job] = container
                case Refuse(job):
                    assert self.open.pop(job, "?") is None, "a call was refused that was served"
                case Start(container, _):
                    self.starting.append(container)
                case CastTemplate(container, _):
                    self.casting.append(container)
                case Suspend(container):
                    self.suspending.append(container)
                case Destroy(container):
                    assert container not in self.removing, "a sandbox is destroyed twice"
                    self.removing.append(container)

    def happened(self, container: ContainerId, event: life.Event) -> None:
        self.tell(Happened(container, event, self.now_s))

    @rule(action=st.integers(1, 4), shape=st.sampled_from(SHAPES), rev=st.sampled_from("12"))
    def call(self, action: int, shape: Shape, rev: str) -> None:
        self.jobs += 1
        job = ActivationId(f"{self.jobs:032x}")
        key = ActionKey(Namespace("guest"), DocId(f"guest/{action}{shape}"), Rev(rev))
        self.open[job] = None
        self.tell(JobArrived(Job(job, key, shape, most=action)))

    @rule(action=st.integers(1, 4), shape=st.sampled_from(SHAPES[:3]))
    def foretell(self, action: int, shape: Shape) -> None:
        key = ActionKey(Namespace("guest"), DocId(f"guest/{action}{shape}"), Rev("1"))
        if self.books.foresee(key, shape) == "taken":
            self.tell(Foretold(shape))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), fails=st.booleans())
    def end_or_withdraw(self, data: st.DataObject, fails: bool) -> None:
        job = data.draw(st.sampled_from(sorted(self.open)))
        container = self.open.pop(job)
        if container is None:
            self.tell(JobWithdrawn(job))
        else:
            self.happened(container, life.JobFailed(job) if fails else life.JobDone(job))

    @precondition(lambda self: self.loading())
    @rule(data=st.data(), can_share=st.booleans())
    def open_for_others(self, data: st.DataObject, can_share: bool) -> None:
        container = data.draw(st.sampled_from(sorted(self.loading())))
        promised = self.loading()[container]
        self.happened(container, life.Opened(promised if can_share else 1))

    def loading(self) -> dict[ContainerId, int]:
        every = self.books.shelf.containers.values()
        return {c.id: c.promised for c in every if c.promised}

    @precondition(lambda self: self.starting)
    @rule(data=st.data(), fails=st.booleans(), is_hopeless=st.booleans())
    def finish_start(self, data: st.DataObject, fails: bool, is_hopeless: bool) -> None:
        container = data.draw(st.sampled_from(self.starting))
        self.starting.remove(container)
        self.happened(container, life.StartFailed(is_hopeless) if fails else life.Started())

    @rule(
        action=st.integers(1, 3),
        shape=st.sampled_from(SHAPES),
        rev=st.sampled_from("12"),
        variables=st.sampled_from("ab"),
        init_ms=st.sampled_from([99, 100]),
    )
    def load(self, action: int, shape: Shape, rev: str, variables: str, init_ms: int) -> None:
        key = ActionKey(Namespace("guest"), DocId(f"guest/{action}{shape}"), Rev(rev))
        self.tell(Loaded(Likeness(key, shape, variables), init_ms))

    @precondition(lambda self: self.casting)
    @rule(data=st.data(), fails=st.booleans(), is_hopeless=st.booleans())
    def finish_cast(self, data: st.DataObject, fails: bool, is_hopeless: bool) -> None:
        container = data.draw(st.sampled_from(self.casting))
        self.casting.remove(container)
        self.happened(container, life.StartFailed(is_hopeless) if fails else life.Cast())

    @precondition(lambda self: self.books.shelf.templates())
    @rule(data=st.data(), fails=st.booleans())
    def copy(self, data: st.DataObject, fails: bool) -> None:
        template = data.draw(st.sampled_from(self.books.shelf.templates()))
        self.happened(template, life.CopyFailed() if fails else life.Copied())

    @precondition(lambda self: self.suspending)
    @rule(data=st.data(), fails=st.booleans())
    def finish_suspend(self, data: st.DataObject, fails: bool) -> None:
        container = data.draw(st.sampled_from(self.suspending))
        self.suspending.remove(container)
        self.happened(container, life.SuspendFailed() if fails else life.Suspended())

    @precondition(lambda self: self.removing)
    @rule(data=st.data())
    def finish_remove(self, data: st.DataObject) -> None:
        container = data.draw(st.sampled_from(self.removing))
        self.removing.remove(container)
        self.happened(container, life.Removed())

    @precondition(lambda self: self.books.shelf.containers)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        container = data.draw(st.sampled_from(sorted(self.books.shelf.containers)))
        if self.books.shelf.containers[container].state not in (State.STARTING, State.CASTING):
            self.happened(container, life.Died())

    @rule(seconds=st.sampled_from([0.0, 1.0, 11.0, 601.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.now_s += seconds
        self.tell(Ticked(self.now_s))

    @rule()
    @precondition(lambda self: self.jobs > 20)
    def drain(self) -> None:
        self.tell(DrainAsked())

    @invariant()
    def the_books_agree(self) -> None:
        self.books.check()

    @invariant()
    def templates_keep_to_their_bounds(self) -> None:
        every = self.books.shelf.containers.values()
        held = [c.shape.memory_mb for c in every if c.state in (State.CASTING, State.TEMPLATE)]
        assert len(held) <= 2
        assert sum(held) <= 640

    @invariant()
    def every_open_call_is_in_one_place(self) -> None:
        served = {job for c in self.books.shelf.containers.values() for job in c.jobs}
        assert served == {job for job, container in self.open.items() if container}
        assert set(self.books.line.jobs) == {j for j, c in self.open.items() if c is None}

    def teardown(self) -> None:
        """Whatever happened, the world can come to rest, and then nobody waits in vain."""
        for _ in range(400):
            if self.starting:
                self.happened(self.starting.pop(), life.Started())
            elif self.casting:
                self.happened(self.casting.pop(), life.Cast())
            elif self.suspending:
                self.happened(self.suspending.pop(), life.Suspended())
            elif self.removing:
                self.happened(self.removing.pop(), life.Removed())
            elif served := [job for job, container in self.open.items() if container]:
                container = self.open.pop(served[0])
                assert container is not None
                self.happened(container, life.JobDone(served[0]))
            else:
                break
        assert not self.open, "calls wait for a sandbox that nobody makes"


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestPool = PoolMachine.TestCase
