"""Who follows at this controller: counted, bounded, and let go when it stops.

Telling takes no waiting: a line is put into, and its reader woken. So it may be done on the path of
every activation, which pays a look into a dictionary as long as nobody follows its namespace.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, Literal, TypeVar

from common import metrics
from common.errors import TooManyStreams
from common.ids import Namespace
from common.settings import StreamSettings
from controller.stream.line import Line, Missed

Item = TypeVar("Item")

TOTAL: Final = "stream.max_streams"
EACH: Final = "stream.max_streams_per_namespace"


class Follower(Generic[Item]):
    """One who follows."""

    def __init__(self, line: Line[Item], wants: Callable[[Item], bool]) -> None:
        """Make one who *wants* some of what happens."""
        self.line = line
        self._wants = wants
        self._has_news = asyncio.Event()
        self._is_over = False

    def tell(self, name: str, item: Item) -> None:
        """Put *item* into the line, if it is wanted and there is room; what has no room counts."""
        if not self._wants(item):
            return
        if not self.line.put(name, item):
            metrics.STREAM_MISSED.inc()
        self._has_news.set()

    def end(self) -> None:
        """Have `next` say that it is over."""
        self._is_over = True
        self._has_news.set()

    async def next(
        self, most: int, within_s: float
    ) -> list[Item] | Missed | Literal["over"] | None:
        """Return what comes next, or None when nothing came *within_s*."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    if self._is_over:
                        return "over"
                    found = self.line.take(most)
                    if found is not None:
                        return found
                    self._has_news.clear()
                    await self._has_news.wait()
        except TimeoutError:
            return None


class Followers(Generic[Item]):
    """All who follow one sort of thing."""

    def __init__(self, settings: StreamSettings) -> None:
        """Let in as many as *settings* say."""
        self._settings = settings
        self._of: dict[Namespace, list[Follower[Item]]] = {}
        self._count = 0
        self._is_closed = False

    def __len__(self) -> int:
        """Return how many follow."""
        return self._count

    @property
    def waiting(self) -> int:
        """How much waits to be sent."""
        return sum(len(each.line) for followers in self._of.values() for each in followers)

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        """What is followed."""
        return tuple(self._of)

    def of(self, namespace: Namespace) -> Sequence[Follower[Item]]:
        """Return who follows *namespace*."""
        return self._of.get(namespace, ())

    @contextmanager
    def joined(
        self, namespace: Namespace, wants: Callable[[Item], bool]
    ) -> Iterator[Follower[Item]]:
        """Have one more follow *namespace* while inside. Raises `TooManyStreams`."""
        same = self._of.get(namespace, [])
        if self._is_closed or self._count >= self._settings.max_streams:
            raise TooManyStreams(limit=TOTAL)
        if len(same) >= self._settings.max_streams_per_namespace:
            raise TooManyStreams(limit=EACH)
        follower = Follower(Line[Item](self._settings.max_waiting), wants)
        self._of.setdefault(namespace, []).append(follower)
        self._count += 1
        try:
            yield follower
        finally:
            self._count -= 1
            self._of[namespace].remove(follower)
            if not self._of[namespace]:
                del self._of[namespace]

    def close(self) -> None:
        """Let everybody go, and nobody in any more."""
        self._is_closed = True
        for followers in self._of.values():
            for follower in followers:
                follower.end()
