"""Deletes the trigger of an alarm that was to fire once, with its rules if its owner wants that.

Rules go first, then the trigger, then the feed: whoever is broken off in between does it again, and
finds what is gone already.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from common.log import logger
from controller.events.client import Reply
from controller.events.feed import Feed
from controller.events.registry import Registry
from controller.events.retrying import Again, verdict

_GONE = 404
_log = logger(__name__)


class Entities(Protocol):
    """Where triggers and rules are."""

    async def trigger(self, namespace: str, name: str, auth: str) -> Reply:
        """Read a trigger."""
        ...

    async def delete(self, namespace: str, collection: str, name: str, auth: str) -> Reply:
        """Delete a trigger or a rule."""
        ...


class Cleaner:
    """Deletes what is not needed any more."""

    def __init__(self, registry: Registry, entities: Entities) -> None:
        self._registry = registry
        self._entities = entities

    def __repr__(self) -> str:
        return "<Cleaner>"

    async def clean(self, feed: Feed) -> None:
        """Delete the trigger of *feed*, the rules if they are to go, and the feed.

        What the platform does not let go of stays. Raises `StoreUnavailable`, `NotKnown`.
        """
        auth = self._registry.auth(feed)
        if feed.progress.get("cleaning") == "rules":
            await self._clean_rules(feed, auth)
        await _answered(
            lambda: self._entities.delete(feed.namespace, "triggers", feed.trigger, auth)
        )
        await self._registry.change(feed.doc_id, feed.uid, lambda _: None)
        _log.info("alarm_cleaned", feed=feed.address, with_=feed.progress.get("cleaning"))

    async def _clean_rules(self, feed: Feed, auth: str) -> None:
        found = await _answered(lambda: self._entities.trigger(feed.namespace, feed.trigger, auth))
        rules = found.body.get("rules")
        for rule in rules if isinstance(rules, dict) else ():
            namespace, _, name = str(rule).partition("/")
            await _answered(self._deletion(namespace, name, auth))

    def _deletion(self, namespace: str, name: str, auth: str) -> Callable[[], Awaitable[Reply]]:
        return lambda: self._entities.delete(namespace, "rules", name, auth)


async def _answered(ask: Callable[[], Awaitable[Reply]]) -> Reply:
    """Return the answer that counts, however long the platform is away."""
    tries = 0
    while True:
        tries += 1
        reply = await ask()
        found = verdict(reply.status, tries, text=reply.text)
        if not isinstance(found, Again):
            if reply.status is not None and reply.status >= 400 and reply.status != _GONE:
                _log.warning("not_cleaned", status=reply.status, why=reply.text)
            return reply
        await asyncio.sleep(found.wait_s)
