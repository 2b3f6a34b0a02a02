"""The answer to an activation message: from an invoker back to the controller that waits."""

from dataclasses import dataclass

from common.entity.activation import ActivationRecord
from common.ids import ActivationId, InvokerId, TransId


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An activation has ended, its sandbox is free, its record is on its way to the store."""

    activation_id: ActivationId
    transid: TransId
    invoker: InvokerId
    record: ActivationRecord
    is_at_fault: bool = False
    """The invoker itself is to blame that it ended badly: neither the code nor the store is."""
