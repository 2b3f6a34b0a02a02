"""The balancer of a platform with one invoker: there is nothing to choose.

Source: OpenWhisk's `LeanBalancer.scala`.
"""

from common.bus.port import Bus
from common.ids import InvokerId
from common.message import topics
from common.message.activation import ActivationMessage


class SingleInvoker:
    """Sends everything to one invoker; its topic's bound is the limit of what may wait."""

    def __init__(self, bus: Bus, invoker: InvokerId) -> None:
        self._bus = bus
        self._topic = topics.invoker(invoker)

    async def publish(self, message: ActivationMessage, *, durable: bool) -> None:
        """Send *message* to the invoker. Raises `BusUnavailable`."""
        await self._bus.send(self._topic, message, durable=durable)

    def try_publish(self, message: ActivationMessage) -> bool:
        """Send *message* to the invoker if that takes no waiting. Raises `BusUnavailable`."""
        return self._bus.try_send(self._topic, message)
