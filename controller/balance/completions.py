"""Listens for activations that ended, and gives up on those that never will."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from common.bus.port import Bus, Message
from common.clock import Clock
from common.ids import ActivationId, ControllerId
from common.log import logger
from common.message import topics
from common.message.completion import Completion
from controller.balance.health import Ended
from controller.balance.inflight import InFlight

EXPIRY_S: Final = 5.0
"""How often lost activations are looked for; they are a minute overdue by then."""

Judge: TypeAlias = Callable[[ActivationId, Ended], None]

log = logger(__name__)


class Completions:
    """Serves the topic on which one controller hears from invokers."""

    def __init__(
        self,
        bus: Bus,
        controller: ControllerId,
        inflight: InFlight,
        clock: Clock,
        *,
        judge: Judge | None = None,
    ) -> None:
        """Listen for *controller*; *judge* is told how each activation ended, for its invoker."""
        self._judge = judge or _nobody
        self._bus = bus
        self._topic = topics.completed(controller)
        self._inflight = inflight
        self._clock = clock

    async def listen(self) -> None:
        """Hear of every activation that is sent from now on. Raises `BusUnavailable`."""
        await self._bus.listen(self._topic, self._ended)

    async def serve(self) -> None:
        """Give up on what is overdue, until this is cancelled."""
        while True:
            await asyncio.sleep(EXPIRY_S)
            for activation_id in self._inflight.expire(self._clock.elapsed_s()):
                log.error("completion_lost", activation=activation_id)
                self._judge(activation_id, Ended.UNANSWERED)

    def _ended(self, message: Message) -> None:
        assert isinstance(message, Completion), message
        ended = Ended.AT_FAULT if message.is_at_fault else Ended.WELL
        self._judge(message.activation_id, ended)
        self._inflight.complete(message.activation_id, message.record)


def _nobody(activation_id: ActivationId, ended: Ended) -> None:
    """Judge nothing: where there is one invoker, there is nobody to prefer to it."""
