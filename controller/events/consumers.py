"""Feeds that read from somewhere else: a task for each, begun, ended, begun again as they change.

A source that is away, or a mistake of ours, holds up one feed: it is tried again, with longer and
longer pauses. How many are read from at a time is bounded; those beyond wait until one ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from common.errors import BriskError
from common.ids import DocId
from common.log import logger
from controller.events.feed import Feed
from controller.events.provider import NotKnown

MOST_PAUSE_S: Final = 60.0
_log: Final = logger(__name__)

Follow = Callable[[Feed], Awaitable[None]]
"""Fires what happens at the source of a feed; returns when the feed is to make no more events."""


class SourceAway(BriskError):
    """The source of a feed does not answer."""


class Consumers:
    """The feeds that this provider reads for. Belongs to one event loop; `run` owns its tasks."""

    def __init__(self, follow: Follow, *, most: int) -> None:
        """Read by *follow*, from *most* sources at a time."""
        self._follow = follow
        self._most = most
        self._wanted: dict[DocId, Feed] = {}
        self._running: dict[DocId, tuple[str, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Consumers {len(self._running)} of {len(self._wanted)}>"

    def hold(self, feed: Feed) -> None:
        """Read for *feed* from now on, as it is now."""
        known = self._wanted.get(feed.doc_id)
        if known is None or known.updated_ms < feed.updated_ms:
            self._wanted[feed.doc_id] = feed
            self._changed.set()

    def drop(self, name: DocId) -> None:
        """Read no more for a feed."""
        if self._wanted.pop(name, None) is not None:
            self._changed.set()

    async def run(self) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                self._end_others()
                for name, feed in self._wanted.items():
                    if name in self._running or not feed.status.active:
                        continue
                    if len(self._running) >= self._most:
                        _log.warning("feed_waits", feed=feed.address, why=f"{self._most} are read")
                        break
                    self._running[name] = (_version(feed), tasks.create_task(self._serve(feed)))
                await self._changed.wait()

    def _end_others(self) -> None:
        """Have tasks end that serve what is not wanted any more; each reports when it has."""
        for name, (version, task) in self._running.items():
            feed = self._wanted.get(name)
            if feed is None or _version(feed) != version or not feed.status.active:
                task.cancel()

    async def _serve(self, feed: Feed) -> None:
        failures = 0
        try:
            while True:
                try:
                    await self._follow(feed)
                    return
                except NotKnown:
                    return
                except SourceAway as error:
                    failures += 1
                    if failures == 1:
                        _log.info("source_is_away", feed=feed.address, why=str(error))
                except Exception as error:
                    failures += 1
                    _log.error("feed_broke_off", feed=feed.address, exc_info=error)
                await asyncio.sleep(min(MOST_PAUSE_S, 2.0 ** min(failures - 1, 10)))
        finally:
            del self._running[feed.doc_id]
            self._changed.set()
            known = self._wanted.get(feed.doc_id)
            if known is not None and _version(known) == _version(feed) and not _is_cancelled():
                del self._wanted[feed.doc_id]


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _version(feed: Feed) -> str:
    return f"{feed.uid}/{feed.updated_ms}"
