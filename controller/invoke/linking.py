"""Whether a rule does anything: what becomes of its link with its trigger.

A rule's own document does not say; the trigger's does, so that a firing reads one document. A rule
can be unlinked while it exists: its trigger was deleted, and perhaps made anew. It then does
nothing, and clients read that it is inactive.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NoReturn

from common.entity.rule import Rule
from common.entity.trigger import Link, RuleStatus, Trigger
from common.machine import Move


class Hold(Enum):
    """How a rule hangs on its trigger."""

    UNLINKED = auto()
    ACTIVE = auto()
    INACTIVE = auto()


class Change(Enum):
    """What is done to a rule."""

    MADE = auto()
    WRITTEN = auto()
    """Updated; perhaps for another trigger or another action."""
    SWITCHED_ON = auto()
    SWITCHED_OFF = auto()
    DELETED = auto()


_LINKED: Final = (Hold.ACTIVE, Hold.INACTIVE)

MOVES: Final[Mapping[tuple[Hold, Change], Move[Hold, NoReturn]]] = {
    (Hold.UNLINKED, Change.MADE): Move(
        Hold.ACTIVE, None, "in place of what is left of an earlier rule of its name"
    ),
    (Hold.UNLINKED, Change.WRITTEN): Move(Hold.INACTIVE),
    **{(hold, Change.WRITTEN): Move(hold, None, "as it was") for hold in _LINKED},
    **{(hold, Change.SWITCHED_ON): Move(Hold.ACTIVE) for hold in (Hold.UNLINKED, Hold.INACTIVE)},
    (Hold.ACTIVE, Change.SWITCHED_OFF): Move(Hold.INACTIVE),
    **{(hold, Change.DELETED): Move(Hold.UNLINKED) for hold in _LINKED},
}
"""A change that is not here leaves the trigger as it is."""

_SWITCHES: Final = {
    RuleStatus.ACTIVE: Change.SWITCHED_ON,
    RuleStatus.INACTIVE: Change.SWITCHED_OFF,
}
_STATUS: Final = {Hold.ACTIVE: RuleStatus.ACTIVE, Hold.INACTIVE: RuleStatus.INACTIVE}


def hold(link: Link | None) -> Hold:
    """Return how a rule hangs on its trigger; None where it is not linked."""
    return Hold.UNLINKED if link is None else Hold[link.status.name]


def shown(link: Link | None) -> RuleStatus:
    """Return what clients read."""
    return _STATUS.get(hold(link), RuleStatus.INACTIVE)


def written(rule: Rule, change: Change, before: Link | None) -> Link:
    """Return the link of *rule* as it was MADE or WRITTEN; *before*: as it hung until now."""
    return Link(rule.action, _STATUS[MOVES[hold(before), change].to])


def switched(trigger: Trigger, rule: Rule, wanted: RuleStatus) -> Trigger:
    """Return *trigger* with *rule* switched."""
    link = trigger.link(rule.name)
    move = MOVES.get((hold(link), _SWITCHES[wanted]))
    if move is None:
        return trigger
    action = rule.action if link is None else link.action
    return trigger.with_link(rule.name, Link(action, _STATUS[move.to]))


def unlinked(trigger: Trigger, rule: Rule) -> Trigger:
    """Return *trigger* after *rule* was deleted, or went to another trigger."""
    move = MOVES.get((hold(trigger.link(rule.name)), Change.DELETED))
    return trigger if move is None else trigger.without_link(rule.name)
