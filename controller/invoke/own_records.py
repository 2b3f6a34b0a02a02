"""The records that a controller makes itself: kept, and told to whoever wants to hear of them.

Of what an invoker ran the controller hears over the bus. Of a sequence, a composition or a firing
it is the controller that knows the end.
"""

from collections.abc import Callable
from typing import TypeAlias

from common.entity.activation import ActivationRecord
from common.ids import ActivationId, Namespace, TransId
from common.message.activation import ActivationMessage
from common.store.port import ActivationStore
from common.telemetry.telling import Telling
from common.tracing import Trace
from controller.invoke.composite import kept

Tell: TypeAlias = Callable[[ActivationRecord], None]
"""Neither waits nor raises."""


class OwnRecords:
    """Of one controller."""

    def __init__(self, activations: ActivationStore, tell: Tell, telling: Telling) -> None:
        """Keep records with *activations*; *tell* hears of each that is kept."""
        self.telling = telling
        self._activations = activations
        self._tell = tell

    def put(self, record: ActivationRecord) -> None:
        """Keep *record*; it survives `kill -9`. Raises `StoreUnavailable`."""
        self._activations.put(record)
        self._tell(record)

    def put_composite(self, record: ActivationRecord, message: ActivationMessage) -> None:
        """Keep what is to be kept of the *record* of what *message* ordered. Raises as `put`."""
        self.put(kept(record, stores=message.stores))
        self.telling.activation(record, message)

    def put_firing(self, record: ActivationRecord, trace: Trace | None, transid: TransId) -> None:
        """Keep the *record* of the firing of a trigger. Raises as `put`."""
        self.put(record)
        self.telling.spans.activation(record, trace, transid)

    async def sync(self) -> None:
        """Return when every record that was put would survive a power cut."""
        await self._activations.sync()

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        """Return one record, of whomever. Raises `Missing`, `StoreError`."""
        return await self._activations.get(namespace, activation_id)
