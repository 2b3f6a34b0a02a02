"""What an invocation expects of a load balancer."""

from typing import Protocol

from common.errors import BriskError
from common.message.activation import ActivationMessage


class NoCapacity(BriskError):
    """No invoker takes activations right now."""


class LoadBalancer(Protocol):
    """Chooses the invoker for a message and sends it there."""

    async def publish(self, message: ActivationMessage, *, durable: bool) -> None:
        """Send *message*; with *durable*, return only when it would survive a power cut.

        Raises `BusUnavailable`, and `NoCapacity` when no invoker can take it.
        """
        ...

    def try_publish(self, message: ActivationMessage) -> bool:
        """Send *message* without `durable` if that takes no waiting; else False.

        Raises as `publish` does.
        """
        ...
