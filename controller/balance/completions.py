"""Listens for activations that ended, and gives up on those that never will."""

import asyncio
from typing import Final

from common.bus.port import Bus, Message
from common.clock import Clock
from common.ids import ControllerId
from common.log import logger
from common.message import topics
from common.message.completion import Completion
from controller.balance.inflight import InFlight

EXPIRY_S: Final = 5.0
"""How often lost activations are looked for; they are a minute overdue by then."""

log = logger(__name__)


class Completions:
    """Serves the topic on which one controller hears from invokers."""

    def __init__(
        self, bus: Bus, controller: ControllerId, inflight: InFlight, clock: Clock
    ) -> None:
        self._bus = bus
        self._topic = topics.completed(controller)
        self._inflight = inflight
        self._clock = clock

    async def serve(self) -> None:
        """Listen until this is cancelled."""
        self._bus.listen(self._topic, self._ended)
        while True:
            await asyncio.sleep(EXPIRY_S)
            for activation_id in self._inflight.expire(self._clock.elapsed_s()):
                log.error("completion_lost", activation=activation_id)

    def _ended(self, message: Message) -> None:
        assert isinstance(message, Completion), message
        self._inflight.complete(message.activation_id, message.record)
