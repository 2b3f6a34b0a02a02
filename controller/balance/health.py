"""Whether an invoker may be given work: from its pings, and from how its activations end.

    state         becomes         when
    ------------  --------------  -----------------------------------------------------
    HEALTHY       UNHEALTHY       more than 3 of its last 10 activations failed for its own fault
    HEALTHY       UNRESPONSIVE    more than 3 of its last 10 activations were never answered
    UNHEALTHY,
    UNRESPONSIVE  HEALTHY         an activation ended well, and the last 10 are within the bounds
    any           OFFLINE         no ping for 10 s, or it says that it drains
    OFFLINE       UNHEALTHY       a ping came again, from one that had been given work before
    OFFLINE       HEALTHY         the first ping of all: nothing is known against it

Only HEALTHY invokers are given users' work; UNHEALTHY and UNRESPONSIVE ones prove themselves with
test activations. Source: OpenWhisk's `InvokerSupervision.scala`, whose new invokers begin UNHEALTHY
and have to run a test first.
"""

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

SILENCE_S: Final = 10.0
REMEMBERED: Final = 10
TOLERATED: Final = 3


class Health(Enum):
    """May it be given work?"""

    HEALTHY = auto()
    UNHEALTHY = auto()
    UNRESPONSIVE = auto()
    OFFLINE = auto()

    @property
    def text(self) -> str:
        """The word that `/invokers` shows, as OpenWhisk has it."""
        return "up" if self is Health.HEALTHY else self.name.lower()


class Ended(Enum):
    """How an activation ended, as far as the invoker is to blame."""

    WELL = auto()
    """Also with an error of the user's code."""
    AT_FAULT = auto()
    UNANSWERED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoker:
    """What a controller knows of one invoker."""

    health: Health = Health.OFFLINE
    memory_mb: int = 0
    heard_s: float = 0.0
    """When its last ping came, in monotonic time."""
    outcomes: tuple[Ended, ...] = ()
    """Of its last activations, the oldest first; at most `REMEMBERED`."""
    is_known: bool = False
    """Whether it was ever heard of."""


def pinged(invoker: Invoker, *, memory_mb: int, is_taking: bool, now_s: float) -> Invoker:
    """Return *invoker* after a ping."""
    heard = replace(invoker, memory_mb=memory_mb, heard_s=now_s, is_known=True)
    if not is_taking:
        return replace(heard, health=Health.OFFLINE)
    if invoker.health is not Health.OFFLINE:
        return heard
    health = Health.UNHEALTHY if invoker.is_known and invoker.outcomes else Health.HEALTHY
    return replace(heard, health=health, outcomes=())


def ended(invoker: Invoker, outcome: Ended) -> Invoker:
    """Return *invoker* after one of its activations ended, or is given up."""
    outcomes = (*invoker.outcomes, outcome)[-REMEMBERED:]
    return replace(invoker, outcomes=outcomes, health=_judged(invoker.health, outcomes))


def waited(invoker: Invoker, *, now_s: float) -> Invoker:
    """Return *invoker* at *now_s*: silence is the only thing that time adds."""
    if invoker.health is not Health.OFFLINE and now_s - invoker.heard_s > SILENCE_S:
        return replace(invoker, health=Health.OFFLINE)
    return invoker


def _judged(health: Health, outcomes: tuple[Ended, ...]) -> Health:
    if health is Health.OFFLINE:
        return health
    counts = Counter(outcomes)
    if counts[Ended.AT_FAULT] > TOLERATED:
        return Health.UNHEALTHY
    if counts[Ended.UNANSWERED] > TOLERATED:
        return Health.UNRESPONSIVE
    return Health.HEALTHY if outcomes[-1] is Ended.WELL else health
