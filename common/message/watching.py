"""What controllers tell each other of activations that somebody follows: news, no orders.

Each controller hears the end of what it accepted itself. So that who follows a namespace at one of
them sees what all of them accepted, each says what is followed there, and is told by the others.
"""

from dataclasses import dataclass

from common.ids import ActivationId, ControllerId, Namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is followed at a controller: all of it, and no longer than it says so again."""

    controller: ControllerId
    namespaces: tuple[Namespace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An activation has ended; its record is with the store, or will be in a moment.

    Nothing is promised by it: who misses one finds the record where all of them are.
    """

    controller: ControllerId
    """Who tells."""
    namespace: Namespace
    activation_id: ActivationId
    listed_as: str
    """How its namespace knows what ran, `[package/]name`."""
    end_ms: int
