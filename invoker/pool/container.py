"""One sandbox, as the pool sees it: a state, what may happen to it, and what is then to be done.

The machine is pure. It is told events and answers with commands; the shell (`pool.py`) performs
them and reports back with the next event. Nothing here waits, so nothing can be cancelled halfway,
and a race is two lines of a test.

    state      event          next       command
    ---------  -------------  ---------  --------
    STARTING   Started        BLANK
    STARTING   StartFailed    GONE
    BLANK      JobTaken       BUSY       Serve     the code is loaded first
    BLANK      RemoveAsked    REMOVING   Destroy
    BLANK      Died           REMOVING   Destroy
    READY      JobTaken       BUSY       Serve
    READY      GraceOver      PAUSING    Suspend
    READY      RemoveAsked    REMOVING   Destroy
    READY      Died           REMOVING   Destroy
    PAUSING    Suspended      PAUSED
    PAUSING    SuspendFailed  REMOVING   Destroy
    PAUSING    Died           REMOVING   Destroy
    PAUSED     JobTaken       BUSY       Serve     it is resumed first
    PAUSED     RemoveAsked    REMOVING   Destroy
    PAUSED     Died           REMOVING   Destroy
    BUSY       JobDone        READY                the code can serve again
    BUSY       JobFailed      REMOVING   Destroy   what is left of it cannot be trusted
    REMOVING   Removed        GONE

A sandbox that dies while it is BUSY tells the call that it serves, which ends in JobFailed; its
own Died then finds it REMOVING or GONE and changes nothing, as does a second Died or Suspended.

Memory is held from STARTING until GONE: what is being destroyed still occupies the host.
Source of the states: OpenWhisk's `ContainerProxy.scala`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple, TypeAlias

from common.ids import ActivationId, ContainerId, DocId, Namespace, Rev
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
    REMOVING = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Started:
    """The driver has made it."""


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The driver could not make it."""

    is_hopeless: bool = False
    """Whether no other of its shape can be made, either."""


@dataclass(frozen=True, slots=True)
class JobTaken:
    """A call was given to it."""

    job: ActivationId
    key: ActionKey


@dataclass(frozen=True, slots=True)
class JobDone:
    """The call ended, and the code can serve another."""


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The call ended in a way after which the sandbox must go."""


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
class Removed:
    """Nothing of it is left."""


Event: TypeAlias = (
    Started | StartFailed | JobTaken | JobDone | JobFailed | GraceOver | Suspended | SuspendFailed
    | RemoveAsked | Died | Removed
)  # fmt: skip


class Command(Enum):
    """What the shell is to do about a sandbox."""

    SERVE = auto()
    SUSPEND = auto()
    DESTROY = auto()


class InvalidTransition(Exception):
    """An event met a state in which it cannot happen: a bug, never a user's fault."""


class Container(NamedTuple):
    """One sandbox in the pool's books. Two of these are made for each call: hence a tuple."""

    id: ContainerId
    shape: Shape
    state: State = State.STARTING
    key: ActionKey | None = None
    """Whose code is loaded; None until the first call."""
    job: ActivationId | None = None
    """The call that it serves; there is one exactly while it is BUSY."""
    idle_since_s: float = 0.0
    """When it became idle; counts only while it is."""

    @property
    def is_idle(self) -> bool:
        """Whether it holds loaded code and could serve at once."""
        return self.state in (State.READY, State.PAUSED)

    def __repr__(self) -> str:
        """Return id, state and shape, as a log line shows it."""
        return f"<{self.id} {self.state.name} {self.shape.kind} {self.shape.memory_mb}MB>"


_MOVES: Final[Mapping[tuple[State, type[Event]], tuple[State, Command | None]]] = {
    (State.STARTING, Started): (State.BLANK, None),
    (State.STARTING, StartFailed): (State.GONE, None),
    (State.BLANK, JobTaken): (State.BUSY, Command.SERVE),
    (State.BLANK, RemoveAsked): (State.REMOVING, Command.DESTROY),
    (State.BLANK, Died): (State.REMOVING, Command.DESTROY),
    (State.READY, JobTaken): (State.BUSY, Command.SERVE),
    (State.READY, GraceOver): (State.PAUSING, Command.SUSPEND),
    (State.READY, RemoveAsked): (State.REMOVING, Command.DESTROY),
    (State.READY, Died): (State.REMOVING, Command.DESTROY),
    (State.PAUSING, Suspended): (State.PAUSED, None),
    (State.PAUSING, SuspendFailed): (State.REMOVING, Command.DESTROY),
    (State.PAUSING, Died): (State.REMOVING, Command.DESTROY),
    (State.PAUSED, JobTaken): (State.BUSY, Command.SERVE),
    (State.PAUSED, RemoveAsked): (State.REMOVING, Command.DESTROY),
    (State.PAUSED, Died): (State.REMOVING, Command.DESTROY),
    (State.BUSY, JobDone): (State.READY, None),
    (State.BUSY, JobFailed): (State.REMOVING, Command.DESTROY),
    (State.REMOVING, Removed): (State.GONE, None),
}
_LATE: Final = {
    State.BUSY: (Died,),
    State.REMOVING: (Died, Suspended, SuspendFailed),
    State.GONE: (Died, Suspended, SuspendFailed),
}
"""News that changes nothing, because the sandbox's fate is decided elsewhere."""


def step(container: Container, event: Event, at_s: float) -> tuple[Container, Command | None]:
    """Return *container* after *event*, and what is to be done now.

    at_s: monotonic time; a sandbox whose call has ended is idle from then on.
    Raises `InvalidTransition` for a pair that is not in the table.
    """
    move = _MOVES.get((container.state, type(event)))
    if move is None:
        if isinstance(event, _LATE.get(container.state, ())):
            return container, None
        raise InvalidTransition(f"{event} does not fit {container}")
    state, command = move
    container_id, shape, _, key, job, idle_since_s = container
    if isinstance(event, JobTaken):
        key, job = event.key, event.job
    else:
        job = None
        if isinstance(event, JobDone):
            idle_since_s = at_s
    return Container(container_id, shape, state, key, job, idle_since_s), command
