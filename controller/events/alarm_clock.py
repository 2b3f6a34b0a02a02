"""Fires alarms when they are due: those of this provider, each in the order of its firings.

One task waits for the next alarm that is due; each that is gets a task until it has caught up. What
was fired is written down behind each firing. A provider that dies in between fires the same again
when it is back, or another one does, under the same name.
"""

import asyncio
import heapq
from contextlib import suppress
from typing import Final

from common.clock import Clock
from common.ids import DocId
from common.log import logger
from common.store.port import Conflict, StoreError
from controller.events import alarms, progress, schedule
from controller.events.cleaning import Cleaner
from controller.events.feed import Feed
from controller.events.firing import Firer
from controller.events.provider import NotKnown
from controller.events.registry import Registry
from controller.events.retrying import Lost, Stopped

LOOK_S: Final = 30.0
"""How long it sleeps at most: a clock may be set, and a machine may sleep."""
STORE_PAUSE_S: Final = 2.0
"""Between two attempts to write down what was fired, while the store is away."""
MOST_LOST: Final = 10
"""Firings in a row that are lost before a feed is stopped."""
_log: Final = logger(__name__)


class AlarmClock:
    """The alarms that this provider holds. Belongs to one event loop; `run` owns its tasks."""

    def __init__(
        self,
        registry: Registry,
        firer: Firer,
        cleaner: Cleaner,
        clock: Clock,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._registry = registry
        self._firer = firer
        self._cleaner = cleaner
        self._clock = clock
        self._look_s = look_s
        self._held: dict[DocId, Feed] = {}
        self._queue: list[tuple[int, DocId, str]] = []
        """When each is due, and as which feed; what is not that any more is passed over."""
        self._busy: set[DocId] = set()
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<AlarmClock {len(self._held)} held, {len(self._busy)} busy>"

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, feed: Feed) -> None:
        """Fire *feed* from now on, as it is now."""
        known = self._held.get(feed.doc_id)
        if known is not None and known.updated_ms > feed.updated_ms:
            return
        self._held[feed.doc_id] = feed
        self._queue_up(feed)

    def drop(self, name: DocId) -> None:
        """Leave a feed alone from now on; a firing that is under way ends."""
        self._held.pop(name, None)

    async def run(self) -> None:
        """Fire until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                for feed in self._take_due():
                    tasks.create_task(self._serve(feed))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._until_next_s()):
                        await self._changed.wait()

    def _queue_up(self, feed: Feed) -> None:
        next_ms = feed.progress.get("next")
        if feed.doc_id in self._busy:
            return
        if feed.progress.get("cleaning"):
            due_ms = 0
        elif feed.status.active and isinstance(next_ms, int):
            due_ms = next_ms + _delay_ms(feed, next_ms)
        else:
            return
        if not self._queue or due_ms < self._queue[0][0]:
            self._changed.set()
        heapq.heappush(self._queue, (due_ms, feed.doc_id, _version(feed)))

    def _take_due(self) -> list[Feed]:
        """Return alarms that are due now and nobody serves yet; they are busy from now on."""
        now_ms = self._clock.now_ms()
        found: list[Feed] = []
        while self._queue and self._queue[0][0] <= now_ms:
            _, name, version = heapq.heappop(self._queue)
            feed = self._held.get(name)
            if feed is not None and _version(feed) == version and name not in self._busy:
                self._busy.add(name)
                found.append(feed)
        return found

    def _until_next_s(self) -> float:
        if not self._queue:
            return self._look_s
        return min(self._look_s, max(0.0, (self._queue[0][0] - self._clock.now_ms()) / 1000))

    async def _serve(self, feed: Feed) -> None:
        """Fire what is due of *feed*, and hold what it is then."""
        name, newest = feed.doc_id, None
        try:
            newest = await self._caught_up(feed)
        except NotKnown:
            pass  # it was deleted meanwhile
        except Exception as error:
            # One that cannot be served must not take the others with it.
            _log.error("alarm_failed", feed=feed.address, exc_info=error)
        finally:
            self._busy.discard(name)
        held = self._held.get(name)
        if held is None:
            return
        if held.updated_ms > (newest or feed).updated_ms:
            newest = held  # it was changed since
        if newest is None:
            del self._held[name]
        else:
            self._held[name] = newest
            self._queue_up(newest)

    async def _caught_up(self, feed: Feed) -> Feed | None:
        """Return *feed* with nothing due any more; None when it is gone."""
        found: Feed | None = await self._newest(feed)
        while found is not None and found.doc_id in self._held:
            if found.progress.get("cleaning"):
                await self._cleaner.clean(found)
                return None
            next_ms = found.progress.get("next")
            if not found.status.active or next_ms is None:
                return found
            now_ms = self._clock.now_ms() - _delay_ms(found, next_ms)
            due = schedule.due(alarms.schedule_of(found.config), next_ms, now_ms)
            if not due.firings and due.next_ms == next_ms:
                return found
            found = await self._step(found, next_ms, due)
        return found

    async def _step(self, feed: Feed, next_ms: int, due: schedule.Due) -> Feed | None:
        """Do the first firing of *due*, if there is one, and write down what follows."""
        if not due.firings:
            return await self._write(
                feed, progress.moved(next_ms, due.next_ms, self._clock.now_ms())
            )
        at_ms = due.firings[0]
        following_ms = due.firings[1] if len(due.firings) > 1 else due.next_ms
        outcome = await self._firer.fire(feed, str(at_ms), feed.payload)
        now_ms = self._clock.now_ms()
        if isinstance(outcome, Stopped):
            change = progress.stopped(
                next_ms, now_ms, message=outcome.message, status_code=outcome.status_code
            )
        elif isinstance(outcome, Lost):
            change = progress.lost(
                next_ms, following_ms, now_ms, message=outcome.message, most=MOST_LOST
            )
        else:
            change = progress.fired(next_ms, following_ms, now_ms)
        return await self._write(feed, change)

    async def _newest(self, feed: Feed) -> Feed:
        """Return what is stored, however long the store is away. Raises `NotKnown`."""
        while True:
            try:
                return await self._registry.get(feed.doc_id)
            except StoreError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(STORE_PAUSE_S)

    async def _write(self, feed: Feed, changed: progress.Change) -> Feed | None:
        while True:
            try:
                return await self._registry.change(feed.doc_id, feed.uid, changed)
            except NotKnown:
                return None
            except StoreError as error:
                if not error.retryable and not isinstance(error, Conflict):
                    raise
                # What was fired has to be written down: else it would be fired again, and although
                # that is the same firing, others wait behind it.
                _log.warning("feed_not_written", feed=feed.address, why=str(error))
                await asyncio.sleep(STORE_PAUSE_S)


def _version(feed: Feed) -> str:
    return f"{feed.uid}/{feed.updated_ms}/{feed.progress.get('next')}"


def _delay_ms(feed: Feed, next_ms: int) -> int:
    return schedule.delay_ms(alarms.schedule_of(feed.config), feed.uid, next_ms)
