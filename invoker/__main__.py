"""One invoker of a cluster: `python -m invoker`, on Kafka and CouchDB.

A composition root, as `cli.standalone` is: the same parts, other adapters. It starts before its
broker and its store are there, says in its log what it waits for, tells every controller each
second that it lives, and drains on SIGTERM.
"""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from common import data_folder, service
from common import log as logging
from common.bus.kafka import KafkaBus
from common.bus.port import BusUnavailable
from common.clock import SystemClock
from common.data_folder import DataFolder
from common.entity.manifest import Manifest
from common.ids import InvokerId
from common.listener import listening, url_of
from common.message import topics
from common.message.ping import Ping
from common.patience import Patience
from common.service import patiently, serving
from common.settings import Settings, UnusableSettings
from common.store.actions import ActionStore
from common.store.couch import CouchStores
from invoker import vitals
from invoker.driver.docker.driver import DockerDriver
from invoker.driver.port import Network, SandboxDriver
from invoker.driver.process.driver import ProcessDriver
from invoker.pool.books import Books
from invoker.pool.container import Shape
from invoker.pool.keepalive import FixedKeepAlive
from invoker.pool.pool import Pool, SandboxDefaults
from invoker.pool.proxy import Proxy
from invoker.service import Invoker

PING_S: Final = 1.0
DEFAULT_MEMORY_MB: Final = 256

log = logging.logger(__name__)


def main() -> int:
    """Run one invoker until SIGTERM or Ctrl-C; return the exit code of the process."""
    return service.run(serve)


async def serve(stop: asyncio.Event) -> None:
    """Open everything, serve until *stop*, and close it again. Raises `BriskError`."""
    settings = Settings.of_environment()
    if settings.data is None:
        raise UnusableSettings("BRISK_DATA has to name a folder of this invoker's own.")
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stack.enter_context(logging.set_up(settings.log_level, sys.stderr.buffer, clock))
        folder = stack.enter_context(data_folder.opened(settings.data))
        listener = stack.enter_context(listening(settings.http.host, settings.http.port))
        waits = {"couchdb": "it is not open yet", "kafka": "it is not open yet"}
        await stack.enter_async_context(vitals.served(listener, lambda: waits))

        stores = await patiently(
            "CouchDB",
            partial(CouchStores.open, folder.store, settings.couchdb, settings.store, clock),
            stop,
        )
        stack.push_async_callback(stores.close)
        waits["couchdb"] = ""
        bus = await patiently(
            "Kafka", partial(KafkaBus.open, settings.kafka, folder.bus, clock), stop
        )
        stack.push_async_callback(bus.close)
        waits["kafka"] = ""

        driver = _driver(settings, folder)
        stack.push_async_callback(driver.close)
        report = await driver.probe()
        for each in report.degradations:
            log.warning("degraded", what=each.what, why=each.why, remedy=each.remedy)
        for name in await driver.reconcile():
            log.warning("sandbox_of_a_crash_removed", name=name)
        actions = ActionStore(stores.entities, stores.blobs)
        pool = await stack.enter_async_context(
            Pool.open(
                books=_books(settings, report.kinds),
                driver=driver,
                proxy=Proxy(clock, answer_limit_bytes=settings.limits.max_payload_bytes),
                clock=clock,
                defaults=SandboxDefaults(
                    network=_network(settings), env={"__OW_API_HOST": settings.invoker.api_host}
                ),
                drain_s=settings.http.drain_s,
                check_invariants=settings.check_invariants,
            )
        )
        invoker = Invoker(
            InvokerId(settings.invoker.id),
            bus=bus,
            pool=pool,
            actions=actions,
            activations=stores.activations,
            clock=clock,
            max_under_way=settings.pool.max_waiting,
        )
        patience = Patience(settings.http.drain_s, clock)
        await stack.enter_async_context(serving(invoker.serve(patience.left_s)))
        await stack.enter_async_context(serving(_ping(bus, invoker, settings)))
        stack.callback(patience.begin)
        log.info(
            "invoker_is_ready", url=url_of(settings.http.host, listener), id=invoker.invoker_id
        )
        await stop.wait()
        log.info("invoker_stops")
        await _tell(bus, invoker, settings, is_taking=False)


async def _ping(bus: KafkaBus, invoker: Invoker, settings: Settings) -> None:
    while True:
        await _tell(bus, invoker, settings, is_taking=invoker.is_healthy)
        await asyncio.sleep(PING_S)


async def _tell(bus: KafkaBus, invoker: Invoker, settings: Settings, *, is_taking: bool) -> None:
    ping = Ping(
        invoker=invoker.invoker_id,
        memory_mb=settings.pool.memory_mb,
        is_taking=is_taking,
        ended=invoker.ended,
    )
    try:
        await bus.send(topics.HEALTH, ping, durable=False)
    except BusUnavailable as error:
        log.warning("not_pinged", why=str(error))


def _driver(settings: Settings, folder: DataFolder) -> SandboxDriver:
    manifest = Manifest.load(python=f"{sys.version_info.major}.{sys.version_info.minor}")
    if settings.invoker.driver == "process":
        return ProcessDriver(settings.sandbox, manifest.valid_kinds(), folder.sandboxes)
    images = {
        runtime.kind: runtime.image for family in manifest.families.values() for runtime in family
    }
    return DockerDriver(
        settings.docker, settings.sandbox, images, folder.sandboxes, manifest.blackboxes
    )


def _network(settings: Settings) -> Network:
    """Return what functions may reach; many namespaces share an invoker, so none by default."""
    wanted = settings.sandbox.network
    return Network.NONE if wanted == "auto" else Network(wanted)


def _books(settings: Settings, kinds: Mapping[str, str]) -> Books:
    default = Manifest.load().only(kinds).resolve("python:default")
    wanted = {Shape(default.kind, DEFAULT_MEMORY_MB): settings.pool.stem_cells} if default else {}
    return Books(
        prefix=f"i{settings.invoker.id}",
        capacity_mb=settings.pool.memory_mb,
        max_starts=settings.pool.max_starts,
        keep_alive=FixedKeepAlive(
            idle_timeout_s=settings.pool.idle_timeout_s,
            pause_grace_s=settings.pool.pause_grace_s,
        ),
        stem_cells=wanted,
    )


if __name__ == "__main__":
    sys.exit(main())
