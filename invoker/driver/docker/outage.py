"""Whether an engine counts as there: what was heard of it, and what that makes of it.

One check that is not answered in time may be an engine that is busy; two in a row are an outage. An
engine that answers again is not back yet: what it left has to be cleaned up first.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from common.machine import Move


class Outlook(Enum):
    """What is to be expected of the engine."""

    THERE = auto()
    SLOW = auto()
    """It let one check pass."""
    AWAY = auto()


class News(Enum):
    """What is heard of it."""

    ANSWERED = auto()
    SILENT = auto()
    """A check had no answer in time."""
    LOST = auto()
    """It cannot be reached, or broke something off."""
    CLEANED_UP = auto()


class Command(Enum):
    """What the shell is to do now."""

    HOLD = auto()
    """Let everybody wait who needs the engine."""
    CLEAN_UP = auto()
    """Remove what it has and nobody knows."""
    LET_GO = auto()


MOVES: Final[Mapping[tuple[Outlook, News], Move[Outlook, Command]]] = {
    (Outlook.THERE, News.SILENT): Move(Outlook.SLOW),
    (Outlook.THERE, News.LOST): Move(Outlook.AWAY, Command.HOLD),
    (Outlook.SLOW, News.ANSWERED): Move(Outlook.THERE),
    (Outlook.SLOW, News.SILENT): Move(Outlook.AWAY, Command.HOLD),
    (Outlook.SLOW, News.LOST): Move(Outlook.AWAY, Command.HOLD),
    (Outlook.AWAY, News.ANSWERED): Move(Outlook.AWAY, Command.CLEAN_UP, "again until it is done"),
    (Outlook.AWAY, News.CLEANED_UP): Move(Outlook.THERE, Command.LET_GO),
}
"""News that is not here changes nothing."""


def after(outlook: Outlook, news: News) -> Move[Outlook, Command]:
    """Return what *news* makes of an engine."""
    return MOVES.get((outlook, news), Move(outlook))
