"""How user events leave a process: gathered, sent in batches, and never waited for.

They are telemetry. An activation adds one to a list and goes on; what the list has no room for,
because the bus is away or slow, is dropped and counted. Off, as they are unless an operator wants
them, they cost the question whether they are on.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from common import metrics
from common.bus.port import Bus, BusUnavailable, MessageTooLarge
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.log import logger
from common.message import event, topics
from common.message.event import MetricName, UserEvent
from common.settings import UserEventSettings

log = logger(__name__)

CLOSE_S: Final = 2.0
"""How long a stopping process tries to send what is left."""


class UserEvents:
    """Of one process."""

    def __init__(self, source: str, bus: Bus, clock: Clock, settings: UserEventSettings) -> None:
        """Tell in the name of *source*, `controller0` or `invoker0`."""
        self.is_on = settings.enabled
        self._source = source
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._waiting: deque[UserEvent] = deque()
        self._is_held_up = False

    def __len__(self) -> int:
        """Return how many wait to be sent."""
        return len(self._waiting)

    def activation(self, record: ActivationRecord, uuid: str) -> None:
        """Tell that an activation ended, in the namespace that *uuid* stands for."""
        if self.is_on:
            now_ms = self._clock.now_ms()
            told = event.of_activation(record, source=self._source, user_id=uuid, now_ms=now_ms)
            if told is not None:
                self._add(told)

    def metric(self, identity: Identity, name: MetricName, value: int) -> None:
        """Tell a number of a namespace."""
        if self.is_on:
            now_ms = self._clock.now_ms()
            self._add(event.of_metric(identity, name, value, source=self._source, now_ms=now_ms))

    async def serve(self) -> None:
        """Send what there is, again and again, until this is cancelled."""
        pause_s = self._settings.flush_ms / 1000
        with metrics.shown({metrics.EVENTS_PENDING: lambda: len(self._waiting)}):
            try:
                while True:
                    await asyncio.sleep(pause_s)
                    await self._flush()
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_S):
                        await self._flush()

    def _add(self, told: UserEvent) -> None:
        if len(self._waiting) < self._settings.max_waiting:
            self._waiting.append(told)
        else:
            metrics.EVENTS_DROPPED.inc()

    async def _flush(self) -> None:
        """Send until nothing is left; what the bus does not take waits for the next time."""
        while self._waiting:
            told = self._waiting[0]
            try:
                if not self._bus.try_send(topics.EVENTS, told):
                    await self._bus.send(topics.EVENTS, told, durable=False)
            except MessageTooLarge:
                metrics.EVENTS_DROPPED.inc()
            except BusUnavailable as error:
                if not self._is_held_up:
                    log.warning("events_wait", waiting=len(self._waiting), why=str(error))
                self._is_held_up = True
                return
            else:
                metrics.EVENTS_SENT.inc()
            self._waiting.popleft()
            self._is_held_up = False
