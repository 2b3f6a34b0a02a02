"""Which blank sandboxes to make before somebody needs them: stem cells, and what hints foretell.

A stem cell waits for the next cold call of its shape, and turns its start into loading code alone.
So does the sandbox that is made because a sequence will come to an action. Both live on memory that
nobody else asks for: none is made by evicting a warm sandbox, and a waiting call may have any of
them removed.
Source: OpenWhisk's `stemCells` (`ContainerPool.scala`, `backfillPrewarms`), whose count is fixed.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from invoker.pool.container import Shape

Foresight: TypeAlias = Literal["taken", "needless", "dropped"]
"""What becomes of a hint: a sandbox is made, one is there already, or there is no room to spare."""

_STARTS_LEFT: Final = 1
"""Starts that are left to calls: what is only foretold never takes the last."""


def missing(
    wanted: Mapping[Shape, int], present: Mapping[Shape, int], *, free_mb: int, free_starts: int
) -> Sequence[Shape]:
    """Return the shapes to start now, one entry for each sandbox.

    wanted: how many blank sandboxes of each shape there should be.
    present: how many there are or are being made that no call waits for.
    free_mb, free_starts: what may be used for it.
    """
    shapes: list[Shape] = []
    for shape, count in wanted.items():
        for _ in range(count - present.get(shape, 0)):
            if shape.memory_mb > free_mb or len(shapes) >= free_starts:
                break
            free_mb -= shape.memory_mb
            shapes.append(shape)
    return shapes


def foresee(
    memory_mb: int,
    *,
    has_one: bool,
    is_asked_of: bool,
    free_mb: int,
    free_starts: int,
    ahead: int,
    most_ahead: int,
) -> Foresight:
    """Decide whether a sandbox of *memory_mb* is made for a call that is only foretold.

    has_one: a sandbox that the call could take is free, or is being made for nobody else.
    is_asked_of: calls wait that no start is for, or the pool is being emptied.
    free_mb, free_starts: what no sandbox holds, and how many may still be begun.
    ahead, most_ahead: how many that were made like this nobody has taken yet, and may be.
    """
    if has_one:
        return "needless"
    has_room = memory_mb <= free_mb and free_starts > _STARTS_LEFT
    return "taken" if has_room and ahead < most_ahead and not is_asked_of else "dropped"
