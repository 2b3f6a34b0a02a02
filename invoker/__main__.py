"""One invoker of a cluster: `python -m invoker`, on Kafka and CouchDB.

A composition root, as `cli.standalone` is: the same parts, other adapters. It starts before its
broker, its store and its engine are there, says what it waits for in its log and to whoever asks,
tells every controller each second that it lives, and drains on SIGTERM.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Final

from common import data_folder, metrics, service, vitals
from common import log as logging
from common.bus.kafka import KafkaBus
from common.bus.port import BusUnavailable
from common.clock import Clock, SystemClock
from common.cluster import grounded
from common.data_folder import DataFolder
from common.entity.action import BLACKBOX
from common.entity.manifest import Manifest
from common.health import Health
from common.ids import InvokerId
from common.listener import listening, url_of
from common.message import topics
from common.message.ping import Ping
from common.metrics import Dependency
from common.namespace_metrics import NAMESPACES
from common.patience import Patience
from common.service import patiently, serving
from common.settings import Settings, UnusableSettings
from common.store.actions import ActionStore
from common.store.registries import RegistryStore
from common.store.secrets_file import Seal
from common.telemetry.spans import require_library
from common.telemetry.telling import Telling
from invoker.actions import PatientActions
from invoker.driver import reach
from invoker.driver.docker.driver import DockerDriver
from invoker.driver.docker.engine import EngineFailed
from invoker.driver.port import Ability, DriverReport, Level, Network, SandboxDriver
from invoker.driver.process.driver import ProcessDriver
from invoker.pool import gauges, opening
from invoker.pool.defaults import SandboxDefaults
from invoker.pool.pool import Pool
from invoker.pool.proxy import Proxy
from invoker.service import Invoker

PING_S: Final = 1.0

log = logging.logger(__name__)


def main() -> int:
    """Run one invoker until SIGTERM or Ctrl-C; return the exit code of the process."""
    return service.run(serve)


async def serve(stop: asyncio.Event) -> None:
    """Open everything, serve until *stop*, and close it again. Raises `BriskError`."""
    settings = Settings.of_environment()
    if settings.data is None:
        raise UnusableSettings("BRISK_DATA has to name a folder of this invoker's own.")
    require_library(settings.tracing)
    clock = SystemClock()
    has_engine = settings.invoker.driver == "docker"
    engine: tuple[Dependency, ...] = ("engine",) if has_engine else ()
    health = Health(clock, "couchdb", "kafka", "spool", *engine)
    async with AsyncExitStack() as stack:
        stack.enter_context(logging.set_up(settings.log_level, sys.stderr.buffer, clock))
        stack.enter_context(health.shown())
        folder = stack.enter_context(data_folder.opened(settings.data))
        listener = stack.enter_context(listening(settings.http.host, settings.http.port))
        await stack.enter_async_context(vitals.served(listener.dup(), health))
        ground = await stack.enter_async_context(grounded(settings, folder, clock, health, stop))
        checks = ground.checks

        registries = RegistryStore(
            ground.stores.entities, partial(Seal.load, folder.registries_key), clock
        )
        driver = _driver(settings, folder, registries)
        stack.push_async_callback(driver.close)
        if isinstance(driver, DockerDriver):
            checks["engine"] = driver.check
            waiting = {metrics.WAITING_IMAGES: driver.count_waiting_images}
            stack.enter_context(metrics.shown(waiting))
            await patiently(health, "engine", driver.check, stop, away=(EngineFailed,))
        if isinstance(driver, ProcessDriver):
            ready = {metrics.READY_NETWORKS: partial(getattr, driver, "networks_ready")}
            stack.enter_context(metrics.shown(ready))
        report = await driver.probe()
        # Any number of namespaces share an invoker.
        wanted = Network(settings.sandbox.network)
        network = reach.granted(wanted, report.abilities, reach.MANY)
        for each in (*report.degradations, *reach.consequences(wanted, network)):
            log.warning("degraded", what=each.what, why=each.why, remedy=each.remedy)
        for name in await driver.reconcile():
            log.warning("sandbox_of_a_crash_removed", name=name)
        pool = await stack.enter_async_context(_pool(settings, driver, report, network, clock))
        invoker = Invoker(
            InvokerId(settings.invoker.id),
            bus=ground.bus,
            pool=pool,
            actions=PatientActions(
                ActionStore(ground.stores.entities, ground.stores.blobs),
                clock,
                wait_s=settings.invoker.fetch_wait_s,
            ),
            activations=ground.stores.activations,
            clock=clock,
            telling=Telling.of(f"invoker{settings.invoker.id}", ground.bus, clock, settings),
            max_under_way=settings.pool.max_waiting,
        )
        await stack.enter_async_context(health.watched(checks))
        NAMESPACES.bound(settings.metrics.most_namespaces)
        stack.enter_context(metrics.shown(gauges.of(pool.books)))
        patience = Patience(settings.http.drain_s, clock)
        await stack.enter_async_context(serving(invoker.serve(patience.left_s)))
        ping = partial(_tell, ground.bus, invoker, settings, _kinds(report))
        await stack.enter_async_context(serving(_ping(ping, invoker, health)))
        stack.callback(patience.begin)
        health.begin()
        log.info(
            "invoker_is_ready", url=url_of(settings.http.host, listener), id=invoker.invoker_id
        )
        await stop.wait()
        health.stop()
        log.info("invoker_stops")
        await ping(is_taking=False)


def _pool(
    settings: Settings,
    driver: SandboxDriver,
    report: DriverReport,
    network: Network,
    clock: Clock,
) -> AbstractAsyncContextManager[Pool]:
    return Pool.open(
        books=opening.opened(
            InvokerId(settings.invoker.id), settings.pool, Manifest.load(), report
        ),
        driver=driver,
        proxy=Proxy(clock, answer_limit_bytes=settings.limits.max_payload_bytes),
        clock=clock,
        defaults=SandboxDefaults(
            network=network,
            env={"__OW_API_HOST": settings.invoker.api_host},
            are_isolated=report.level is not Level.PROCESS,
        ),
        drain_s=settings.http.drain_s,
        check_invariants=settings.check_invariants,
    )


async def _ping(ping: Callable[..., Awaitable[None]], invoker: Invoker, health: Health) -> None:
    while True:
        await ping(is_taking=invoker.is_healthy and "engine" not in health.complaints)
        await asyncio.sleep(PING_S)


async def _tell(
    bus: KafkaBus,
    invoker: Invoker,
    settings: Settings,
    kinds: tuple[str, ...],
    *,
    is_taking: bool,
) -> None:
    ping = Ping(
        invoker=invoker.invoker_id,
        memory_mb=settings.pool.memory_mb,
        is_taking=is_taking,
        ended=invoker.ended,
        kinds=kinds,
    )
    try:
        await bus.send(topics.HEALTH, ping, durable=False)
    except BusUnavailable as error:
        log.warning("not_pinged", why=str(error))


def _kinds(report: DriverReport) -> tuple[str, ...]:
    """Return what controllers may send here."""
    images = (BLACKBOX,) if Ability.IMAGES in report.abilities else ()
    return (*sorted(report.kinds), *images)


def _driver(settings: Settings, folder: DataFolder, registries: RegistryStore) -> SandboxDriver:
    manifest = Manifest.load(python=f"{sys.version_info.major}.{sys.version_info.minor}")
    if settings.invoker.driver == "process":
        return ProcessDriver(
            settings.sandbox, manifest.valid_kinds(), folder.sandboxes, manifest.blackboxes
        )
    images = {
        runtime.kind: runtime.image for family in manifest.families.values() for runtime in family
    }
    return DockerDriver(
        settings.docker,
        settings.sandbox,
        images,
        folder.sandboxes,
        manifest.blackboxes,
        registries,
    )


if __name__ == "__main__":
    sys.exit(main())
