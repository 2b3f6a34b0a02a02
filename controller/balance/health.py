"""Whether an invoker may be given work: from its pings, and from how its activations end.

Only HEALTHY invokers are given work. One that is on trial has three faults to its name: one more,
and it is left out for another 10 s; ten activations that end well, and nothing is held against it.
Source: OpenWhisk's `InvokerSupervision.scala`, which sends test activations instead: those need an
action of the platform's own in every installation, and prove less than a user's work.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from common.machine import Move

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


class Sign(Enum):
    """What is heard of an invoker, or is not."""

    PINGED = auto()
    DRAINS = auto()
    """It says itself that it takes no more."""
    SILENT = auto()
    """No ping for `SILENCE_S`."""
    FAULTY = auto()
    """More than `TOLERATED` of its last `REMEMBERED` activations failed for its own fault."""
    MUTE = auto()
    """More than `TOLERATED` of its last `REMEMBERED` activations were never answered."""
    ENDED_WELL = auto()
    """An activation did, and the last ones are within the bounds."""
    PROBATION_OVER = auto()
    """It has been left out for `PROBATION_S`."""


class Trust(Enum):
    """How an invoker begins that is given work again."""

    AS_KNOWN = auto()
    """Nothing is held against it if it has never worked; else on trial."""
    TRIAL = auto()
    """It has as many faults to its name as are tolerated."""


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


_IN_PLACE: Final = (Health.HEALTHY, Health.UNHEALTHY, Health.UNRESPONSIVE)

MOVES: Final[Mapping[tuple[Health, Sign], Move[Health, Trust]]] = {
    (Health.OFFLINE, Sign.PINGED): Move(
        Health.HEALTHY, Trust.AS_KNOWN, "on trial, if it had been given work before"
    ),
    **{(state, Sign.DRAINS): Move(Health.OFFLINE) for state in _IN_PLACE},
    **{(state, Sign.SILENT): Move(Health.OFFLINE) for state in _IN_PLACE},
    **{(state, Sign.FAULTY): Move(Health.UNHEALTHY) for state in _IN_PLACE},
    **{(state, Sign.MUTE): Move(Health.UNRESPONSIVE) for state in _IN_PLACE},
    (Health.UNHEALTHY, Sign.ENDED_WELL): Move(Health.HEALTHY),
    (Health.UNRESPONSIVE, Sign.ENDED_WELL): Move(Health.HEALTHY),
    (Health.UNHEALTHY, Sign.PROBATION_OVER): Move(Health.HEALTHY, Trust.TRIAL),
    (Health.UNRESPONSIVE, Sign.PROBATION_OVER): Move(Health.HEALTHY, Trust.TRIAL),
}
"""A sign that is not here changes nothing."""


def pinged(invoker: Invoker, *, memory_mb: int, is_taking: bool, now_s: float) -> Invoker:
    """Return *invoker* after a ping."""
    heard = replace(invoker, memory_mb=memory_mb, heard_s=now_s, is_known=True)
    return _after(heard, Sign.PINGED if is_taking else Sign.DRAINS)


def ended(invoker: Invoker, outcome: Ended) -> Invoker:
    """Return *invoker* after one of its activations ended, or is given up."""
    outcomes = (*invoker.outcomes, outcome)[-REMEMBERED:]
    return _after(replace(invoker, outcomes=outcomes), _sign_of(outcomes))


def is_silent(invoker: Invoker, *, now_s: float) -> bool:
    """Tell whether *invoker* is taken for dead: nothing is to be expected of it for now."""
    return now_s - invoker.heard_s > SILENCE_S


def waited(invoker: Invoker, *, now_s: float) -> Invoker:
    """Return *invoker* at *now_s*: its silence, and its probation."""
    if invoker.health is not Health.OFFLINE and is_silent(invoker, now_s=now_s):
        return _after(invoker, Sign.SILENT)
    if invoker.health not in _FAULTS:
        return replace(invoker, unwell_s=None)
    if invoker.unwell_s is None:
        return replace(invoker, unwell_s=now_s)
    if now_s - invoker.unwell_s >= PROBATION_S:
        return _after(invoker, Sign.PROBATION_OVER)
    return invoker


_FAULTS: Final = {Health.UNHEALTHY: Ended.AT_FAULT, Health.UNRESPONSIVE: Ended.UNANSWERED}


def _after(invoker: Invoker, sign: Sign | None) -> Invoker:
    """Return *invoker* after *sign*, as the table says; None is no sign."""
    move = None if sign is None else MOVES.get((invoker.health, sign))
    if move is None:
        return invoker
    if move.do is None:
        return replace(invoker, health=move.to)
    # One that was silent for long enough to be left out may have failed what it was given.
    is_on_trial = move.do is Trust.TRIAL or bool(invoker.outcomes)
    fault = _FAULTS.get(invoker.health, Ended.AT_FAULT)
    outcomes = (fault,) * TOLERATED if is_on_trial else ()
    return replace(invoker, health=move.to, outcomes=outcomes, unwell_s=None)


def _sign_of(outcomes: tuple[Ended, ...]) -> Sign | None:
    counts = Counter(outcomes)
    if counts[Ended.AT_FAULT] > TOLERATED:
        return Sign.FAULTY
    if counts[Ended.UNANSWERED] > TOLERATED:
        return Sign.MUTE
    return Sign.ENDED_WELL if outcomes[-1] is Ended.WELL else None
