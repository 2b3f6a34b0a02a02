"""All that a process tells of what ended, in its own name: user events, and spans of traces."""

import asyncio
from typing import NamedTuple

from common.bus.port import Bus
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.message.activation import ActivationMessage
from common.settings import Settings
from common.telemetry.spans import Spans, spans_of
from common.user_events import UserEvents


class Telling(NamedTuple):
    """Of one process. Neither is waited for."""

    events: UserEvents
    spans: Spans

    @classmethod
    def of(cls, source: str, bus: Bus, clock: Clock, settings: Settings) -> "Telling":
        """Return what *source* tells, `controller0` or `invoker0`. Raises `UnusableSettings`."""
        events = UserEvents(source, bus, clock, settings.user_events)
        return cls(events, spans_of(settings.tracing, clock, source))

    def activation(self, record: ActivationRecord, message: ActivationMessage) -> None:
        """Tell how what *message* ordered ended."""
        self.events.activation(record, message.uuid)
        self.spans.activation(record, message.trace, message.transid)

    async def serve(self) -> None:
        """Send what there is, again and again, until this is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.events.serve())
            tasks.create_task(self.spans.serve())
