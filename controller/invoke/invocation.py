"""One request to run an action, as every way of running one takes it, and what became of it."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.ids import ActivationId, TransId
from common.tracing import Trace
from controller.invoke.resolve import Resolved


class Invocation(NamedTuple):
    """Who asks for what. That they may, and how often, has been asked before."""

    identity: Identity
    meant: Resolved
    payload: bytes | None
    """A JSON object, checked, over the action's bound parameters; a part of a composition may be
    given an array, which is passed on as it is. None is none."""
    transid: TransId
    received_ms: int
    """When the request came in; the record's `waitTime` counts from here."""
    wait_ms: int | None
    """How long the caller waits for the end; None: not at all."""
    cause: ActivationId | None = None
    """The sequence or composition that this is a part of."""
    trace: Trace | None = None
    """Whose step the activation will be; None where nobody follows it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The activation is on its way, or still running; its record can be read later."""

    activation_id: ActivationId


@dataclass(frozen=True, slots=True)
class Finished:
    """The activation ended while the caller waited."""

    record: ActivationRecord


Invoked: TypeAlias = Accepted | Finished
