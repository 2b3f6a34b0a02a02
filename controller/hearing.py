"""How a controller hears of ends, and who is told of them: what both roots put together alike."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from common import metrics
from common.bus.port import Bus
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.ids import ControllerId
from common.service import serving
from common.settings import Settings
from common.store.port import ActivationStore
from common.telemetry.telling import Telling
from common.user_events import UserEvents
from controller.balance.completions import Completions, Judge
from controller.balance.inflight import InFlight
from controller.invoke.own_records import OwnRecords, Tell
from controller.stream.activations import ActivationStreams
from controller.stream.user_events import EventStreams


@dataclass(frozen=True, slots=True)
class Hearing:
    """Of one controller."""

    completions: Completions
    """Hears of what invokers ran."""
    own_records: OwnRecords
    """Hears of what the controller records itself."""
    streams: ActivationStreams
    """Is told of both."""
    telling: Telling
    """What this controller tells of both, of limits, and of requests that are traced."""
    event_streams: EventStreams
    """Who follows what all processes tell."""

    @classmethod
    def of(
        cls,
        controller: ControllerId,
        *,
        bus: Bus,
        activations: ActivationStore,
        inflight: InFlight,
        clock: Clock,
        settings: Settings,
        also: Tell,
        judge: Judge | None = None,
    ) -> "Hearing":
        """Return how *controller* hears; *judge* as in `Completions`.

        also: told of each record, beside those who follow activations.
        """
        telling = Telling.of(f"controller{controller}", bus, clock, settings)
        streams = ActivationStreams(
            controller, bus=bus, activations=activations, clock=clock, settings=settings.stream
        )

        def ended(record: ActivationRecord) -> None:
            streams.ended(record)
            also(record)

        completions = Completions(
            bus, controller, inflight, activations, clock, judge=judge, tell=ended
        )
        return cls(
            completions,
            OwnRecords(activations, ended, telling),
            streams,
            telling,
            EventStreams(bus, settings.stream, are_told=settings.user_events.enabled),
        )

    @property
    def events(self) -> UserEvents:
        """Return what this controller tells a namespace's own tools."""
        return self.telling.events

    @property
    def listens(self) -> list[Callable[[], Awaitable[None]]]:
        """What has to be called once before anything is heard. Each raises `BusUnavailable`."""
        return [self.completions.listen, self.streams.listen]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Hearing"]:
        """Hear while inside, where the bus is there already."""
        for listen in self.listens:
            await listen()
        async with self.served():
            yield self

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Do what is to be done beside hearing, while inside."""
        with metrics.shown(
            {
                metrics.STREAMS: lambda: (
                    len(self.streams.followers) + len(self.event_streams.followers)
                ),
                metrics.STREAM_WAITING: lambda: (
                    self.streams.followers.waiting + self.event_streams.followers.waiting
                ),
            }
        ):
            async with (
                serving(self.completions.serve()),
                serving(self.streams.serve()),
                serving(self.telling.serve()),
            ):
                yield
