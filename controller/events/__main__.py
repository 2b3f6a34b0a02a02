"""One provider of events of a cluster: `python -m controller.events`, on CouchDB.

A composition root. It needs the store, where feeds are, and the API of the platform, by which it
does everything else; it waits for both, and says so. It is given the secret of the installation.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from functools import partial

from common import data_folder, service, vitals
from common import log as logging
from common.clock import SystemClock
from common.health import Health
from common.listener import listening, url_of
from common.service import patiently, serving
from common.settings import Settings, UnusableSettings
from common.store.couch import CouchStores
from common.store.secrets_file import InstallationSecret
from controller.events.server import served
from controller.events.service import Events

log = logging.logger(__name__)


def main() -> int:
    """Run one provider until SIGTERM or Ctrl-C; return the exit code of the process."""
    return service.run(serve)


async def serve(stop: asyncio.Event) -> None:
    """Open everything, serve until *stop*, and close it again. Raises `BriskError`."""
    settings = Settings.of_environment()
    if settings.data is None:
        raise UnusableSettings("BRISK_DATA has to name a folder of this provider's own.")
    if settings.events.id >= settings.events.count:
        raise UnusableSettings("BRISK_EVENTS__ID has to be below BRISK_EVENTS__COUNT.")
    clock = SystemClock()
    health = Health(clock, "couchdb")
    async with AsyncExitStack() as stack:
        stack.enter_context(logging.set_up(settings.log_level, sys.stderr.buffer, clock))
        stack.enter_context(health.shown())
        folder = stack.enter_context(data_folder.opened(settings.data))
        listener = stack.enter_context(listening(settings.http.host, settings.http.port))
        secret_file = settings.secret_file or folder.secret
        secret = InstallationSecret.of(settings.secret_file, folder.secret)
        async with vitals.served(listener.dup(), health, instead_of="provider of events"):
            stores = await patiently(
                health,
                "couchdb",
                partial(CouchStores.open, folder.store, settings.couchdb, settings.store, clock),
                stop,
            )
            stack.push_async_callback(stores.close)
            same = partial(secret.require_same, stores.meta, secret_file)
            await patiently(health, "couchdb", same, stop)
        events = Events(
            settings.events,
            stores.entities,
            stores.meta,
            secret,
            clock,
            url=settings.events.api_host,
        )
        await stack.enter_async_context(health.watched({"couchdb": stores.check}))
        health.begin()
        await stack.enter_async_context(served(listener, events.face, health))
        await stack.enter_async_context(serving(events.run()))
        log.info("provider_is_ready", url=url_of(settings.http.host, listener))
        await stop.wait()
        health.stop()
        log.info("provider_stops")


if __name__ == "__main__":
    sys.exit(main())
