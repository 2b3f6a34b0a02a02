"""Which actions are made of others, and the record of one. Values in, value out.

The parts are billed, each by its own record; the whole costs nothing on top. Source: OpenWhisk's
`SequenceActions.scala`, `makeSequenceActivation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from common.codec import encode
from common.entity.action import SEQUENCE, Action
from common.entity.activation import ActivationRecord, Response, Status
from common.entity.limits import Limits
from common.ids import ActivationId
from common.message.activation import ActivationMessage

CONDUCTOR: Final = "conductor"
INTERRUPTED: Final = (
    "The platform stopped while this activation was running. It is not run a second time."
)
REMOVED: Final = "Action could not be found or may have been deleted."
NOT_FETCHED: Final = "Action could not be fetched."


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was invoked. Without *limits* nothing is known of it but its id."""

    activation_id: ActivationId
    duration_ms: int = 0
    limits: Limits | None = None


def is_conductor(action: Action) -> bool:
    """Tell whether *action* conducts a composition: its annotation says so, and it is code."""
    value = action.annotations.get(CONDUCTOR, False)
    is_marked = True if isinstance(value, list | dict) else bool(value)
    return is_marked and action.exec.kind != SEQUENCE


def is_composite(action: Action) -> bool:
    """Tell whether invoking *action* means that the controller invokes others."""
    return action.exec.kind == SEQUENCE or is_conductor(action)


def record(
    message: ActivationMessage,
    response: Response,
    parts: Sequence[Part] = (),
    *,
    limits: Limits | None = None,
    start_ms: int,
    end_ms: int,
) -> ActivationRecord:
    """Return the record of a composite that has ended.

    limits: of its action; shown with the most memory that a part had, if any is known.
    """
    memory_mb = max((part.limits.memory_mb for part in parts if part.limits), default=0)
    shown = replace(limits, memory_mb=memory_mb, concurrency=1) if limits and memory_mb else None
    return ActivationRecord(
        activation_id=message.activation_id,
        namespace=message.namespace,
        subject=message.subject,
        action=message.action,
        version=message.version,
        kind=SEQUENCE,
        limits=shown,
        start_ms=start_ms,
        end_ms=end_ms,
        duration_ms=sum(part.duration_ms for part in parts),
        wait_ms=max(0, start_ms - message.received_ms),
        init_ms=None,
        timed_out=False,
        response=response,
        logs=tuple(part.activation_id for part in parts),
        billed_ms=0,
        memory_mb=memory_mb,
        cause=message.cause,
        binding=message.binding,
        is_conductor=message.kind != SEQUENCE,
    )


def kept(ended: ActivationRecord, *, stores: bool) -> ActivationRecord:
    """Return what the store is given of a record, as an invoker does with those of its own.

    stores: False leaves how it ended and when, without its result and without its parts.
    """
    if stores:
        return ended
    response = Response(status=ended.response.status, result=b"{}")
    return replace(ended, response=response, logs=())


def interrupted() -> Response:
    """Return how a composite ends that was under way when the platform stopped."""
    return Response(status=Status.WHISK_ERROR, result=encode({"error": INTERRUPTED}))


def unread(*, gone: bool) -> Response:
    """Return how a composite ends whose action cannot be read when its turn has come.

    gone: it was deleted meanwhile.
    """
    status, text = (
        (Status.APPLICATION_ERROR, REMOVED) if gone else (Status.WHISK_ERROR, NOT_FETCHED)
    )
    return Response(status=status, result=encode({"error": text}))
