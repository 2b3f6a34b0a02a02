"""The books of an invoker that begins, as its settings and the runtimes manifest say."""

from common.entity.manifest import Manifest
from common.ids import InvokerId
from common.settings import PoolSettings
from invoker.pool.books import Books
from invoker.pool.keepalive import FixedKeepAlive
from invoker.pool.stock import stock


def opened(
    invoker: InvokerId, settings: PoolSettings, everything: Manifest, here: Manifest
) -> Books:
    """Return empty books.

    everything: all kinds there are. here: those that this host runs.
    """
    return Books(
        prefix=f"i{invoker}",
        capacity_mb=settings.memory_mb,
        max_starts=settings.max_starts,
        max_prewarmed=settings.max_prewarmed,
        keep_alive=FixedKeepAlive(
            idle_timeout_s=settings.idle_timeout_s, pause_grace_s=settings.pause_grace_s
        ),
        stem_cells=stock(
            everything, here, usual=settings.stem_cells, listed=settings.listed_shapes
        ),
    )
