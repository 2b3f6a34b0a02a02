"""Whether an invoker may be given work: from its pings, and from how its activations end.

    state         becomes         when
    ------------  --------------  -----------------------------------------------------
    HEALTHY       UNHEALTHY       more than 3 of its last 10 activations failed for its own fault
    HEALTHY       UNRESPONSIVE    more than 3 of its last 10 activations were never answered
    UNHEALTHY,
    UNRESPONSIVE  HEALTHY         an activation ended well, and the last 10 are within the bounds
    any           OFFLINE         no ping for 10 s, or it says that it drains
    OFFLINE       HEALTHY         a ping came; on trial, if it had been given work before
    UNHEALTHY,
    UNRESPONSIVE  HEALTHY         it has been so for 10 s: on trial

Only HEALTHY invokers are given work. One that is on trial has three faults to its name: one more,
and it is left out for another 10 s; ten activations that end well, and nothing is held against it.
Source: OpenWhisk's `InvokerSupervision.scala`, which sends test activations instead: those need an
action of the platform's own in every installation, and prove less than a user's work.
"""

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

SILENCE_S: Final = 10.0
REMEMBERED: Final = 10
TOLERATED: Final = 3
PROBATION_S: Final = 10.0
"""How long one that failed is given nothing."""


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
    unwell_s: float | None = None
    """Since when it is UNHEALTHY or UNRESPONSIVE, in monotonic time, as far as was looked."""


def pinged(invoker: Invoker, *, memory_mb: int, is_taking: bool, now_s: float) -> Invoker:
    """Return *invoker* after a ping."""
    heard = replace(invoker, memory_mb=memory_mb, heard_s=now_s, is_known=True)
    if not is_taking:
        return replace(heard, health=Health.OFFLINE)
    if invoker.health is not Health.OFFLINE:
        return heard
    return _on_trial(heard, Ended.AT_FAULT) if invoker.outcomes else _trusted(heard)


def ended(invoker: Invoker, outcome: Ended) -> Invoker:
    """Return *invoker* after one of its activations ended, or is given up."""
    outcomes = (*invoker.outcomes, outcome)[-REMEMBERED:]
    return replace(invoker, outcomes=outcomes, health=_judged(invoker.health, outcomes))


def is_silent(invoker: Invoker, *, now_s: float) -> bool:
    """Tell whether *invoker* is taken for dead: nothing is to be expected of it for now."""
    return now_s - invoker.heard_s > SILENCE_S


def waited(invoker: Invoker, *, now_s: float) -> Invoker:
    """Return *invoker* at *now_s*: its silence, and its probation."""
    if invoker.health is not Health.OFFLINE and is_silent(invoker, now_s=now_s):
        return replace(invoker, health=Health.OFFLINE)
    if invoker.health not in _FAULTS:
        return replace(invoker, unwell_s=None)
    if invoker.unwell_s is None:
        return replace(invoker, unwell_s=now_s)
    if now_s - invoker.unwell_s >= PROBATION_S:
        return _on_trial(invoker, _FAULTS[invoker.health])
    return invoker


_FAULTS: Final = {Health.UNHEALTHY: Ended.AT_FAULT, Health.UNRESPONSIVE: Ended.UNANSWERED}


def _trusted(invoker: Invoker) -> Invoker:
    return replace(invoker, health=Health.HEALTHY, outcomes=(), unwell_s=None)


def _on_trial(invoker: Invoker, fault: Ended) -> Invoker:
    return replace(_trusted(invoker), outcomes=(fault,) * TOLERATED)


def _judged(health: Health, outcomes: tuple[Ended, ...]) -> Health:
    if health is Health.OFFLINE:
        return health
    counts = Counter(outcomes)
    if counts[Ended.AT_FAULT] > TOLERATED:
        return Health.UNHEALTHY
    if counts[Ended.UNANSWERED] > TOLERATED:
        return Health.UNRESPONSIVE
    return Health.HEALTHY if outcomes[-1] is Ended.WELL else health
