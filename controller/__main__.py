"""One controller of a cluster: `python -m controller`, on Kafka and CouchDB.

A composition root, as `cli.standalone` is: the same parts, other adapters. It starts before its
broker and its store are there, says what it waits for in its log and to whoever asks, and drains on
SIGTERM.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final, NamedTuple

from common import data_folder, service, vitals
from common import log as logging
from common.bus.port import Message
from common.clock import Clock, SystemClock
from common.cluster import Ground, grounded
from common.entity.manifest import Manifest
from common.health import Health
from common.ids import ControllerId, Namespace, Subject
from common.listener import listening, url_of
from common.message import topics
from common.message.ping import Ping
from common.patience import Patience
from common.service import patiently, serving
from common.settings import Settings, UnusableSettings
from common.store.cache import Lifetimes
from common.store.catalog import Catalog
from common.store.entities import follow
from common.store.housekeeping import Housekeeper
from common.store.port import Conflict
from common.store.registries import RegistryStore
from common.store.secrets_file import InstallationSecret
from common.store.subject_admin import NamespaceExists
from common.store.subjects import SubjectStore
from common.telemetry.spans import require_library
from controller.app import Services, served
from controller.balance.inflight import InFlight
from controller.balance.kinds import OfferedKinds
from controller.balance.port import all_up
from controller.balance.sharding import Sharding
from controller.billing.budgets import Budgets
from controller.budgeting import budgets_of
from controller.entitlement.entitlement import Entitlement
from controller.entitlement.throttle import Share
from controller.events.remote import RemoteFace
from controller.hearing import Hearing
from controller.invoke.action import ActionInvoker
from controller.invoke.compositions import Bounds, Compositions
from controller.invoke.entrance import Entrance
from controller.invoke.notes import Notes
from controller.invoke.repeated import RepeatedFirings
from controller.invoke.resolve import Resolver
from controller.system.install import install

TICK_S: Final = 1.0
FOLLOWED_S: Final = 300.0
"""How long actions and identities are fresh that a feed of changes watches over."""
ABSENT_S: Final = 2.0
"""How long it is remembered that there is no such action or key."""
GUEST: Final = "guest"

log = logging.logger(__name__)


def main() -> int:
    """Run one controller until SIGTERM or Ctrl-C; return the exit code of the process."""
    return service.run(serve)


async def serve(stop: asyncio.Event) -> None:
    """Open everything, serve until *stop*, and close it again. Raises `BriskError`."""
    settings = Settings.of_environment()
    if settings.data is None:
        raise UnusableSettings("BRISK_DATA has to name a folder of this controller's own.")
    require_library(settings.tracing)
    clock = SystemClock()
    health = Health(clock, "couchdb", "kafka", "spool", "invokers")
    async with AsyncExitStack() as stack:
        stack.enter_context(logging.set_up(settings.log_level, sys.stderr.buffer, clock))
        stack.enter_context(health.shown())
        folder = stack.enter_context(data_folder.opened(settings.data))
        listener = stack.enter_context(listening(settings.http.host, settings.http.port))
        secret_file = settings.secret_file or folder.secret
        secret = InstallationSecret.of(settings.secret_file, folder.secret)
        async with vitals.served(listener.dup(), health, instead_of="controller"):
            ground = await stack.enter_async_context(
                grounded(
                    settings,
                    folder,
                    clock,
                    health,
                    stop,
                    require=lambda stores: secret.require_same(stores.meta, secret_file),
                )
            )
            stores, wait = ground.stores, partial(_wait_for_store, health, stop)
            lifetimes = Lifetimes(
                fresh_s=FOLLOWED_S, stale_s=settings.store.stale_s, absent_s=ABSENT_S
            )
            subjects = SubjectStore(
                stores.subjects, secret, settings.throttle, clock=clock, lifetimes=lifetimes
            )
            catalog = Catalog.over(stores.entities, stores.blobs, clock=clock, lifetimes=lifetimes)
            await wait(partial(_ensure_guest, subjects, settings))
            await wait(partial(install, catalog, _everything(), stores.meta, clock))
            url = url_of(settings.http.host, listener)
            budgets = await stack.enter_async_context(
                budgets_of(settings.price, stores, subjects, clock, url, wait)
            )
            traffic = _traffic(settings, clock, ground, budgets)
            hear = partial(ground.bus.listen, topics.HEALTH, partial(_heard, traffic.balancer))
            await patiently(health, "kafka", hear, stop)
            for listen in traffic.hearing.listens:
                await patiently(health, "kafka", listen, stop)
        await stack.enter_async_context(traffic.hearing.served())
        await stack.enter_async_context(serving(_tick(traffic)))
        housekeeper = Housekeeper(
            stores,
            settings.retention,
            clock,
            name=f"controller{settings.controller.id}",
            for_others=settings.couchdb.member is not None,
        )
        await stack.enter_async_context(serving(housekeeper.run()))
        await stack.enter_async_context(serving(follow(stores.changes, *catalog.stores)))
        await stack.enter_async_context(serving(subjects.follow(stores.subject_changes)))
        seal = secret.for_registries(folder.registries_key)
        registries = RegistryStore(stores.entities, lambda: seal, clock)
        kept = _Kept(catalog, subjects, registries)
        entrance = _entrance(settings, clock, ground, kept, traffic)
        patience = Patience(settings.http.drain_s, clock)
        await stack.enter_async_context(entrance.open(patience.left_s))
        services = _services(settings, clock, ground, kept, traffic, entrance, health, budgets)
        checks = ground.checks | {"invokers": all_up(services.invoker_health)}
        await stack.enter_async_context(health.watched(checks))
        health.begin()
        await stack.enter_async_context(
            served(
                services,
                listener,
                drain_s=settings.http.drain_s,
                end_waits=entrance.end_waits,
            )
        )
        log.info("controller_is_ready", url=url)
        await stop.wait()
        patience.begin()
        health.stop()
        log.info("controller_stops")


async def _wait_for_store(
    health: Health, stop: asyncio.Event, once: Callable[[], Awaitable[None]]
) -> None:
    await patiently(health, "couchdb", once, stop)


class _Kept(NamedTuple):
    """What is kept in the store, beside records."""

    catalog: Catalog
    subjects: SubjectStore
    registries: RegistryStore


class _Traffic(NamedTuple):
    """What comes and goes at this controller."""

    balancer: Sharding
    inflight: InFlight
    hearing: Hearing


def _traffic(settings: Settings, clock: Clock, ground: Ground, budgets: Budgets) -> _Traffic:
    balancer = Sharding(ground.bus, clock, controllers=settings.controller.count)
    inflight = InFlight()
    hearing = Hearing.of(
        ControllerId(settings.controller.id),
        bus=ground.bus,
        activations=ground.stores.activations,
        inflight=inflight,
        clock=clock,
        settings=settings,
        also=budgets.ended,
        judge=balancer.ended,
    )
    return _Traffic(balancer, inflight, hearing)


def _entrance(
    settings: Settings, clock: Clock, ground: Ground, kept: _Kept, traffic: _Traffic
) -> Entrance:
    controller, stores = ControllerId(settings.controller.id), ground.stores
    resolver = Resolver(kept.catalog)
    primitives = ActionInvoker(
        controller,
        bus=ground.bus,
        balancer=traffic.balancer,
        inflight=traffic.inflight,
        keys=kept.subjects,
        blobs=stores.blobs,
        clock=clock,
        max_payload_bytes=settings.limits.max_payload_bytes,
    )
    compositions = Compositions(
        controller,
        bus=ground.bus,
        primitives=primitives,
        resolver=resolver,
        notes=Notes(resolver, kept.catalog.actions, stores.blobs, clock),
        records=traffic.hearing.own_records,
        clock=clock,
        bounds=Bounds(settings.limits.sequence_length, settings.controller.max_compositions),
    )
    return Entrance(primitives, compositions, traffic.inflight)


def _services(
    settings: Settings,
    clock: Clock,
    ground: Ground,
    kept: _Kept,
    traffic: _Traffic,
    entrance: Entrance,
    health: Health,
    budgets: Budgets,
) -> Services:
    return Services(
        settings=settings,
        clock=clock,
        manifest=OfferedKinds(_everything(), lambda: traffic.balancer.kinds),
        catalog=kept.catalog,
        resolver=Resolver(kept.catalog),
        activations=ground.stores.activations,
        subjects=kept.subjects,
        registries=kept.registries,
        repeats=RepeatedFirings(ground.stores.entities),
        events=RemoteFace(settings.events.url),
        entitlement=Entitlement(
            clock,
            traffic.inflight,
            Share(settings.controller.id % settings.controller.count, settings.controller.count),
            budgets,
            tell=traffic.hearing.events.metric,
        ),
        budgets=budgets,
        invoker=entrance,
        invoker_health=lambda: {
            f"invoker{invoker}/{invoker}": state.text
            for invoker, state in traffic.balancer.states.items()
        },
        own_records=traffic.hearing.own_records,
        streams=traffic.hearing.streams,
        event_streams=traffic.hearing.event_streams,
        health=health,
    )


def _everything() -> Manifest:
    return Manifest.load(python=f"{sys.version_info.major}.{sys.version_info.minor}")


async def _ensure_guest(subjects: SubjectStore, settings: Settings) -> None:
    """Make the guest, if the settings want one and there is none."""
    if settings.controller.guest_auth is None:
        return
    uuid, _, key = settings.controller.guest_auth.get_secret_value().partition(":")
    if await subjects.identify(uuid, key) is not None:
        return
    try:
        await subjects.create(Subject(GUEST), Namespace(GUEST), uuid, key)
    except (Conflict, NamespaceExists, ValueError) as error:
        if await subjects.identify(uuid, key) is not None:
            return  # another controller has made it meanwhile
        why = "BRISK_CONTROLLER__GUEST_AUTH is not the key of the guest that is there."
        raise UnusableSettings(why) from error


def _heard(balancer: Sharding, message: Message) -> None:
    assert isinstance(message, Ping), message
    balancer.heard(message)


async def _tick(traffic: _Traffic) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        for activation_id in traffic.balancer.tick():
            traffic.inflight.let_go(activation_id)


if __name__ == "__main__":
    sys.exit(main())
