"""The activations that are on their way or running, and who waits for which.

An entry is made before the message is sent and ends with its completion, or when the time is over
in which one could still come: then the slot is given back and whoever waits is told to look for the
record. Source: OpenWhisk's `CommonLoadBalancer.scala`, forced completion.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from common.entity.activation import ActivationRecord
from common.ids import ActivationId, Namespace

GRACE_S: Final = 60.0
"""Beyond twice the time limit (load and run): for waiting, starting and writing."""


OnEnd: TypeAlias = Callable[[ActivationRecord | None], None]
"""Told the record; None when it has to be looked for in the store. Neither waits nor raises."""


@dataclass(frozen=True, slots=True)
class _Entry:
    namespace: Namespace
    on_end: OnEnd
    ends_by_s: float


class InFlight:
    """Owned by one controller. O(1) for each activation."""

    def __init__(self) -> None:
        self._entries: dict[ActivationId, _Entry] = {}
        self._counts: Counter[Namespace] = Counter()

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._entries)

    def count(self, namespace: Namespace) -> int:
        """Return how many of *namespace* are under way."""
        return self._counts[namespace]

    def add(
        self, activation_id: ActivationId, namespace: Namespace, *, ends_by_s: float, on_end: OnEnd
    ) -> None:
        """Enter an activation; *on_end* is called once when it ends.

        ends_by_s: monotonic time after which no completion is to be expected any more.
        """
        self._entries[activation_id] = _Entry(namespace, on_end, ends_by_s)
        self._counts[namespace] += 1

    def expire(self, now_s: float) -> list[ActivationId]:
        """End what should have ended by *now_s*, and return it."""
        expired = [key for key, entry in self._entries.items() if entry.ends_by_s <= now_s]
        for activation_id in expired:
            self.complete(activation_id, None)
        return expired

    def complete(self, activation_id: ActivationId, record: ActivationRecord | None) -> bool:
        """End an activation and tell who waits; False when it was not (or no longer) known."""
        entry = self._removed(activation_id)
        if entry is None:
            return False
        entry.on_end(record)
        return True

    def let_go(self, activation_id: ActivationId) -> None:
        """Tell who waits to look for the record later; the activation stays under way."""
        entry = self._entries.get(activation_id)
        if entry is not None and entry.on_end is not _nobody:
            self._entries[activation_id] = replace(entry, on_end=_nobody)
            entry.on_end(None)

    def forget(self, activation_id: ActivationId) -> None:
        """Take out an activation that was not sent after all; nobody is told."""
        self._removed(activation_id)

    def _removed(self, activation_id: ActivationId) -> _Entry | None:
        entry = self._entries.pop(activation_id, None)
        if entry is not None:
            self._counts[entry.namespace] -= 1
            if not self._counts[entry.namespace]:
                del self._counts[entry.namespace]
        return entry


def _nobody(record: ActivationRecord | None) -> None:
    """Tell nobody: who waited has been told."""
