"""Names of topics from ids. Source: OpenWhisk's topics, so that operators find what they know."""

from typing import Final, NewType

from common.ids import ControllerId, InvokerId

Topic = NewType("Topic", str)

HEALTH: Final = Topic("health")
CACHE_INVALIDATION: Final = Topic("cacheInvalidation")
EVENTS: Final = Topic("events")
WATCHED: Final = Topic("watched")
"""Which namespaces are followed at which controller, and what has ended in those."""
POISON: Final = Topic("poison")
"""Messages of any topic that could not be read."""


def invoker(invoker_id: InvokerId) -> Topic:
    """Return where *invoker_id* takes its activations from."""
    return Topic(f"invoker{invoker_id}")


def compositions(controller_id: ControllerId) -> Topic:
    """Return where *controller_id* notes sequences and compositions that it carries out."""
    return Topic(f"composition{controller_id}")


def carries_orders(topic: Topic) -> bool:
    """Tell whether what is in *topic* has to be done by somebody: it is no news."""
    return topic.startswith(("invoker", "composition"))


def hints(invoker_id: InvokerId) -> Topic:
    """Return where *invoker_id* hears what it may soon be asked to run."""
    return Topic(f"hint{invoker_id}")


def completed(controller_id: ControllerId) -> Topic:
    """Return where *controller_id* hears of activations that ended."""
    return Topic(f"completed{controller_id}")
