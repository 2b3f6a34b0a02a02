"""One provider of events, whole: what it is made of, and how it lives.

Part of a composition root: of the process of its own (`python -m controller.events`), or of the
embedded platform. Either hands in documents, a secret, and the address of the platform's API.
"""

import asyncio
import secrets
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Final

from common import metrics
from common.clock import Clock
from common.settings import EventsSettings
from common.store.port import DocStore
from controller.events.alarm_clock import AlarmClock
from controller.events.alarms import Alarms
from controller.events.cleaning import Cleaner
from controller.events.client import Client
from controller.events.consumers import Consumers
from controller.events.couchdb import Databases
from controller.events.face import Face
from controller.events.firing import Firer
from controller.events.keeper import Keeper, Runner
from controller.events.lifecycle import Lifecycle, Provider
from controller.events.messaging import Messaging, Place, Topic
from controller.events.registry import Registry, Sealing
from controller.events.sharing import Sharing
from controller.events.webhooks import WEBHOOKS, Webhooks

if TYPE_CHECKING:
    from controller.events.kafka import KafkaBrokers

ALARMS: Final = "alarms"
MESSAGING: Final = "messaging"
DATABASES: Final = ("couchdb", "cloudant")
"""Names of packages: ours, and OpenWhisk's."""
_HOLDER_BYTES: Final = 8


class Events:
    """A provider. Made inside of a running loop; `run` owns everything that it does."""

    def __init__(
        self,
        settings: EventsSettings,
        docs: DocStore,
        leases: DocStore,
        seal: Sealing,
        clock: Clock,
        *,
        url: str,
    ) -> None:
        """Serve the feeds that are in *docs*.

        leases: where providers say that they live. url: of the platform's API.
        """
        self._client = Client(url, connections=settings.max_firings)
        registry = Registry(docs, seal)
        firer = Firer(registry, self._client, at_once=settings.max_firings)
        self._alarms = AlarmClock(registry, firer, Cleaner(registry, self._client), clock)
        sharing = Sharing(
            leases,
            clock,
            number=settings.id,
            count=settings.count,
            holder=f"{settings.id}-{secrets.token_hex(_HOLDER_BYTES)}",
        )
        databases = Databases(registry, seal, firer, clock, allowed=settings.sources)
        self._readers = Consumers(databases.follow, most=settings.max_sources)
        messaging = Messaging(
            registry,
            seal,
            firer,
            _LateBrokers(settings.sources),
            clock,
            allowed=settings.sources,
        )
        self._topics = Consumers(messaging.follow, most=settings.max_sources)
        hooks = Webhooks(registry, seal, self._client, clock, url=settings.public_url or url)
        runners: dict[str, Runner] = {
            ALARMS: self._alarms,
            WEBHOOKS: hooks,
            MESSAGING: self._topics,
            **dict.fromkeys(DATABASES, self._readers),
        }
        self._keeper = Keeper(registry, sharing, runners, clock)
        providers: dict[str, Provider] = {
            ALARMS: Alarms(),
            WEBHOOKS: hooks,
            MESSAGING: messaging,
            **dict.fromkeys(DATABASES, databases),
        }
        lifecycle = Lifecycle(registry, providers, self._keeper, self._client, clock)
        self.face = Face(lifecycle, hooks)

    def __repr__(self) -> str:
        return f"<Events {self._keeper!r}>"

    async def run(self) -> None:
        """Make events until cancelled. Firings under way are broken off, and done by the next."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._client.close)
            stack.push_async_callback(self._keeper.leave)
            stack.enter_context(metrics.shown({metrics.FEEDS: lambda: len(self._keeper)}))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            tasks.create_task(self._keeper.run(), name="feeds")
            tasks.create_task(self._alarms.run(), name="alarms")
            tasks.create_task(self._readers.run(), name="changes")
            tasks.create_task(self._topics.run(), name="messages")


class _LateBrokers:
    """Brokers whose client is imported with the first feed: most platforms have none."""

    def __init__(self, allowed: str) -> None:
        self._allowed = allowed

    async def ends(self, place: Place) -> dict[int, int]:
        """Return the offset of each partition that its next message gets."""
        return await self._brokers().ends(place)

    def reading(self, place: Place) -> AbstractAsyncContextManager[Topic]:
        """Read a topic while inside."""
        return self._brokers().reading(place)

    def _brokers(self) -> "KafkaBrokers":
        from controller.events.kafka import KafkaBrokers

        return KafkaBrokers(allowed=self._allowed)
