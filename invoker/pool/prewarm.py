"""Which stem cells to make: blank sandboxes that wait for the next cold call of their shape.

A stem cell turns a cold start into loading code alone. They live on memory that nobody else asks
for: none is made by evicting a warm sandbox, and a waiting call may have any of them removed.
Source: OpenWhisk's `stemCells` (`ContainerPool.scala`, `backfillPrewarms`), whose count is fixed.
"""

from collections.abc import Mapping, Sequence

from invoker.pool.container import Shape


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
