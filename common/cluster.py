"""What every process of a cluster stands on: its stores and its bus, opened once they are there.

The part of a composition root that controller and invoker share. It needs neither of them to be up
when it begins, and says to `health` what it waits for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from common import metrics
from common.bus.kafka import KafkaBus
from common.clock import Clock
from common.data_folder import DataFolder
from common.health import Check, Health
from common.metrics import Dependency
from common.service import patiently
from common.settings import Settings
from common.store.couch import CouchStores


@dataclass(frozen=True, slots=True)
class Ground:
    """Stores and bus that are open."""

    stores: CouchStores
    bus: KafkaBus

    @property
    def checks(self) -> dict[Dependency, Check]:
        """How to ask each of them whether it serves."""
        return {
            "couchdb": self.stores.check,
            "spool": self.stores.check_spool,
            "kafka": self.bus.check,
        }


@asynccontextmanager
async def grounded(
    settings: Settings,
    folder: DataFolder,
    clock: Clock,
    health: Health,
    stop: asyncio.Event,
    *,
    require: Callable[[CouchStores], Awaitable[None]] | None = None,
) -> AsyncIterator[Ground]:
    """Open both, however long that takes, and close them at the end.

    require: what the stores have to be, before anything else is begun; raises `StoreError`.
    Raises `StoppedEarly` when *stop* is set before they are open, and what waiting does not mend.
    """
    stores = await patiently(
        health,
        "couchdb",
        partial(CouchStores.open, folder.store, settings.couchdb, settings.store, clock),
        stop,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(stores.close)
        stack.enter_context(
            metrics.shown(
                {
                    metrics.PENDING_RECORDS: lambda: stores.pending_records,
                    metrics.SPOOL_SIZE: lambda: stores.spool_bytes,
                }
            )
        )
        await patiently(health, "spool", stores.check_spool, stop)
        await patiently(health, "couchdb", stores.check, stop)
        if require is not None:
            await patiently(health, "couchdb", partial(require, stores), stop)
        bus = await patiently(
            health, "kafka", partial(KafkaBus.open, settings.kafka, folder.bus, clock), stop
        )
        stack.push_async_callback(bus.close)
        yield Ground(stores, bus)
