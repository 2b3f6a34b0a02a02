"""The sandboxes of one pool, and every index that makes a question about them O(1).

`containers` is the truth; free stacks, blank rows, idle ages and sums follow from it. They are kept
as sandboxes come and go, and `check` derives them anew and compares.

The free list of an action is a stack: the sandbox used last is taken first, so that the others grow
old and go. Paused sandboxes lie at its bottom.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator

from common.ids import ContainerId, DocId, Namespace
from invoker.pool.container import ActionKey, Container, Shape, State


class Shelf:
    """All sandboxes that are not GONE."""

    def __init__(self, capacity_mb: int) -> None:
        self.containers: dict[ContainerId, Container] = {}
        self.capacity_mb = capacity_mb
        self.reserved_mb = 0
        """Held by all of them, from STARTING to REMOVING."""
        self.leaving_mb = 0
        """Held by those that are REMOVING."""
        self.starting: Counter[Shape] = Counter()
        self._free: dict[ActionKey, list[ContainerId]] = {}
        self._open: dict[ActionKey, OrderedDict[ContainerId, None]] = {}
        self._hoped_for: Counter[ActionKey] = Counter()
        self._revisions: dict[tuple[Namespace, DocId], set[ActionKey]] = {}
        self._blank: dict[Shape, deque[ContainerId]] = {}
        self._ready: OrderedDict[ContainerId, None] = OrderedDict()
        self._paused: OrderedDict[ContainerId, None] = OrderedDict()
        self._templates: OrderedDict[ContainerId, None] = OrderedDict()

    def __repr__(self) -> str:
        """Return states and sums, as the log shows them."""
        states = Counter(container.state.name for container in self.containers.values())
        shown = ", ".join(f"{count} {name}" for name, count in sorted(states.items())) or "empty"
        return f"<Shelf {shown} | {self.reserved_mb}/{self.capacity_mb} MB>"

    @property
    def free_mb(self) -> int:
        """What no sandbox holds."""
        return self.capacity_mb - self.reserved_mb

    def count(self, state: State) -> int:
        """Return how many are in *state*; looks at each, for who asks now and then."""
        return sum(container.state is state for container in self.containers.values())

    def warm(self, key: ActionKey) -> ContainerId | None:
        """Return a busy sandbox of *key* that takes another call, or the idle one used last."""
        if self._open and (sharing := self._open.get(key)):
            return next(iter(sharing))
        free = self._free.get(key)
        return free[-1] if free else None

    def hoped_for(self, key: ActionKey) -> int:
        """Return how many calls sandboxes that load the code of *key* may take besides."""
        return self._hoped_for[key]

    def outdated(self, key: ActionKey) -> list[ContainerId]:
        """Return what holds another revision of the same action, and is idle: nobody wants it."""
        revisions = self._revisions.get((key.namespace, key.action), ())
        stale = [other for other in revisions if other != key]
        idle = [container_id for other in stale for container_id in self._free[other]]
        return idle + [each for each in self._templates if self._is_outdated(each, key)]

    def blank(self, shape: Shape) -> ContainerId | None:
        """Return the stem cell of *shape* that has waited longest."""
        row = self._blank.get(shape)
        return row[0] if row else None

    def blanks(self, shape: Shape) -> int:
        """Return how many stem cells of *shape* are up."""
        return len(self._blank.get(shape, ()))

    def blank_rows(self) -> list[tuple[Shape, list[ContainerId]]]:
        """Return the stem cells of each shape, the one that has waited longest first."""
        return [(shape, list(row)) for shape, row in self._blank.items()]

    def paused(self) -> list[ContainerId]:
        """Return the paused ones, the longest idle first."""
        return list(self._paused)

    def ready(self) -> list[ContainerId]:
        """Return the idle ones that are not paused, the longest idle first."""
        return list(self._ready)

    def templates(self) -> list[ContainerId]:
        """Return the templates, the one that was copied longest ago first."""
        return list(self._templates)

    def _is_outdated(self, template: ContainerId, key: ActionKey) -> bool:
        of = self.containers[template].key
        return of is not None and of != key and of[:2] == key[:2]

    def removable(self, keep: Shape | None = None) -> Iterator[ContainerId]:
        """Yield what may be evicted, first to go first: templates, idle ones by age, stem cells.

        keep: the shape that is needed; its stem cells stay.
        """
        yield from self.templates()
        yield from self.paused()
        yield from self.ready()
        for shape, row in list(self._blank.items()):
            if shape != keep:
                yield from list(row)

    def put(self, container: Container) -> None:
        """Enter a sandbox, or its next state. One that is GONE is dropped."""
        before = self.containers.pop(container.id, None)
        if before is not None:
            self.reserved_mb -= before.shape.memory_mb
            self._unindex(before)
        if container.state is not State.GONE:
            self.containers[container.id] = container
            self.reserved_mb += container.shape.memory_mb
            self._index(container)

    def _index(self, container: Container) -> None:
        state, container_id = container.state, container.id
        if state is State.READY and container.key:
            self._stack(container.key).append(container_id)
            self._ready[container_id] = None
        elif state is State.PAUSED and container.key:
            self._stack(container.key).insert(0, container_id)
            self._paused[container_id] = None
        elif state is State.BLANK:
            self._blank.setdefault(container.shape, deque()).append(container_id)
        elif state is State.TEMPLATE:
            self._templates[container_id] = None
        elif state is State.STARTING:
            self.starting[container.shape] += 1
        elif state is State.REMOVING:
            self.leaving_mb += container.shape.memory_mb
        elif state is State.BUSY and container.key and (container.most > 1 or container.promised):
            if container.has_room:
                self._open.setdefault(container.key, OrderedDict())[container_id] = None
            self._hoped_for[container.key] += container.hoped_for

    def _unindex(self, container: Container) -> None:
        state = container.state
        self._templates.pop(container.id, None)
        if container.is_idle and container.key:
            free = self._free[container.key]
            if free[-1] == container.id:
                free.pop()
            else:
                free.remove(container.id)
            if not free:
                self._drop_stack(container.key)
            del (self._ready if state is State.READY else self._paused)[container.id]
        elif state is State.BLANK:
            row = self._blank[container.shape]
            row.remove(container.id)
            if not row:
                del self._blank[container.shape]
        elif state is State.STARTING:
            self.starting[container.shape] -= 1
            if not self.starting[container.shape]:
                del self.starting[container.shape]
        elif state is State.REMOVING:
            self.leaving_mb -= container.shape.memory_mb
        elif state is State.BUSY and container.key and (container.most > 1 or container.promised):
            self._unshare(container, container.key)

    def _unshare(self, container: Container, key: ActionKey) -> None:
        if container.has_room:
            del self._open[key][container.id]
            if not self._open[key]:
                del self._open[key]
        self._hoped_for[key] -= container.hoped_for
        if not self._hoped_for[key]:
            del self._hoped_for[key]

    def _stack(self, key: ActionKey) -> list[ContainerId]:
        free = self._free.get(key)
        if free is None:
            free = self._free[key] = []
            self._revisions.setdefault((key.namespace, key.action), set()).add(key)
        return free

    def _drop_stack(self, key: ActionKey) -> None:
        del self._free[key]
        revisions = self._revisions[key.namespace, key.action]
        revisions.remove(key)
        if not revisions:
            del self._revisions[key.namespace, key.action]

    def check(self) -> None:
        """Assert that every index and sum says what `containers` says, and that nothing overflows.

        Raises AssertionError with the shelf's state.
        """
        every = list(self.containers.values())

        def ids(*states: State) -> list[ContainerId]:
            return sorted(container.id for container in every if container.state in states)

        assert self.reserved_mb == sum(c.shape.memory_mb for c in every) <= self.capacity_mb, self
        leaving = [c.shape.memory_mb for c in every if c.state is State.REMOVING]
        assert self.leaving_mb == sum(leaving), self
        starting = Counter(c.shape for c in every if c.state is State.STARTING)
        assert self.starting == starting, self
        assert sorted(self._ready) == ids(State.READY), self
        assert sorted(self._paused) == ids(State.PAUSED), self
        assert sorted(self._templates) == ids(State.TEMPLATE), self
        blank = {(shape, i) for shape, row in self._blank.items() for i in row}
        assert blank == {(c.shape, c.id) for c in every if c.state is State.BLANK}, self
        free = {(key, i) for key, stack in self._free.items() for i in stack}
        assert free == {(c.key, c.id) for c in every if c.is_idle}, self
        sharing = {(key, i) for key, row in self._open.items() for i in row}
        assert sharing == {(c.key, c.id) for c in every if c.has_room}, self
        hoped_for = sum(c.hoped_for for c in every)
        assert hoped_for == self._hoped_for.total(), self
        assert sum(map(len, self._free.values())) == len(free), "a sandbox is free twice"
        revisions = [key for keys in self._revisions.values() for key in keys]
        assert sorted(revisions) == sorted(self._free), self
        assert all(self._free.values()) and all(self._blank.values()), "an empty row is kept"
        for container in every:
            assert bool(container.jobs) == (container.state is State.BUSY), container
            assert len(container.jobs) <= container.most, container
            has_code = container.state in (State.BUSY, State.READY, State.PAUSING, State.PAUSED)
            assert container.key is not None or not has_code, container
