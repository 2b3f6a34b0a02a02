"""Who asks."""

from dataclasses import dataclass

from common.entity.namespace_limits import NONE, NamespaceLimits
from common.ids import Namespace, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A subject in one of its namespaces, known by the key `uuid:key`.

    api_key: never shown in a log or a repr.
    """

    subject: Subject
    namespace: Namespace
    uuid: str
    """Of the namespace's key; throttles count by it."""
    invocations_per_minute: int
    firings_per_minute: int
    concurrent_invocations: int
    own: NamespaceLimits = NONE
    """What the namespace has of its own, beside these three."""
