"""The embedded platform: controller and invoker in one process, on memory, SQLite and processes.

This is a composition root: adapters are named here and nowhere else. What it builds is the same
that a cluster runs. It is also an object to embed: `async with running(settings) as platform`.

Everything is opened in the order in which it is needed, and closed in reverse: first nobody new is
let in, then what has begun may end, then sandboxes go, then the stores are flushed.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from cli import guest
from cli.places import default_path
from common import data_folder, metrics
from common import log as logging
from common.bus.journal import Journal
from common.bus.memory import MemoryBus
from common.clock import Clock, SystemClock
from common.data_folder import DataFolder
from common.entity.manifest import Manifest
from common.health import Check, Health
from common.ids import ControllerId, InvokerId, Namespace
from common.listener import listening, url_of
from common.message import topics
from common.metrics import Dependency
from common.namespace_metrics import NAMESPACES
from common.patience import Patience
from common.service import serving
from common.settings import Settings
from common.store.cache import Lifetimes
from common.store.catalog import Catalog
from common.store.housekeeping import Housekeeper
from common.store.registries import RegistryStore
from common.store.secrets_file import InstallationSecret
from common.store.sqlite import SqliteStores
from common.store.subjects import SubjectStore
from common.telemetry.spans import require_library
from common.telemetry.telling import Telling
from controller.app import Services, served
from controller.balance.inflight import InFlight
from controller.balance.port import UP, all_up
from controller.balance.single import SingleInvoker
from controller.budgeting import budgets_of
from controller.entitlement.entitlement import Entitlement
from controller.events.late import LateEvents
from controller.hearing import Hearing
from controller.invoke.action import ActionInvoker
from controller.invoke.compositions import Bounds, Compositions
from controller.invoke.entrance import Entrance
from controller.invoke.notes import Notes
from controller.invoke.own_records import OwnRecords
from controller.invoke.repeated import RepeatedFirings
from controller.invoke.resolve import Resolver
from controller.system.install import install
from invoker.actions import PatientActions
from invoker.driver import reach
from invoker.driver.port import Degradation, DriverReport, Level, Network
from invoker.driver.process.driver import ProcessDriver
from invoker.pool import gauges, opening
from invoker.pool.books import Books
from invoker.pool.defaults import SandboxDefaults
from invoker.pool.pool import Pool
from invoker.pool.proxy import Proxy
from invoker.service import Invoker

CONTROLLER: Final = ControllerId(0)
INVOKER: Final = InvokerId(0)
FRESH_S: Final = 300.0
"""How long an action is used before it is read again, which costs a call a hop to a thread. Nobody
else writes any, and what this process writes it knows at once."""
IDENTITY_S: Final = 1.0
"""The same for an identity, which `brisk admin` changes beside this process."""

log = logging.logger(__name__)


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that is up. *auth* is the guest's `uuid:key`."""

    url: str
    auth: str
    folder: DataFolder
    report: DriverReport
    network: Network
    warnings: tuple[Degradation, ...]
    """What an operator should know about the isolation of functions on this host."""

    def __repr__(self) -> str:
        """Return what may be shown."""
        return f"<Platform {self.url} {self.folder.path}>"


@asynccontextmanager
async def running(
    settings: Settings, data: Path, *, auth: str | None = None, clock: Clock | None = None
) -> AsyncIterator[Platform]:
    """Yield an embedded platform that serves until the end of the block.

    data: its folder; made if need be.
    auth: the key of the guest, for a first start; None makes one up.
    clock: None is that of this machine; tests may have one that they put forward.
    Raises `BriskError` when it cannot start; nothing is left behind then.
    """
    require_library(settings.tracing)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(data_folder.opened(data))
        log_file = stack.enter_context(folder.opened_log())
        clock = clock or SystemClock()
        stack.enter_context(logging.set_up(settings.log_level, log_file, clock))
        listener = stack.enter_context(listening(settings.http.host, settings.http.port))
        url = url_of(settings.http.host, listener)

        stores = await SqliteStores.open(folder.store, settings.store, clock)
        stack.push_async_callback(stores.close)
        secret = await _secret(settings, folder, stores)
        seal = secret.for_registries(folder.registries_key)
        lifetimes = Lifetimes(fresh_s=FRESH_S, stale_s=settings.store.stale_s)
        subjects = SubjectStore(
            stores.subjects,
            secret,
            settings.throttle,
            clock=clock,
            lifetimes=replace(lifetimes, fresh_s=IDENTITY_S),
        )
        guest_key = await guest.ensure(folder, subjects, auth)
        catalog = Catalog.over(stores.entities, stores.blobs, clock=clock, lifetimes=lifetimes)

        everything = _manifest()
        driver = ProcessDriver(
            settings.sandbox, everything.valid_kinds(), folder.sandboxes, everything.blackboxes
        )
        stack.push_async_callback(driver.close)
        report = await driver.probe()
        defaults, warnings = _sandboxes(settings, report, await subjects.namespaces(), url)
        manifest = everything.only(report.kinds)
        await install(catalog, manifest, stores.meta, clock)
        await _reconcile(driver)

        journal, bus = await _bus(settings, folder, stack)
        pool = await stack.enter_async_context(
            Pool.open(
                books=opening.opened(INVOKER, settings.pool, everything, report),
                driver=driver,
                proxy=Proxy(clock, answer_limit_bytes=settings.limits.max_payload_bytes),
                clock=clock,
                defaults=defaults,
                drain_s=settings.http.drain_s,
                check_invariants=settings.check_invariants,
            )
        )
        health = Health(clock, "store", "spool", "invokers")
        inflight = InFlight()
        invoker = Invoker(
            INVOKER,
            bus=bus,
            pool=pool,
            actions=PatientActions(catalog.actions, clock, wait_s=settings.invoker.fetch_wait_s),
            activations=stores.activations,
            clock=clock,
            telling=Telling.of(f"invoker{INVOKER}", bus, clock, settings),
            max_under_way=settings.pool.max_waiting,
        )
        budgets = await stack.enter_async_context(
            budgets_of(settings.price, stores, subjects, clock, url)
        )
        hearing = await stack.enter_async_context(
            Hearing.of(
                CONTROLLER,
                bus=bus,
                activations=stores.activations,
                inflight=inflight,
                clock=clock,
                settings=settings,
                also=budgets.ended,
            ).opened()
        )
        await stack.enter_async_context(serving(_housekeeper(settings, clock, stores).run()))
        patience = Patience(settings.http.drain_s, clock)
        await stack.enter_async_context(serving(invoker.serve(patience.left_s)))
        entrance = _entrance(
            settings,
            clock,
            bus,
            _Kept(stores, catalog, subjects),
            SingleInvoker(bus, INVOKER, lambda: invoker.is_healthy),
            inflight,
            hearing.own_records,
        )
        await stack.enter_async_context(entrance.open(patience.left_s))
        events = LateEvents(settings.events, stores.entities, stores.meta, secret, clock, url=url)
        services = Services(
            settings=settings,
            clock=clock,
            manifest=manifest,
            catalog=catalog,
            resolver=Resolver(catalog),
            activations=stores.activations,
            subjects=subjects,
            registries=RegistryStore(stores.entities, lambda: seal, clock),
            repeats=RepeatedFirings(stores.entities),
            events=events,
            entitlement=Entitlement(clock, inflight, budgets=budgets, tell=hearing.events.metric),
            budgets=budgets,
            invoker=entrance,
            invoker_health=lambda: {
                f"invoker{INVOKER}/{INVOKER}": UP if invoker.is_healthy else "unhealthy"
            },
            own_records=hearing.own_records,
            streams=hearing.streams,
            event_streams=hearing.event_streams,
            health=health,
        )

        stack.enter_context(health.shown())
        await stack.enter_async_context(
            health.watched(_checks(stores, all_up(services.invoker_health)))
        )
        health.begin()
        NAMESPACES.bound(settings.metrics.most_namespaces)
        stack.enter_context(_shown(pool.books, driver, stores, journal, bus))
        await stack.enter_async_context(
            served(services, listener, drain_s=settings.http.drain_s, end_waits=entrance.end_waits)
        )
        await stack.enter_async_context(serving(events.run()))
        stack.callback(patience.begin)
        yield Platform(url, guest_key, folder, report, defaults.network, warnings)
        health.stop()
        log.info("platform_stops")


def serve(host: str | None, port: int | None, data: Path | None, auth: str | None) -> int:
    """Run the embedded platform until SIGTERM or Ctrl-C; return the exit code of the process.

    Each argument is a flag's value; None leaves it to the environment, then to the default.
    Raises `BriskError` when it cannot start.
    """
    settings = Settings.of_environment()
    given = {"host": host, "port": port}
    http = settings.http.model_copy(update={k: v for k, v in given.items() if v is not None})
    settings = settings.model_copy(update={"http": http})
    folder = data or settings.data or default_path()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_until_told(settings, folder, auth))
    return 0


async def _serve_until_told(settings: Settings, data: Path, auth: str | None) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with running(settings, data, auth=auth) as platform:
        for warning in platform.warnings:
            print(f"note: {warning.what}: {warning.why}. {warning.remedy}", file=sys.stderr)
        where = guest.tell_command_line(platform.folder, platform.url, platform.auth)
        # What is there now stays: the collector need not walk it, which took 0.1 s each time.
        gc.collect()
        gc.freeze()
        print(f"Brisk is ready: {platform.url} · namespace {guest.GUEST} · {where}", flush=True)
        await told.wait()


def examine(settings: Settings) -> DriverReport:
    """Return what this host allows, without starting anything; for `brisk doctor`."""
    # A place of its own: the platform's belongs to one that may be running.
    place = (settings.data or default_path()) / f"examined-by-{os.getpid()}"
    driver = ProcessDriver(settings.sandbox, _manifest().valid_kinds(), place)

    async def probed() -> DriverReport:
        try:
            return await driver.probe()
        finally:
            await driver.close()

    return asyncio.run(probed())


async def _secret(
    settings: Settings, folder: DataFolder, stores: SqliteStores
) -> InstallationSecret:
    secret = InstallationSecret.of(settings.secret_file, folder.secret)
    await secret.require_same(stores.meta, settings.secret_file or folder.secret)
    return secret


def _sandboxes(
    settings: Settings, report: DriverReport, tenants: list[Namespace], url: str
) -> tuple[SandboxDefaults, tuple[Degradation, ...]]:
    """Return what sandboxes get, and all that an operator should know of their isolation."""
    wanted = Network(settings.sandbox.network)
    network = reach.granted(wanted, report.abilities, len(tenants))
    defaults = SandboxDefaults(
        network=network,
        env={"__OW_API_HOST": url},
        # A namespace that is made later must not reach the services of the first one's host.
        lent_to=tenants[0] if network is not wanted and network is Network.HOST else None,
        are_isolated=report.level is not Level.PROCESS,
    )
    return defaults, (*report.degradations, *reach.consequences(wanted, network))


async def _bus(
    settings: Settings, folder: DataFolder, closing: AsyncExitStack
) -> tuple[Journal, MemoryBus]:
    journal = await Journal.open(folder.journal)
    bus = MemoryBus(journal, capacity=settings.pool.max_waiting)
    closing.push_async_callback(bus.close)
    return journal, bus


async def _reconcile(driver: ProcessDriver) -> None:
    for name in await driver.reconcile():
        log.warning("sandbox_of_a_crash_removed", name=name)


def _housekeeper(settings: Settings, clock: Clock, stores: SqliteStores) -> Housekeeper:
    return Housekeeper(stores, settings.retention, clock, name="standalone")


def _checks(stores: SqliteStores, invokers: Check) -> dict[Dependency, Check]:
    return {"store": stores.check, "spool": stores.check_spool, "invokers": invokers}


class _Kept(NamedTuple):
    """What is kept in the stores, and who reads it."""

    stores: SqliteStores
    catalog: Catalog
    subjects: SubjectStore


def _entrance(
    settings: Settings,
    clock: Clock,
    bus: MemoryBus,
    kept: _Kept,
    balancer: SingleInvoker,
    inflight: InFlight,
    own_records: OwnRecords,
) -> Entrance:
    blobs, resolver = kept.stores.blobs, Resolver(kept.catalog)
    primitives = ActionInvoker(
        CONTROLLER,
        bus=bus,
        balancer=balancer,
        inflight=inflight,
        keys=kept.subjects,
        blobs=blobs,
        clock=clock,
        max_payload_bytes=settings.limits.max_payload_bytes,
    )
    compositions = Compositions(
        CONTROLLER,
        bus=bus,
        primitives=primitives,
        resolver=resolver,
        notes=Notes(resolver, kept.catalog.actions, blobs, clock),
        records=own_records,
        clock=clock,
        bounds=Bounds(settings.limits.sequence_length, settings.controller.max_compositions),
    )
    return Entrance(primitives, compositions, inflight)


def _manifest() -> Manifest:
    """Return all kinds; Python's default is the version that the platform itself runs on."""
    return Manifest.load(python=f"{sys.version_info.major}.{sys.version_info.minor}")


def _shown(
    books: Books, driver: ProcessDriver, stores: SqliteStores, journal: Journal, bus: MemoryBus
) -> AbstractContextManager[None]:
    """Have the gauges read what these parts hold, while inside."""
    return metrics.shown(
        {
            **gauges.of(books),
            metrics.READY_NETWORKS: lambda: driver.networks_ready,
            metrics.PENDING_RECORDS: lambda: stores.pending_records,
            metrics.SPOOL_SIZE: lambda: stores.spool_bytes,
            metrics.JOURNAL_PENDING: lambda: journal.pending,
            metrics.BUS_DEPTH["invoker"]: partial(bus.depth, topics.invoker(INVOKER)),
            metrics.BUS_DEPTH["composition"]: partial(bus.depth, topics.compositions(CONTROLLER)),
            metrics.BUS_DEPTH["completed"]: partial(bus.depth, topics.completed(CONTROLLER)),
        }
    )
