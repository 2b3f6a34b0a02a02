"""Fires triggers, until each firing is accepted or its feed is told why not.

A firing has a name. It is sent under that name again and again, by this provider or by another one
that has taken over, and the platform does it once.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from common import metrics
from common.log import logger
from common.store.port import Corrupted
from controller.events.client import Reply
from controller.events.feed import Feed
from controller.events.registry import Registry
from controller.events.retrying import Accepted, Again, Lost, Stopped, verdict

_log = logger(__name__)


class Triggers(Protocol):
    """Where triggers are fired."""

    async def fire(
        self, namespace: str, name: str, auth: str, payload: Mapping[str, Any], *, key: str
    ) -> Reply:
        """Fire a trigger. *key* names the firing: sent again, it is the same one."""
        ...


class Firer:
    """Fires on behalf of all feeds; at most so many at a time."""

    def __init__(self, registry: Registry, triggers: Triggers, *, at_once: int) -> None:
        self._registry = registry
        self._triggers = triggers
        self._slots = asyncio.Semaphore(at_once)

    def __repr__(self) -> str:
        return "<Firer>"

    async def fire(
        self, feed: Feed, name: str, payload: Mapping[str, Any]
    ) -> Accepted | Lost | Stopped:
        """Fire the trigger of *feed*, and return what became of that.

        name: of the firing, among those of this feed. While the platform is away or fails this
        takes as long as that lasts.
        """
        tries = 0
        try:
            auth = self._registry.auth(feed)
        except Corrupted as error:
            return Stopped(f"Automatically disabled: {error}", 500)
        while True:
            tries += 1
            async with self._slots:
                reply = await self._triggers.fire(
                    feed.namespace, feed.trigger, auth, payload, key=f"{feed.uid}/{name}"
                )
            found = verdict(reply.status, tries, text=reply.text)
            if not isinstance(found, Again):
                self._told(feed, name, found)
                return found
            metrics.FIRINGS["again"].inc()
            _log.debug("firing_again", feed=feed.address, name=name, status=reply.status)
            await asyncio.sleep(found.wait_s)

    def _told(self, feed: Feed, name: str, found: Accepted | Lost | Stopped) -> None:
        match found:
            case Accepted():
                metrics.FIRINGS["accepted"].inc()
            case Lost(message):
                metrics.FIRINGS["lost"].inc()
                _log.warning("firing_lost", feed=feed.address, name=name, why=message)
            case Stopped(message, _):
                metrics.FIRINGS["refused"].inc()
                _log.warning("feed_stopped", feed=feed.address, name=name, why=message)
