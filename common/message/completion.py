"""The answer to an activation message: from an invoker back to the controller that waits."""

from dataclasses import dataclass

from common.entity.activation import ActivationRecord
from common.ids import ActivationId, InvokerId, TransId


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An activation has ended, its sandbox is free, its record is on its way to the store.

    result_is_apart: the result is too large for the bus, and that of *record* is no result. The
        record in the store, which has arrived there as a rule, has it.
    """

    activation_id: ActivationId
    transid: TransId
    invoker: InvokerId
    record: ActivationRecord
    """Without its logs: no answer shows them, and the store has them."""
    is_at_fault: bool = False
    """The invoker itself is to blame that it ended badly: neither the code nor the store is."""
    result_is_apart: bool = False

    @property
    def names(self) -> dict[str, str]:
        """Return what every line of the log says of it."""
        return {
            "transid": self.transid,
            "namespace": self.record.namespace,
            "activation": self.activation_id,
        }
