"""The books of an invoker that begins, as settings, manifest and the driver's report say."""

from common.entity.manifest import Manifest
from common.ids import InvokerId
from common.settings import PoolSettings
from invoker.driver.port import DriverReport
from invoker.pool.books import Books
from invoker.pool.keepalive import FixedKeepAlive
from invoker.pool.stock import stock
from invoker.pool.templates import TemplateRules


def opened(
    invoker: InvokerId, settings: PoolSettings, everything: Manifest, report: DriverReport
) -> Books:
    """Return empty books.

    everything: all kinds there are. report: which of them this host runs, and what else it can.
    """
    return Books(
        prefix=f"i{invoker}",
        capacity_mb=settings.memory_mb,
        max_starts=settings.max_starts,
        max_prewarmed=settings.max_prewarmed,
        template_rules=TemplateRules.where_possible(
            report.abilities,
            most=settings.max_templates,
            most_mb=settings.template_memory_mb,
            least_init_ms=settings.template_init_ms,
            idle_timeout_s=settings.template_idle_timeout_s,
        ),
        keep_alive=FixedKeepAlive(
            idle_timeout_s=settings.idle_timeout_s, pause_grace_s=settings.pause_grace_s
        ),
        stem_cells=stock(
            everything,
            everything.only(report.kinds),
            usual=settings.stem_cells,
            listed=settings.listed_shapes,
        ),
    )
