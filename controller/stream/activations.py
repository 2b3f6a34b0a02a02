"""The activations of a namespace, as they end, for whoever follows it at this controller.

Each end is heard by the controller that accepted the activation: over the bus for what an invoker
ran, and from itself for sequences, compositions and firings. It tells who follows here, and the
other controllers, if somebody follows there. Only that something has ended is told; the record is
read when it is sent, so a line of a thousand costs a thousand names and no more.

What ended before somebody came, or while the word of them was still on its way to the other
controllers, is looked for among the records. So nothing is left out, and what comes by both ways is
sent once.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from common import metrics
from common.bus.port import Bus, BusUnavailable, Message
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.ids import ActivationId, ControllerId, Namespace
from common.log import logger
from common.message import topics
from common.message.watching import News, Watch
from common.settings import StreamSettings
from common.store.port import ActivationFilter, ActivationStore, StoreError
from controller.stream.followers import Follower, Followers
from controller.stream.interest import SAID_EVERY_S, Interest
from controller.stream.line import Missed

MOST_PAST: Final = 200
"""Records of the past that are sent at the beginning: as many as a list has."""
LONGEST_MS: Final = 660_000
"""How long an activation may take: five minutes to load, and to run, and one to wait."""
SKEW_MS: Final = 2_000
"""By how much the clocks of two machines may differ."""
LOOK_AGAIN_S: Final = 1.5
"""When it is looked again for what ended while other controllers had not heard who follows."""
BATCH: Final = 8
"""Records that are read at a time."""
ARRIVES_S: Final = 10.0
"""How long a record is waited for: it is on its way to the store when its end is told."""
PAUSE_S: Final = 0.1

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """From where on somebody wants to be told.

    started_ms: what started then or later; ended_ms: and ended then or later. Unix time.
    seen: what they were told last.
    """

    started_ms: int | None = None
    ended_ms: int | None = None
    seen: ActivationId | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """Nothing has happened, and the connection is there."""


Told: TypeAlias = ActivationRecord | Missed | Beat


def after(ended_ms: int, seen: ActivationId) -> Since:
    """Return where to go on for who was told of *seen* last, which ended at *ended_ms*."""
    return Since(started_ms=ended_ms - LONGEST_MS - SKEW_MS, ended_ms=ended_ms - SKEW_MS, seen=seen)


class ActivationStreams:
    """Owned by one controller."""

    def __init__(
        self,
        controller: ControllerId,
        *,
        bus: Bus,
        activations: ActivationStore,
        clock: Clock,
        settings: StreamSettings,
    ) -> None:
        """Serve who follows at *controller*; *activations* has the records."""
        self._controller = controller
        self._bus = bus
        self._activations = activations
        self._clock = clock
        self._settings = settings
        self.followers = Followers[News](settings)
        self._elsewhere = Interest()
        self._has_changed = asyncio.Event()

    async def listen(self) -> None:
        """Hear what is followed at other controllers, and what has ended there."""
        await self._bus.listen(topics.WATCHED, self._heard)

    async def serve(self) -> None:
        """Tell the others what is followed here, until this is cancelled."""
        said: tuple[Namespace, ...] = ()
        while True:
            self._has_changed.clear()
            namespaces = self.followers.namespaces
            if namespaces or said:
                await self._say(namespaces)
            said = namespaces
            with suppress(TimeoutError):
                async with asyncio.timeout(SAID_EVERY_S):
                    await self._has_changed.wait()

    def ended(self, record: ActivationRecord) -> None:
        """Tell whoever follows that *record* is kept. Takes no waiting, and raises nothing."""
        namespace = record.namespace
        followers = self.followers.of(namespace)
        is_followed_elsewhere = self._elsewhere and self._elsewhere.has(
            namespace, self._clock.elapsed_s()
        )
        if not followers and not is_followed_elsewhere:
            return
        news = self._news(record)
        for follower in followers:
            follower.tell(news.activation_id, news)
        if is_followed_elsewhere:
            self._tell_others(news)

    async def follow(
        self, namespace: Namespace, name: str | None, since: Since | None
    ) -> AsyncGenerator[Told, None]:
        """Yield the records of *namespace* as they end; a `Beat` first, and while there are none.

        name: of one action, `[package/]name`; None is all.
        since: what of the past comes first; None is nothing.
        Raises `TooManyStreams`; `StoreError` before it has yielded anything.
        """
        is_new = not self.followers.of(namespace)
        joined_ms, joined_s = self._clock.now_ms(), self._clock.elapsed_s()
        with self.followers.joined(namespace, lambda news: name in (None, news.listed_as)) as me:
            if is_new:
                self._has_changed.set()
            if since is not None and since.seen is not None:
                me.line.know(since.seen)
            past = await self._past(namespace, name, since) if since is not None else []
            yield Beat()
            for told in past:
                if not isinstance(told, ActivationRecord) or me.line.know(told.activation_id):
                    yield told
            del past
            look_s: float | None = joined_s + LOOK_AGAIN_S
            while True:
                if look_s is not None and self._clock.elapsed_s() >= look_s:
                    look_s = None
                    await self._look_again(namespace, name, joined_ms, me)
                found = await me.next(BATCH, self._patience_s(look_s))
                if found == "over":
                    return
                for told in await self._read(namespace, found):
                    yield told

    def close(self) -> None:
        """End every stream, because the controller stops."""
        self.followers.close()

    def _patience_s(self, look_s: float | None) -> float:
        """Return how long to wait for news, if there is something else to do at *look_s*."""
        beat_s = self._settings.heartbeat_s
        return beat_s if look_s is None else min(beat_s, look_s - self._clock.elapsed_s())

    async def _past(self, namespace: Namespace, name: str | None, since: Since) -> list[Told]:
        """Return what ended before, the oldest end first; and what of it is too much."""
        wanted = ActivationFilter(namespace=namespace, name=name, since_ms=since.started_ms)
        found = await self._activations.list(wanted, limit=MOST_PAST, skip=0)
        recent = [each for each in found if since.ended_ms is None or each.end_ms >= since.ended_ms]
        past: list[Told] = [*sorted(recent, key=lambda record: record.end_ms)]
        # Older ones may be missing; those that ended too early to be wanted are counted with them.
        if len(found) == MOST_PAST and len(recent) == MOST_PAST:
            left_out = await self._activations.count(wanted) - MOST_PAST
            past[:0] = [Missed(left_out)] if left_out > 0 else []
        return past

    async def _look_again(
        self, namespace: Namespace, name: str | None, joined_ms: int, me: Follower[News]
    ) -> None:
        """Put into the line what ended while nobody had heard of *me*. What fails is forgone."""
        since = Since(started_ms=joined_ms - LONGEST_MS, ended_ms=joined_ms)
        try:
            past = await self._past(namespace, name, since)
        except StoreError as error:
            log.warning("records_not_looked_for", namespace=namespace, why=str(error))
            return
        for told in past:
            if isinstance(told, ActivationRecord):
                me.tell(told.activation_id, self._news(told))

    async def _read(
        self, namespace: Namespace, found: list[News] | Missed | None
    ) -> Sequence[Told]:
        """Return what there is to say of what was *found* in the line."""
        if found is None:
            return (Beat(),)
        if isinstance(found, Missed):
            return (found,)
        async with asyncio.TaskGroup() as tasks:
            reading = [
                tasks.create_task(self._record(namespace, news.activation_id)) for news in found
            ]
        return [task.result() or Missed(1) for task in reading]

    async def _record(
        self, namespace: Namespace, activation_id: ActivationId
    ) -> ActivationRecord | None:
        """Return a record as soon as the store has it; None when it takes too long."""
        give_up_s = self._clock.elapsed_s() + ARRIVES_S
        while True:
            try:
                return await self._activations.get(namespace, activation_id)
            except StoreError as error:
                if self._clock.elapsed_s() >= give_up_s:
                    log.warning("record_not_read", namespace=namespace, activation=activation_id,
                                why=str(error))  # fmt: skip
                    metrics.STREAM_MISSED.inc()
                    return None
                await asyncio.sleep(PAUSE_S)

    def _news(self, record: ActivationRecord) -> News:
        return News(
            controller=self._controller,
            namespace=record.namespace,
            activation_id=record.activation_id,
            listed_as=record.listed_as,
            end_ms=record.end_ms,
        )

    async def _say(self, namespaces: tuple[Namespace, ...]) -> None:
        watch = Watch(controller=self._controller, namespaces=namespaces)
        try:
            await self._bus.send(topics.WATCHED, watch, durable=False)
        except BusUnavailable as error:
            log.warning("watch_not_said", why=str(error))

    def _tell_others(self, news: News) -> None:
        try:
            is_sent = self._bus.try_send(topics.WATCHED, news)
        except BusUnavailable:
            is_sent = False
        if not is_sent:
            metrics.STREAM_UNTOLD.inc()

    def _heard(self, message: Message) -> None:
        assert isinstance(message, Watch | News), message
        if message.controller == self._controller:
            return
        if isinstance(message, Watch):
            self._elsewhere.heard(message, self._clock.elapsed_s())
            return
        for follower in self.followers.of(message.namespace):
            follower.tell(message.activation_id, message)
