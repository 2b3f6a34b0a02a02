"""What a call that found no sandbox waits for: a start, an eviction first, or a sandbox in use.

Calls are bound late. A call that cannot be served at once waits in its action's queue and takes
whichever comes first: a sandbox of its action that becomes free, or a blank one of its shape. So
the question is never "which sandbox for this call" but "does the pool have to grow for the calls
that wait". Growing for one action never waits for another action's memory: who doesn't fit is
passed over, not queued behind.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from common.ids import ContainerId
from invoker.pool.container import Shape


@dataclass(frozen=True, slots=True)
class Room:
    """What the pool has to give."""

    free_mb: int
    """Not held by any sandbox."""
    leaving_mb: int
    """Held by sandboxes that are being removed; free soon."""
    free_starts: int
    """Sandboxes that may still be begun at the same time."""


@dataclass(frozen=True, slots=True)
class StartNow:
    """There is room: make a sandbox."""


@dataclass(frozen=True, slots=True)
class EvictFirst:
    """There will be room when these idle sandboxes are gone."""

    victims: tuple[ContainerId, ...]


@dataclass(frozen=True, slots=True)
class KeepWaiting:
    """Whatever comes next: something in use becomes free, or something leaving is gone."""


Growth: TypeAlias = StartNow | EvictFirst | KeepWaiting


def grow(shape: Shape, room: Room, idle: Iterable[tuple[ContainerId, int]]) -> Growth:
    """Decide how a sandbox of *shape* can come to be.

    idle: removable sandboxes and the memory each holds, the first to go first. It is read only as
    far as needed. Nothing is evicted when that would not make enough room.
    """
    if room.free_starts <= 0:
        return KeepWaiting()
    if shape.memory_mb <= room.free_mb:
        return StartNow()
    lacking_mb = shape.memory_mb - room.free_mb - room.leaving_mb
    victims: list[ContainerId] = []
    for container_id, memory_mb in idle:
        if lacking_mb <= 0:
            break
        victims.append(container_id)
        lacking_mb -= memory_mb
    return EvictFirst(tuple(victims)) if victims and lacking_mb <= 0 else KeepWaiting()
