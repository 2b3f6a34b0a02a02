"""What the pool is told, and what it tells its shell to do.

Events are facts, orders are imperatives. Both are values, so a test is a history of the ones and a
list of the others.
"""

from dataclasses import dataclass
from typing import TypeAlias

from common.ids import ActivationId, ContainerId
from invoker.pool import container as life
from invoker.pool.container import ActionKey, Shape, State
from invoker.pool.templates import Likeness


@dataclass(frozen=True, slots=True)
class Job:
    """A call as the pool sees it."""

    id: ActivationId
    key: ActionKey
    shape: Shape
    most: int = 1
    """How many calls of its action one sandbox may serve at a time, where its code can."""


@dataclass(frozen=True, slots=True)
class JobArrived:
    """A call wants a sandbox."""

    job: Job


@dataclass(frozen=True, slots=True)
class JobWithdrawn:
    """A waiting call gives up. Harmless when it does not wait any more."""

    job: ActivationId


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened to a sandbox. *at_s* is monotonic time."""

    container: ContainerId
    event: life.Event
    at_s: float


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time went by."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Foretold:
    """A call of *shape* is likely, and `Books.foresee` said that a sandbox is made for it."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class Loaded:
    """Code was loaded that can serve; *likeness* is what a copy of it would have to match."""

    likeness: Likeness
    init_ms: int


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """Make nothing new, refuse who waits, let go of whatever is idle."""


Event: TypeAlias = JobArrived | JobWithdrawn | Happened | Ticked | Foretold | Loaded | DrainAsked


@dataclass(frozen=True, slots=True)
class Assign:
    """Let *container* serve *job*. What it was before says what has to be done first."""

    job: ActivationId
    container: ContainerId
    was: State


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell *job* that no sandbox can be had for it."""

    job: ActivationId
    why: str
    failed: ContainerId | None = None
    """Whose start failed, if that is the reason."""


@dataclass(frozen=True, slots=True)
class Start:
    """Make a blank sandbox."""

    container: ContainerId
    shape: Shape


@dataclass(frozen=True, slots=True)
class CastTemplate:
    """Make a template of the code that has just been loaded."""

    container: ContainerId
    shape: Shape


@dataclass(frozen=True, slots=True)
class Suspend:
    """Stop an idle sandbox until it is needed."""

    container: ContainerId


@dataclass(frozen=True, slots=True)
class Destroy:
    """Remove a sandbox."""

    container: ContainerId


Order: TypeAlias = Assign | Refuse | Start | CastTemplate | Suspend | Destroy
