"""How one request becomes one activation of a primitive action, and who waits for its end."""

from dataclasses import dataclass

from common.entity.activation import ActivationRecord
from common.ids import ActivationId


@dataclass(frozen=True, slots=True)
class Accepted:
    """The activation is on its way, or still running; its record can be read later."""

    activation_id: ActivationId


@dataclass(frozen=True, slots=True)
class Finished:
    """The activation ended while the caller waited."""

    record: ActivationRecord
