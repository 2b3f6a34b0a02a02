"""One sandbox, as the pool sees it: a state, what may happen to it, and what is then to be done.

The machine is pure. It is told events and answers with commands; the shell (`pool.py`) performs
them and reports back with the next event. Nothing here waits, so nothing can be cancelled halfway,
and a race is two lines of a test. What may happen is the table `MOVES`; `docs/lifecycle.md` draws
it.

A template (`templates.py`) holds loaded code, and is copied instead of called.

A sandbox that dies while it is BUSY tells the calls that it serves, which end in JobFailed; a Died
that finds it REMOVING or GONE changes nothing, as does a second Died or Suspended.

Where code takes several calls at a time, a sandbox is BUSY until the last of them has ended. It
takes others beside the first once that one says so (Opened), when the code is loaded or the sandbox
goes on; after a call that failed it takes none, and when the last has ended, it goes.

Memory is held from STARTING until GONE: what is being destroyed still occupies the host.
Source of the states: OpenWhisk's `ContainerProxy.scala`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple, TypeAlias

from common.ids import ActivationId, ContainerId, DocId, Namespace, Rev
from common.machine import InvalidTransition, Move
from invoker.driver.port import OwnImage


class Shape(NamedTuple):
    """What a blank sandbox is made for; any call of the same shape can take it."""

    kind: str
    memory_mb: int
    image: OwnImage | None = None
    """Of actions that bring one: no other action, and no other owner, ever gets its sandbox."""
    is_cut_off: bool = False
    """Whether the action asks for less network than others get: for the API alone."""


class ActionKey(NamedTuple):
    """Whose loaded code a sandbox holds: one revision of an action, for one invoking namespace."""

    namespace: Namespace
    action: DocId
    rev: Rev


class State(Enum):
    """Where a sandbox is in its life."""

    STARTING = auto()
    BLANK = auto()
    """Its runtime is up, no code is loaded: a stem cell."""
    BUSY = auto()
    READY = auto()
    """Warm and idle."""
    PAUSING = auto()
    PAUSED = auto()
    """Warm, idle, and stopped: it uses no processor."""
    CASTING = auto()
    """It is being made, and loads code, to be a template."""
    TEMPLATE = auto()
    """It has loaded code, and is copied instead of called."""
    REMOVING = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Started:
    """The driver has made it."""


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The driver could not make it."""

    is_hopeless: bool = False
    """Whether no other of its shape can be made, either; or of its likeness, for a template."""


@dataclass(frozen=True, slots=True)
class JobTaken:
    """A call was given to it."""

    job: ActivationId
    key: ActionKey
    most: int = 1
    """How many calls at a time its action allows."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Its code is at work, and can take *most* calls at a time; None is as many as before."""

    most: int | None = None


@dataclass(frozen=True, slots=True)
class JobDone:
    """The call ended, and the code can serve another."""

    job: ActivationId | None = None
    """Which; None where there is only one."""


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The call ended in a way after which the sandbox must go."""

    job: ActivationId | None = None


@dataclass(frozen=True, slots=True)
class GraceOver:
    """It has been idle for long enough to be paused."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """All its processes are stopped."""


@dataclass(frozen=True, slots=True)
class SuspendFailed:
    """It could not be stopped."""


@dataclass(frozen=True, slots=True)
class RemoveAsked:
    """Its time is over, its memory is needed, or the pool drains."""


@dataclass(frozen=True, slots=True)
class Died:
    """It ended by itself."""


@dataclass(frozen=True, slots=True)
class Cast:
    """It has loaded its code, and is a template."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A sandbox is about to become a copy of it."""


@dataclass(frozen=True, slots=True)
class CopyFailed:
    """A sandbox did not become a copy of it."""


@dataclass(frozen=True, slots=True)
class Removed:
    """Nothing of it is left."""


Event: TypeAlias = (
    Started | StartFailed | JobTaken | Opened | JobDone | JobFailed | GraceOver | Suspended
    | SuspendFailed | RemoveAsked | Died | Removed | Cast | Copied | CopyFailed
)  # fmt: skip


class Command(Enum):
    """What the shell is to do about a sandbox."""

    SERVE = auto()
    SUSPEND = auto()
    DESTROY = auto()


class Container(NamedTuple):
    """One sandbox in the pool's books. Two of these are made for each call: hence a tuple."""

    id: ContainerId
    shape: Shape
    state: State = State.STARTING
    key: ActionKey | None = None
    """Whose code is loaded; None until the first call."""
    jobs: tuple[ActivationId, ...] = ()
    """The calls that it serves; there are some exactly while it is BUSY."""
    idle_since_s: float = 0.0
    """When it became idle; counts only while it is."""
    most: int = 1
    """How many calls its code takes at a time, as far as is known."""
    promised: int = 0
    """How many it may take in all once it is opened; 0 where nobody will open it."""
    is_doomed: bool = False
    """Whether it goes when its last call has ended."""

    @property
    def is_idle(self) -> bool:
        """Whether it holds loaded code and could serve at once."""
        return self.state in (State.READY, State.PAUSED)

    @property
    def has_room(self) -> bool:
        """Whether it serves calls of its action and can take another beside them."""
        is_open = self.state is State.BUSY and not self.promised and not self.is_doomed
        return is_open and len(self.jobs) < self.most

    @property
    def hoped_for(self) -> int:
        """How many calls it may take once it is opened, beside those that it has."""
        return 0 if self.is_doomed else max(0, self.promised - len(self.jobs))

    def __repr__(self) -> str:
        """Return id, state and shape, as a log line shows it."""
        return f"<{self.id} {self.state.name} {self.shape.kind} {self.shape.memory_mb}MB>"


MOVES: Final[Mapping[tuple[State, type[Event]], Move[State, Command]]] = {
    (State.STARTING, Started): Move(State.BLANK),
    (State.STARTING, StartFailed): Move(State.GONE),
    (State.BLANK, JobTaken): Move(State.BUSY, Command.SERVE, "the code is loaded first"),
    (State.BLANK, RemoveAsked): Move(State.REMOVING, Command.DESTROY),
    (State.BLANK, Died): Move(State.REMOVING, Command.DESTROY),
    (State.READY, JobTaken): Move(State.BUSY, Command.SERVE),
    (State.READY, GraceOver): Move(State.PAUSING, Command.SUSPEND),
    (State.READY, RemoveAsked): Move(State.REMOVING, Command.DESTROY),
    (State.READY, Died): Move(State.REMOVING, Command.DESTROY),
    (State.PAUSING, Suspended): Move(State.PAUSED),
    (State.PAUSING, SuspendFailed): Move(State.REMOVING, Command.DESTROY),
    (State.PAUSING, Died): Move(State.REMOVING, Command.DESTROY),
    (State.PAUSED, JobTaken): Move(State.BUSY, Command.SERVE, "it is resumed first"),
    (State.PAUSED, RemoveAsked): Move(State.REMOVING, Command.DESTROY),
    (State.PAUSED, Died): Move(State.REMOVING, Command.DESTROY),
    (State.BUSY, Opened): Move(State.BUSY, None, "its code takes several calls at a time"),
    (State.BUSY, JobTaken): Move(State.BUSY, Command.SERVE, "beside others"),
    (State.BUSY, JobDone): Move(State.READY, None, "its last call: the code can serve again"),
    (State.BUSY, JobFailed): Move(
        State.REMOVING, Command.DESTROY, "its last call: what is left cannot be trusted"
    ),
    (State.BUSY, Died): Move(State.BUSY, None, "it takes no further call"),
    (State.CASTING, Cast): Move(State.TEMPLATE, None, "it has loaded code to be copied"),
    (State.CASTING, StartFailed): Move(State.GONE),
    (State.TEMPLATE, Copied): Move(State.TEMPLATE, None, "a blank sandbox begins as it"),
    (State.TEMPLATE, CopyFailed): Move(State.REMOVING, Command.DESTROY),
    (State.TEMPLATE, RemoveAsked): Move(State.REMOVING, Command.DESTROY),
    (State.TEMPLATE, Died): Move(State.REMOVING, Command.DESTROY),
    (State.REMOVING, Removed): Move(State.GONE),
}
_LATE: Final = {
    State.REMOVING: (Died, Suspended, SuspendFailed, Copied, CopyFailed),
    State.GONE: (Died, Suspended, SuspendFailed, Copied, CopyFailed),
}
"""News that changes nothing, because the sandbox's fate is decided elsewhere."""


def step(container: Container, event: Event, at_s: float) -> tuple[Container, Command | None]:
    """Return *container* after *event*, and what is to be done now.

    at_s: monotonic time; a sandbox that is up or whose call has ended is idle from then on.
    Raises `InvalidTransition` for a pair that is not in the table.
    """
    move = MOVES.get((container.state, type(event)))
    if move is None:
        if isinstance(event, _LATE.get(container.state, ())):
            return container, None
        raise InvalidTransition(f"{event} does not fit {container}")
    state, command, _ = move
    container_id, shape, before, key, jobs, idle_since_s, most, promised, is_doomed = container
    if before is State.BUSY:
        if len(jobs) > 1 or is_doomed or not isinstance(event, JobDone | JobFailed):
            return _shared(container, event, at_s)
        jobs, promised = (), 0
        if isinstance(event, JobDone):
            idle_since_s = at_s
    elif isinstance(event, JobTaken):
        key, jobs = event.key, (event.job,)
        if event.most > 1 and before is not State.READY:
            promised = event.most
    elif isinstance(event, Started | Cast | Copied):
        idle_since_s = at_s
    after = Container(container_id, shape, state, key, jobs, idle_since_s, most, promised)
    return after, command


def _shared(container: Container, event: Event, at_s: float) -> tuple[Container, Command | None]:
    """Do a step of a sandbox that is BUSY, and may stay so."""
    match event:
        case Opened(most):
            return container._replace(most=most or container.most, promised=0), None
        case Died():
            return container._replace(is_doomed=True), None
        case JobTaken(job, key) if container.has_room and key == container.key:
            return container._replace(jobs=(*container.jobs, job)), Command.SERVE
        case JobDone(job) | JobFailed(job) if job in container.jobs or len(container.jobs) == 1:
            left = tuple(each for each in container.jobs if each != job and job is not None)
            is_doomed = container.is_doomed or isinstance(event, JobFailed)
            after = container._replace(jobs=left, is_doomed=is_doomed)
            if left:
                return after, None
            after = after._replace(promised=0, is_doomed=False)
            if is_doomed:
                return after._replace(state=State.REMOVING), Command.DESTROY
            return after._replace(state=State.READY, idle_since_s=at_s), None
    raise InvalidTransition(f"{event} does not fit {container}")
