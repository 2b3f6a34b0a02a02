"""The user events of a namespace, for whoever follows them at this controller.

They are heard of the bus like by anybody else, from the first moment that somebody wants them here
on: a controller at which nobody ever follows them reads none. Nothing of them is kept, so there is
nothing to go on from: who was away has missed them.
"""

import asyncio
from collections.abc import AsyncGenerator
from itertools import count
from typing import TypeAlias

from common.bus.port import Bus, Message
from common.errors import EventsNotTold
from common.ids import Namespace
from common.message import topics
from common.message.event import EventType, UserEvent
from common.settings import StreamSettings
from controller.stream.activations import Beat
from controller.stream.followers import Followers
from controller.stream.line import Missed

BATCH = 64
"""Events that are sent at a time."""

Told: TypeAlias = UserEvent | Missed | Beat


class EventStreams:
    """Owned by one controller."""

    def __init__(self, bus: Bus, settings: StreamSettings, *, are_told: bool) -> None:
        """Hear events of *bus*, if they *are_told* on this platform."""
        self.followers = Followers[UserEvent](settings)
        self._bus = bus
        self._settings = settings
        self._are_told = are_told
        self._listening = asyncio.Lock()
        self._is_listening = False
        self._numbers = count()

    async def follow(
        self, namespace: Namespace, wanted: EventType | None
    ) -> AsyncGenerator[Told, None]:
        """Yield events of *namespace* as they come; a `Beat` first, and while there are none.

        wanted: of one sort; None is both.
        Raises `EventsNotTold`, `TooManyStreams`, `BusUnavailable` before it has yielded anything.
        """
        if not self._are_told:
            raise EventsNotTold
        await self._listen()
        with self.followers.joined(
            namespace, lambda event: wanted in (None, event.event_type)
        ) as me:
            yield Beat()
            while (found := await me.next(BATCH, self._settings.heartbeat_s)) != "over":
                for told in found if isinstance(found, list) else [found or Beat()]:
                    yield told

    def close(self) -> None:
        """End every stream, because the controller stops."""
        self.followers.close()

    async def _listen(self) -> None:
        async with self._listening:
            if not self._is_listening:
                await self._bus.listen(topics.EVENTS, self._heard)
                self._is_listening = True

    def _heard(self, message: Message) -> None:
        assert isinstance(message, UserEvent), message
        followers = self.followers.of(message.namespace)
        if followers:
            name = str(next(self._numbers))
            for follower in followers:
                follower.tell(name, message)
