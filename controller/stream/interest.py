"""Which namespaces are followed at other controllers. Pure: moments come in as values.

A controller says all that is followed there every few seconds. What it does not say again for a
while is not followed any more, or it is gone: nobody is told what nobody reads.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from common.ids import ControllerId, Namespace
from common.message.watching import Watch

SAID_EVERY_S: Final = 5.0
HOLDS_S: Final = 3 * SAID_EVERY_S


class _Said(NamedTuple):
    namespaces: frozenset[Namespace]
    until_s: float


class Interest:
    """What others have said. All moments are monotonic seconds."""

    def __init__(self) -> None:
        self._said: Mapping[ControllerId, _Said] = {}

    def __bool__(self) -> bool:
        """Whether anybody has said anything lately; what is out of date may still count."""
        return bool(self._said)

    def heard(self, watch: Watch, now_s: float) -> None:
        """Take note of what a controller says; it is all that is followed there."""
        rest = {
            controller: said
            for controller, said in self._said.items()
            if controller != watch.controller and said.until_s > now_s
        }
        if watch.namespaces:
            rest[watch.controller] = _Said(frozenset(watch.namespaces), now_s + HOLDS_S)
        self._said = rest

    def has(self, namespace: Namespace, now_s: float) -> bool:
        """Tell whether *namespace* is followed at any of them."""
        return any(
            namespace in said.namespaces and said.until_s > now_s for said in self._said.values()
        )
