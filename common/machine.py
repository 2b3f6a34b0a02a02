"""The form in which a state machine is declared: a table that runs, and that the documents show.

A machine is a mapping from a state and an event to a `Move`. Its module looks moves up there and
nowhere else; `docs/states.py` prints the same mapping. What is not in it cannot happen.
"""

from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S")
C = TypeVar("C")


class InvalidTransition(Exception):
    """An event met a state in which it cannot happen: a bug, never a user's fault."""


class Move(NamedTuple, Generic[S, C]):
    """What an event makes of a state."""

    to: S
    do: C | None = None
    """What the shell is to do now."""
    note: str = ""
    """What the names do not say."""
