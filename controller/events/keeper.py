"""Has each feed of this provider served by what makes its events, from start to end.

Feeds are found in the store: all of them at the start, and then what has changed. Those that this
process is told to make are served at once; what others make, or what others served who are gone, a
few seconds later.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol

from common.clock import Clock
from common.ids import DocId
from common.log import logger
from common.store.port import StoreError
from controller.events.feed import Feed, shard_of
from controller.events.registry import Registry
from controller.events.sharing import ROUND_S, Sharing

APART_MS: Final = 60_000
"""By how much the clocks of two machines may differ."""
WALK_S: Final = 300.0
"""How often all feeds are looked at, whenever they were changed."""
_log: Final = logger(__name__)


class Runner(Protocol):
    """Makes the events of the feeds that it holds."""

    def hold(self, feed: Feed) -> None:
        """Make events for *feed* from now on, as it is now."""
        ...

    def drop(self, name: DocId) -> None:
        """Make no more events for a feed."""
        ...


class Keeper:
    """Knows which feeds are this provider's, and has them served."""

    def __init__(
        self,
        registry: Registry,
        sharing: Sharing,
        runners: Mapping[str, Runner],
        clock: Clock,
        *,
        round_s: float = ROUND_S,
    ) -> None:
        """Serve feeds by *runners*, which are found by the name of a feed's provider."""
        self._registry = registry
        self._sharing = sharing
        self._runners = runners
        self._clock = clock
        self._round_s = round_s
        self._held: dict[DocId, str] = {}
        self._parts: frozenset[int] = frozenset()
        self._seen_ms = 0
        self._walked_s = 0.0

    def __repr__(self) -> str:
        return f"<Keeper {len(self._held)} feeds, {len(self._parts)} parts>"

    def __len__(self) -> int:
        return len(self._held)

    def take(self, feed: Feed) -> None:
        """Serve *feed*, if it is this provider's, as it is now."""
        if feed.shard not in self._parts:
            return
        provider = feed.source.provider
        if self._held.get(feed.doc_id, provider) != provider:
            self.drop(feed.doc_id)
        if (runner := self._runners.get(provider)) is None:
            _log.warning("feed_of_unknown_provider", feed=feed.address, provider=provider)
            return
        self._held[feed.doc_id] = provider
        runner.hold(feed)

    def drop(self, name: DocId) -> None:
        """Serve a feed no more."""
        provider = self._held.pop(name, None)
        if provider is not None:
            self._runners[provider].drop(name)

    async def run(self) -> None:
        """Look for feeds until cancelled."""
        is_told = False
        try:
            while True:
                try:
                    await self.round()
                    is_told = False
                except StoreError as error:
                    if not is_told:
                        _log.warning("feeds_not_read", why=str(error))
                    is_told = True
                await asyncio.sleep(self._round_s)
        finally:
            for name in list(self._held):
                self.drop(name)

    async def leave(self) -> None:
        """Let others have the feeds of this provider at once, if the store can be told."""
        with suppress(StoreError):
            await self._sharing.leave()

    async def round(self) -> None:
        """Look once. Raises `StoreUnavailable`."""
        parts = await self._sharing.round()
        is_due = self._clock.elapsed_s() - self._walked_s >= WALK_S
        everything = bool(parts - self._parts) or is_due or not self._seen_ms
        self._parts = parts
        for name in [each for each in self._held if shard_of(each) not in parts]:
            self.drop(name)
        await self._look(everything=everything)

    async def _look(self, *, everything: bool) -> None:
        since_ms = 0 if everything else self._seen_ms - APART_MS
        newest_ms, found = self._seen_ms or 1, set[DocId]()
        async for feed in self._registry.newest():
            if feed.updated_ms < since_ms:
                break
            newest_ms = max(newest_ms, feed.updated_ms)
            found.add(feed.doc_id)
            self.take(feed)
        if everything:
            self._walked_s = self._clock.elapsed_s()
            # A page may have missed one while another was written: who serves it asks the store.
        self._seen_ms = newest_ms
