"""Names of topics from ids. Source: OpenWhisk's topics, so that operators find what they know."""

from typing import Final, NewType

from common.ids import ControllerId, InvokerId

Topic = NewType("Topic", str)

HEALTH: Final = Topic("health")
CACHE_INVALIDATION: Final = Topic("cacheInvalidation")
EVENTS: Final = Topic("events")
POISON: Final = Topic("poison")
"""Messages of any topic that could not be read."""


def invoker(invoker_id: InvokerId) -> Topic:
    """Return where *invoker_id* takes its activations from."""
    return Topic(f"invoker{invoker_id}")


def is_invoker(topic: Topic) -> bool:
    """Tell whether *topic* carries orders to an invoker."""
    return topic.startswith("invoker")


def completed(controller_id: ControllerId) -> Topic:
    """Return where *controller_id* hears of activations that ended."""
    return Topic(f"completed{controller_id}")
