"""What an invocation expects of a load balancer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from common.errors import BriskError
from common.message.activation import ActivationMessage
from common.message.hint import Hint


class NoCapacity(BriskError):
    """No invoker takes activations right now."""

    def __init__(self, *, limit: str = "") -> None:
        super().__init__()
        self.limit = limit


class InvokersMissing(BriskError):
    """Not all invokers take activations."""


UP: Final = "up"
"""The word of `/invokers` for an invoker that takes activations."""


def require_all_up(states: Mapping[str, str]) -> None:
    """Raise `InvokersMissing`, which names who is missing, unless all of *states* are up.

    states: by name, as `/invokers` shows them.
    """
    if not states:
        raise InvokersMissing("No invoker has been heard of.")
    missing = [f"{name} is {state}" for name, state in states.items() if state != UP]
    if missing:
        up = len(states) - len(missing)
        raise InvokersMissing(f"{up} of {len(states)} are up: {', '.join(missing)}.")


class LoadBalancer(Protocol):
    """Chooses the invoker for a message and sends it there."""

    @property
    def is_usable(self) -> bool:
        """Whether any invoker takes activations."""
        ...

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

    def foretell(self, hint: Hint) -> None:
        """Tell the invoker that would get such a message; may be lost. Raises nothing."""
        ...


def all_up(states: Callable[[], Mapping[str, str]]) -> Callable[[], Awaitable[None]]:
    """Return what asks of the invokers whether all are up, as `common.health` wants to ask."""

    async def check() -> None:
        require_all_up(states())

    return check
