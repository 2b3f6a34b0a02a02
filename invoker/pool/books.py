"""The pool's books: what every event makes of the sandboxes and of the calls that wait.

All of it is decided here, and nothing is done here: `handle` takes an event and returns orders for
the shell (`pool.py`). Taking a warm sandbox, giving it back, and joining the line are O(1), however
many actions and sandboxes there are.
"""

from collections.abc import Mapping

from common.ids import ContainerId
from invoker.pool import container as life
from invoker.pool.container import ActionKey, Command, Container, Shape, State
from invoker.pool.keepalive import Fate, FixedKeepAlive
from invoker.pool.line import Line
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
    Order,
    Refuse,
    Start,
    Suspend,
    Ticked,
)
from invoker.pool.prewarm import Foresight, foresee, missing
from invoker.pool.scheduling import EvictFirst, Room, StartNow, grow
from invoker.pool.shelf import Shelf
from invoker.pool.templates import (
    NO_TEMPLATES,
    Likeness,
    TemplateRules,
    Templates,
    is_worth,
    judge,
)

_OF_TEMPLATES = (State.CASTING, State.TEMPLATE)


class Books:
    """The state of one pool. Owned by one shell."""

    def __init__(
        self,
        *,
        prefix: str,
        capacity_mb: int,
        max_starts: int,
        keep_alive: FixedKeepAlive,
        stem_cells: Mapping[Shape, int],
        max_prewarmed: int = 0,
        template_rules: TemplateRules = NO_TEMPLATES,
    ) -> None:
        """Open empty books.

        prefix: begins the id of every sandbox, so that ids of two invokers differ.
        max_prewarmed: sandboxes that may be ready for calls that were only foretold.
        template_rules: what templates there may be, where the driver has any.
        """
        self.shelf = Shelf(capacity_mb)
        self.line = Line()
        self.draining = False
        self._prefix = prefix
        self._made = 0
        self._max_starts = max_starts
        self._keep_alive = keep_alive
        self._stem_cells = stem_cells
        self._max_prewarmed = max_prewarmed
        self._ahead: set[ContainerId] = set()
        self._template_rules = template_rules
        self._templates = Templates()

    def __repr__(self) -> str:
        """Return states and sums, as the log shows them."""
        return f"<Books {self.shelf} {len(self.line)} waiting{' draining' * self.draining}>"

    def check(self) -> None:
        """Assert that every index and sum can be derived anew, and nothing is in two places."""
        self.shelf.check()
        self.line.check()
        held = {c.id for c in self.shelf.containers.values() if c.state in _OF_TEMPLATES}
        assert held == set(self._templates.ids()), "a template is in one book only"
        serving = {job for c in self.shelf.containers.values() for job in c.jobs}
        assert not serving & set(self.line.jobs), "a call waits and is served"
        for job in self.line.jobs.values():
            assert self.shelf.warm(job.key) is None, f"{job} waits beside a free sandbox"
            is_hoped_for = self.line.is_hoped_for(job, self.shelf.hoped_for)
            is_alone = is_hoped_for or self.shelf.blank(job.shape) is None
            assert is_alone, f"{job} waits beside a blank sandbox"

    def handle(self, event: Event) -> list[Order]:
        """Enter *event* and return what is to be done, in order."""
        match event:
            case Happened(container_id, happening, at_s):
                return self._happened(container_id, happening, at_s)
            case JobArrived(job):
                return self._arrived(job)
            case JobWithdrawn(job_id):
                self.line.leave(job_id)
                return []
            case Ticked(at_s):
                return self._ticked(at_s)
            case Foretold(shape):
                begun = self._start(shape)
                self._ahead.add(begun.container)
                return [begun]
            case Loaded(likeness, init_ms):
                return self._loaded(likeness, init_ms)
            case DrainAsked():
                return self._drain()

    def template(self, likeness: Likeness) -> ContainerId | None:
        """Return the template that a blank sandbox of *likeness* can become a copy of."""
        container_id = self._templates.of(likeness)
        if container_id is None:
            return None
        is_ready = self.shelf.containers[container_id].state is State.TEMPLATE
        return container_id if is_ready else None

    def foresee(self, key: ActionKey, shape: Shape) -> Foresight:
        """Judge the hint that *key* will be called; where it is taken, `Foretold` is to follow."""
        shelf, room = self.shelf, self._room()
        made = (shelf.containers.get(container_id) for container_id in self._ahead)
        self._ahead = {c.id for c in made if c and c.state in (State.STARTING, State.BLANK)}
        # How many starts each shape has beyond those that its calls wait for.
        spare = {each: shelf.starting[each] - self._wanted(each) for each in self.line.shapes()}
        is_there = shelf.warm(key) or shelf.blanks(shape)
        is_coming = spare.get(shape, shelf.starting[shape]) > 0
        return foresee(
            shape.memory_mb,
            has_one=bool(is_there) or is_coming,
            is_asked_of=self.draining or any(count < 0 for count in spare.values()),
            free_mb=room.free_mb,
            free_starts=room.free_starts,
            ahead=len(self._ahead),
            most_ahead=self._max_prewarmed,
        )

    def _arrived(self, job: Job) -> list[Order]:
        if self.draining:
            return [Refuse(job.id, "this invoker is stopping")]
        if job.shape.memory_mb > self.shelf.capacity_mb:
            return [Refuse(job.id, f"the pool has {self.shelf.capacity_mb} MB in all")]
        if warm := self.shelf.warm(job.key):
            return [self._assign(job, warm)]
        orders: list[Order] = [self._remove(stale) for stale in self.shelf.outdated(job.key)]
        self.line.join(job)
        if self.line.is_hoped_for(job, self.shelf.hoped_for):
            return orders
        if blank := self.shelf.blank(job.shape):
            self.line.leave(job.id)
            return [self._assign(job, blank), *orders, *self._restock()]
        return orders + self._grow(job.shape)

    def _happened(self, container_id: ContainerId, event: life.Event, at_s: float) -> list[Order]:
        before = self.shelf.containers.get(container_id)
        if before is None:
            return []  # late news of a sandbox that is gone
        after, command = life.step(before, event, at_s)
        if after is before:
            return []
        self.shelf.put(after)
        is_over = isinstance(event, life.JobDone) and command is None
        if is_over and not self.line and not self.draining:
            return []  # the hot path: a warm sandbox waits for its next call
        if before.state in _OF_TEMPLATES:
            return self._of_template(after, event)
        orders: list[Order] = []
        if command is Command.SUSPEND:
            orders.append(Suspend(container_id))
        elif command is Command.DESTROY:
            orders.append(Destroy(container_id))
        if after.is_idle or after.state is State.BLANK or after.has_room:
            orders += self._offer(after)
        if before.hoped_for > after.hoped_for:
            orders += self._use_blanks(before.shape)
        if isinstance(event, life.StartFailed):
            return orders + self._give_up(before, is_whole=event.is_hopeless) + self._grow_all()
        return orders + self._grow_all() + self._restock()

    def _of_template(self, after: Container, event: life.Event) -> list[Order]:
        """Return what is to be done when a template has come to *after* by *event*."""
        if isinstance(event, life.Copied):
            return []
        if after.state is State.TEMPLATE:
            # Calls may have come meanwhile that need its memory.
            return [self._remove(after.id)] if self.draining else self._grow_all()
        failed = isinstance(event, life.StartFailed) and event.is_hopeless
        is_unfit = failed or isinstance(event, life.CopyFailed)
        self._templates.drop(after.id, is_unfit=is_unfit)
        orders: list[Order] = [Destroy(after.id)] if after.state is State.REMOVING else []
        return orders + self._grow_all() + self._restock()

    def _loaded(self, likeness: Likeness, init_ms: int) -> list[Order]:
        """Have a template made of code that took long to load, where that costs nobody anything."""
        rules, templates = self._template_rules, self._templates
        is_settled = templates.of(likeness) is not None or templates.is_unfit(likeness)
        if self.draining or self.line or is_settled:
            return []
        if not is_worth(likeness.shape, init_ms, rules):
            return []
        room, containers = self._room(), self.shelf.containers
        verdict = judge(
            likeness.shape.memory_mb,
            [containers[each].shape.memory_mb for each in templates.ids()],
            rules,
            free_mb=room.free_mb,
            free_starts=room.free_starts,
        )
        if verdict == "evict":
            return [self._remove(victim) for victim in self.shelf.templates()[:1]]
        return [self._cast(likeness)] if verdict == "cast" else []

    def _cast(self, likeness: Likeness) -> CastTemplate:
        self._made += 1
        container_id, (key, shape, _) = ContainerId(f"{self._prefix}-{self._made}"), likeness
        self.shelf.put(Container(id=container_id, shape=shape, state=State.CASTING, key=key))
        self._templates.put(container_id, likeness)
        return CastTemplate(container_id, shape)

    def _ticked(self, at_s: float) -> list[Order]:
        orders: list[Order] = []
        for container_id in self.shelf.paused() + self.shelf.ready():
            idle = self.shelf.containers[container_id]
            is_paused = idle.state is State.PAUSED
            fate = self._keep_alive.fate(at_s - idle.idle_since_s, is_paused=is_paused)
            if fate is Fate.REMOVE:
                orders += self._happened(container_id, life.RemoveAsked(), at_s)
            elif fate is Fate.PAUSE:
                orders += self._happened(container_id, life.GraceOver(), at_s)
            elif not is_paused:
                break  # the rest has been idle for less
        for container_id in self.shelf.templates():
            idle_s = at_s - self.shelf.containers[container_id].idle_since_s
            if idle_s >= self._template_rules.idle_timeout_s:
                orders.append(self._remove(container_id))
        return orders + self._expire(at_s) + self._restock()

    def _expire(self, at_s: float) -> list[Order]:
        """Remove blank sandboxes that are not kept in stock, at the age of any idle one."""
        containers, old = self.shelf.containers, list[ContainerId]()
        for shape, row in self.shelf.blank_rows():
            for container_id in row[: max(0, len(row) - self._stem_cells.get(shape, 0))]:
                idle_s = at_s - containers[container_id].idle_since_s
                if self._keep_alive.fate(idle_s, is_paused=True) is Fate.REMOVE:
                    old.append(container_id)
        return [self._remove(container_id) for container_id in old]

    def _drain(self) -> list[Order]:
        self.draining = True
        orders: list[Order] = []
        for job_id in list(self.line.jobs):
            self.line.leave(job_id)
            orders.append(Refuse(job_id, "this invoker is stopping"))
        return orders + [self._remove(victim) for victim in list(self.shelf.removable())]

    def _assign(self, job: Job, container_id: ContainerId) -> Assign:
        before = self.shelf.containers[container_id]
        after, _ = life.step(before, life.JobTaken(job.id, job.key, job.most), before.idle_since_s)
        self.shelf.put(after)
        return Assign(job.id, container_id, before.state)

    def _offer(self, container: Container) -> list[Order]:
        """Give a sandbox that has become free to whoever has waited longest for it."""
        if self.draining:
            return [] if container.has_room else [self._remove(container.id)]
        if container.key is None:
            job = self.line.take_for_shape(container.shape, self.shelf.hoped_for)
            if job is None and container.shape.image:
                return [self._remove(container.id)]  # the image of an action is never kept in stock
            return [self._assign(job, container.id)] if job else []
        orders: list[Order] = []
        while (container.is_idle or container.has_room) and container.key:
            job = self.line.take_for_key(container.key)
            if job is None:
                break
            orders.append(self._assign(job, container.id))
            container = self.shelf.containers[container.id]
        return orders

    def _use_blanks(self, shape: Shape) -> list[Order]:
        """Give blank sandboxes to calls that had hoped for another."""
        orders: list[Order] = []
        while blank := self.shelf.blank(shape):
            job = self.line.take_for_shape(shape, self.shelf.hoped_for)
            if job is None:
                break
            orders.append(self._assign(job, blank))
        return orders

    def _grow_all(self) -> list[Order]:
        if not self.line:
            return []
        return [order for shape in self.line.shapes() for order in self._grow(shape)]

    def _grow(self, shape: Shape) -> list[Order]:
        """Begin as many sandboxes as calls of *shape* wait for, as far as there is room."""
        orders: list[Order] = []
        containers = self.shelf.containers
        while self.shelf.starting[shape] < self._wanted(shape):
            idle = ((i, containers[i].shape.memory_mb) for i in self.shelf.removable(keep=shape))
            growth = grow(shape, self._room(), idle)
            if isinstance(growth, StartNow):
                orders.append(self._start(shape))
                continue
            if isinstance(growth, EvictFirst):
                orders += [self._remove(victim) for victim in growth.victims]
            break
        return orders

    def _wanted(self, shape: Shape) -> int:
        """Return how many sandboxes the calls of *shape* wait for."""
        return self.line.sandboxes(shape, self.shelf.hoped_for)

    def _restock(self) -> list[Order]:
        """Make the stem cells that are missing, from what nobody waits for."""
        if self.line or self.draining:
            return []
        shelf, room = self.shelf, self._room()
        present = {shape: shelf.blanks(shape) + shelf.starting[shape] for shape in self._stem_cells}
        wanted = missing(
            self._stem_cells, present, free_mb=room.free_mb, free_starts=room.free_starts
        )
        return [self._start(shape) for shape in wanted]

    def _start(self, shape: Shape) -> Start:
        self._made += 1
        container_id = ContainerId(f"{self._prefix}-{self._made}")
        self.shelf.put(Container(id=container_id, shape=shape))
        return Start(container_id, shape)

    def _remove(self, container_id: ContainerId) -> Destroy:
        self._templates.drop(container_id)
        before = self.shelf.containers[container_id]
        after, _ = life.step(before, life.RemoveAsked(), before.idle_since_s)
        self.shelf.put(after)
        return Destroy(container_id)

    def _give_up(self, failed: Container, *, is_whole: bool) -> list[Order]:
        """Refuse the oldest call of a shape, one for each start that fails; or the *whole* shape.

        An image that can't be started can't be started for the next call: its calls must not use up
        one start after the other that somebody else waits for.
        """
        orders: list[Order] = []
        while job := self.line.take_for_shape(failed.shape, self.shelf.hoped_for):
            orders.append(Refuse(job.id, "the sandbox could not be started", failed.id))
            if not is_whole:
                break
        return orders

    def _room(self) -> Room:
        return Room(
            free_mb=self.shelf.free_mb,
            leaving_mb=self.shelf.leaving_mb,
            free_starts=self._max_starts - self.shelf.starting.total() - self._casting(),
        )

    def _casting(self) -> int:
        containers = self.shelf.containers
        made = (containers[container_id].state for container_id in self._templates.ids())
        return sum(state is State.CASTING for state in made)
