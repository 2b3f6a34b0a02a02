"""The pool's shell: owns the sandboxes, tells the books what happens, does what they order.

There is no `if` about policy here. A call comes in with `run` and waits for its assignment; making,
pausing and removing sandboxes are tasks of their own, so a call that leaves takes nothing with it.
Whatever is cancelled, at whatever await, ends in an event to the books.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from common import metrics
from common.clock import Clock
from common.errors import BriskError
from common.ids import ActivationId, ContainerId, Namespace
from common.log import logger
from invoker import outcome
from invoker.driver.port import (
    CannotCast,
    CannotStart,
    ImageUnusable,
    NotCopied,
    Sandbox,
    SandboxDriver,
    Template,
)
from invoker.job import Job
from invoker.pool import container as life
from invoker.pool.books import Books
from invoker.pool.defaults import SandboxDefaults
from invoker.pool.orders import (
    Assign,
    CastTemplate,
    Destroy,
    DrainAsked,
    Event,
    Foretold,
    Happened,
    JobArrived,
    JobWithdrawn,
    Loaded,
    Order,
    Refuse,
    Start,
    Suspend,
    Ticked,
)
from invoker.pool.orders import Job as Entry
from invoker.pool.proxy import Proxy
from invoker.pool.templates import Likeness
from invoker.record import Execution

TICK_S: Final = 1.0
"""How often age is looked at. Times of keep-alive are ten seconds and more."""
CAST_FLOOR_S: Final = 1.0
CAST_FACTOR: Final = 2
"""How long code that is to be a template may take: that, and so many times what it took before."""

_COLD: Final = metrics.STARTS["cold"]
_STEM: Final = metrics.STARTS["stem"]
_WARM: Final = metrics.STARTS["warm"]

log = logger(__name__)


class Pool:
    """Warm sandboxes for calls. Open it with `Pool.open`; safe to use from one event loop."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        books: Books,
        driver: SandboxDriver,
        proxy: Proxy,
        clock: Clock,
        defaults: SandboxDefaults,
    ) -> None:
        self.books = books
        self._tasks = tasks
        self._driver = driver
        self._proxy = proxy
        self._clock = clock
        self._defaults = defaults
        self._sandboxes: dict[ContainerId, Sandbox] = {}
        self._templates: dict[ContainerId, Template] = {}
        self._watches: dict[ContainerId, asyncio.Task[None]] = {}
        self._dead: set[ContainerId] = set()
        self._assignments: dict[ActivationId, asyncio.Future[Assign]] = {}
        self._failures: dict[ContainerId, ImageUnusable] = {}
        self._owned: set[asyncio.Task[None]] = set()
        self._emptied = asyncio.Event()
        self._check_invariants = False
        self._tenant: Namespace | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        books: Books,
        driver: SandboxDriver,
        proxy: Proxy,
        clock: Clock,
        defaults: SandboxDefaults,
        drain_s: float,
        check_invariants: bool = False,
    ) -> AsyncIterator["Pool"]:
        """Yield a pool that lives as long as the block, and leaves no sandbox behind it.

        drain_s: how long the end of the block waits for sandboxes to go.
        check_invariants: verify the books after every event.
        """
        async with asyncio.TaskGroup() as tasks:
            pool = cls(tasks, books, driver, proxy, clock, defaults)
            pool._check_invariants = check_invariants
            ticking = pool._own(pool._tick(), "tick")
            try:
                yield pool
            finally:
                ticking.cancel()
                await pool._drain(drain_s)

    def __repr__(self) -> str:
        """Return what the books say."""
        return f"<Pool {self.books}>"

    async def run(self, job: Job) -> Execution:
        """Do *job* in a sandbox and return what happened; waits for one as long as it takes.

        Raises `CannotStart` when no sandbox can be had, `ImageUnusable` when that is the action's
        fault, `StoreError` when the code can't be read, `BusUnavailable` when it cannot be noted
        that the work begins.
        """
        try:
            return await self._run(job, may_copy=job.action.may_be_copied)
        except NotCopied as error:
            # None of its code has run, but that it begins has been noted.
            log.warning("sandbox_not_copied", action=job.message.action.doc_id, why=str(error))
            return await self._run(replace(job, begin=_nothing), may_copy=False)

    async def _run(self, job: Job, *, may_copy: bool) -> Execution:
        """Do *job*; *may_copy*: in a copy of a template, if there is one. Raises `NotCopied`."""
        assignment = await self._assigned(job)
        # If it does not begin, what was ready still is.
        usable = assignment.was in (life.State.READY, life.State.BUSY)
        try:
            job.begin()
            usable = False
            execution = await self._serve(assignment, job, may_copy=may_copy)
            usable = outcome.keeps_sandbox(execution.response)
            return execution
        finally:
            ends_well = usable and assignment.container not in self._dead
            job_id = job.message.activation_id
            event = life.JobDone(job_id) if ends_well else life.JobFailed(job_id)
            self._happened(assignment.container, event)

    async def _serve(self, assignment: Assign, job: Job, *, may_copy: bool) -> Execution:
        container_id, was = assignment.container, assignment.was
        opened = partial(self._opened, container_id)
        serve = partial(self._proxy.serve, self._sandboxes[container_id], job, was, opened)
        if was is not life.State.BLANK or not may_copy:
            return await serve()
        shape = self.books.shelf.containers[container_id].shape
        likeness = Likeness(job.entry.key, shape, job.likeness)
        template_id = self.books.template(likeness)
        if template_id is None:
            execution = await serve()
            self._loaded(likeness, job, execution)
            return execution
        self._happened(template_id, life.Copied())
        try:
            execution = await serve(self._templates[template_id])
        except NotCopied:
            metrics.TEMPLATES["not_copied"].inc()
            self._happened(template_id, life.CopyFailed())
            raise
        metrics.TEMPLATES["copied"].inc()
        return execution

    def _loaded(self, likeness: Likeness, job: Job, execution: Execution) -> None:
        """Have a template made, if the books find that worth it."""
        if execution.init_ns is None or not outcome.keeps_sandbox(execution.response):
            return
        init_ms = execution.init_ns // outcome.NS_PER_MS
        for order in self._told(Loaded(likeness, init_ms)):
            if isinstance(order, CastTemplate):
                _ = self._own(self._cast(order, job, init_ms), f"cast {order.container}")
            else:
                self._obey(order)

    async def _assigned(self, job: Job) -> Assign:
        entry = self._admit(job.entry)
        image = entry.shape.image
        if image is not None and self.books.shelf.warm(entry.key) is None:
            # Here, where it costs neither memory nor a start: a pull may take very long.
            await self._driver.prepare(image)
        orders = self._told(JobArrived(entry))
        if orders and isinstance(orders[0], Assign):
            self._obey_all(orders[1:])
            (_STEM if orders[0].was is life.State.BLANK else _WARM).inc()
            return orders[0]
        future: asyncio.Future[Assign] = asyncio.get_running_loop().create_future()
        self._assignments[entry.id] = future
        try:
            self._obey_all(orders)
            assignment = await future
            (_COLD if assignment.was is life.State.BLANK else _WARM).inc()
            return assignment
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and not future.exception():
                # The assignment came in the same turn of the loop as the cancellation.
                self._happened(future.result().container, life.JobFailed(entry.id))
            else:
                self._tell(JobWithdrawn(entry.id))
            raise
        finally:
            del self._assignments[entry.id]

    def _admit(self, entry: Entry) -> Entry:
        """Return *entry* as it may be served, with less network than it asks for perhaps.

        Raises `CannotStart` for a second namespace where sandboxes hold nobody.
        """
        namespace = entry.key.namespace
        if not self._defaults.are_isolated:
            self._tenant = self._tenant or namespace
            if namespace != self._tenant:
                raise CannotStart(
                    f"sandboxes are not isolated on this host, and {self._tenant} runs code in "
                    "them; brisk doctor says what isolates them"
                )
        shape = self._granted(namespace, entry.shape)
        return entry if shape is entry.shape else replace(entry, shape=shape)

    def _granted(self, namespace: Namespace, shape: life.Shape) -> life.Shape:
        """Return *shape* with the network that *namespace* gets."""
        if self._defaults.lent_to in (None, namespace):
            return shape
        return shape._replace(is_cut_off=True)

    def foretold(self, key: life.ActionKey, shape: life.Shape) -> None:
        """Make a blank sandbox for a call of *key* that is likely to come, if one is to spare."""
        shape = self._granted(key.namespace, shape)
        is_foreign = not self._defaults.are_isolated and self._tenant not in (None, key.namespace)
        fate = "dropped" if is_foreign else self.books.foresee(key, shape)
        metrics.HINTS[fate].inc()
        if fate == "taken":
            self._tell(Foretold(shape))

    # --- telling the books, and obeying them

    def _happened(self, container_id: ContainerId, event: life.Event) -> None:
        self._tell(Happened(container_id, event, self._clock.elapsed_s()))

    def _opened(self, container_id: ContainerId, most: int | None) -> None:
        self._happened(container_id, life.Opened(most))

    def _tell(self, event: Event) -> None:
        self._obey_all(self._told(event))

    def _told(self, event: Event) -> list[Order]:
        orders = self.books.handle(event)
        if self._check_invariants:
            self.books.check()
        return orders

    def _obey_all(self, orders: list[Order]) -> None:
        for order in orders:
            self._obey(order)
        if self.books.draining and not self.books.shelf.containers:
            self._emptied.set()

    def _obey(self, order: Order) -> None:
        match order:
            case Assign(job=job):
                if self._assignments[job].cancelled():  # the call has left, and not yet said so
                    self._happened(order.container, life.JobFailed(job))
                else:
                    self._assignments[job].set_result(order)
            case Refuse(job, why, failed):
                if not self._assignments[job].cancelled():
                    error = self._failures.get(failed) if failed else None
                    self._assignments[job].set_exception(error or CannotStart(why))
            case CastTemplate():
                raise AssertionError("only who has just loaded code can cast")
            case Start():
                _ = self._own(self._start(order), f"start {order.container}")
            case Suspend(container_id):
                _ = self._own(self._suspend(container_id), f"pause {container_id}")
            case Destroy(container_id):
                _ = self._own(self._destroy(container_id), f"remove {container_id}")

    def _own(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = self._tasks.create_task(work, name=name)
        self._owned.add(task)
        task.add_done_callback(self._owned.discard)
        return task

    async def _start(self, order: Start) -> None:
        spec = self._defaults.spec(order.container, order.shape)
        try:
            sandbox = await self._driver.create(spec)
        except BaseException as error:
            self._start_failed(order.container, error)
            if not isinstance(error, Exception):
                raise
            log.error("sandbox_not_started", container=order.container, kind=spec.kind,
                      image=spec.image and spec.image.reference, why=str(error),
                      cause=repr(error.__cause__ or error))  # fmt: skip
            return
        self._sandboxes[order.container] = sandbox
        self._watches[order.container] = self._own(self._watch(sandbox), f"watch {order.container}")
        self._happened(order.container, life.Started())

    def _start_failed(self, container_id: ContainerId, error: BaseException) -> None:
        """Tell the books; whom they refuse for a bad image is told what is wrong with it."""
        is_hopeless = isinstance(error, ImageUnusable)
        if isinstance(error, ImageUnusable):
            self._failures[container_id] = error
        try:
            self._happened(container_id, life.StartFailed(is_hopeless))
        finally:
            self._failures.pop(container_id, None)

    async def _cast(self, order: CastTemplate, job: Job, init_ms: int) -> None:
        """Make a template of what *job*, whose code took *init_ms*, has just loaded."""
        spec, action = self._defaults.spec(order.container, order.shape), job.message.action.doc_id
        try:
            body = await job.template_body()
            patience_s = CAST_FLOOR_S + CAST_FACTOR * init_ms / 1000
            template = await self._driver.cast(spec, body, timeout_s=patience_s)
        except BaseException as error:
            is_unfit = isinstance(error, CannotCast)
            metrics.TEMPLATES["unfit" if is_unfit else "failed"].inc()
            self._happened(order.container, life.StartFailed(is_unfit))
            if not isinstance(error, Exception):
                raise
            log.info("template_not_made", action=action, why=str(error))
            return
        metrics.TEMPLATES["made"].inc()
        log.info("template_made", action=action, container=order.container, init_ms=init_ms)
        self._templates[order.container] = template
        self._watches[order.container] = self._own(
            self._watch(template), f"watch {order.container}"
        )
        self._happened(order.container, life.Cast())

    async def _watch(self, sandbox: Sandbox | Template) -> None:
        died = await sandbox.wait_death()
        self._dead.add(sandbox.container_id)
        log.info("sandbox_died", container=sandbox.container_id, how=died.how)
        self._happened(sandbox.container_id, life.Died())

    async def _suspend(self, container_id: ContainerId) -> None:
        try:
            await self._sandboxes[container_id].pause()
        except BriskError as error:
            log.warning("sandbox_not_paused", container=container_id, why=str(error))
            self._happened(container_id, life.SuspendFailed())
        else:
            self._happened(container_id, life.Suspended())

    async def _destroy(self, container_id: ContainerId) -> None:
        self._watches.pop(container_id).cancel()
        held = self._sandboxes.pop(container_id, None) or self._templates.pop(container_id)
        try:
            await held.destroy()
        finally:
            self._dead.discard(container_id)
            self._happened(container_id, life.Removed())

    async def _tick(self) -> None:
        while True:
            self._tell(Ticked(self._clock.elapsed_s()))
            await asyncio.sleep(TICK_S)

    async def _drain(self, drain_s: float) -> None:
        self._tell(DrainAsked())
        try:
            async with asyncio.timeout(drain_s):
                await self._emptied.wait()
        except TimeoutError:
            log.error("pool_not_drained", after_s=drain_s, left=repr(self.books))
            for task in list(self._owned):
                task.cancel()


def _nothing() -> None:
    """Note that work begins which was noted before."""
