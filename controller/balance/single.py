"""The balancer of a platform with one invoker: there is nothing to choose.

Source: OpenWhisk's `LeanBalancer.scala`.
"""

import contextlib
from collections.abc import Callable

from common.bus.port import Bus, BusUnavailable
from common.ids import InvokerId
from common.message import topics
from common.message.activation import ActivationMessage
from common.message.hint import Hint
from controller.balance.port import NoCapacity


class SingleInvoker:
    """Sends everything to one invoker; its topic's bound is the limit of what may wait."""

    def __init__(self, bus: Bus, invoker: InvokerId, is_healthy: Callable[[], bool]) -> None:
        """Send to *invoker* as long as *is_healthy* says so."""
        self._bus = bus
        self._topic = topics.invoker(invoker)
        self._hints = topics.hints(invoker)
        self._is_healthy = is_healthy

    @property
    def is_usable(self) -> bool:
        """Whether it takes activations."""
        return self._is_healthy()

    async def publish(self, message: ActivationMessage, *, durable: bool) -> None:
        """Send *message* to the invoker. Raises `BusUnavailable`, `NoCapacity`."""
        self._require_health()
        await self._bus.send(self._topic, message, durable=durable)

    def try_publish(self, message: ActivationMessage) -> bool:
        """Send *message* to the invoker if that takes no waiting.

        Raises `BusUnavailable`, `NoCapacity`.
        """
        self._require_health()
        return self._bus.try_send(self._topic, message)

    def foretell(self, hint: Hint) -> None:
        """Tell the invoker of *hint*, if it is well."""
        if self._is_healthy():
            with contextlib.suppress(BusUnavailable):  # it costs somebody a cold start
                self._bus.try_send(self._hints, hint)

    def _require_health(self) -> None:
        if not self._is_healthy():
            raise NoCapacity
