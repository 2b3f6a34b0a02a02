"""How an execution becomes the record of an activation. Values in, value out."""

from dataclasses import replace
from typing import Final, NamedTuple

from common.billing.usage import billed_ms, whole_ms
from common.entity.action import Action
from common.entity.activation import ActivationRecord, Response, Status
from common.message.activation import ActivationMessage

UNKNOWN_KIND: Final = "unknown"
"""The kind in the record of an action that could not be read. Source: OpenWhisk."""
NOT_STORED: Final = b"{}"
"""The result in the record of a namespace that stores none."""


class Execution(NamedTuple):
    """What happened in the sandbox.

    start_ms: Unix time when the code began to load, or to run on a warm start.
    init_ns: how long loading took; None on a warm start. run_ns: 0 when it never ran.
    """

    start_ms: int
    init_ns: int | None
    run_ns: int
    timed_out: bool
    response: Response
    logs: tuple[str, ...]


def of_execution(
    message: ActivationMessage, execution: Execution, *, action: Action
) -> ActivationRecord:
    """Return the record of an activation whose code was at least begun to be loaded."""
    init_ns = execution.init_ns or 0
    duration_ms = whole_ms(init_ns + execution.run_ns)
    return ActivationRecord(
        activation_id=message.activation_id,
        namespace=message.namespace,
        subject=message.subject,
        action=message.action,
        version=action.version,
        kind=action.exec.kind,
        limits=action.limits,
        start_ms=execution.start_ms,
        end_ms=execution.start_ms + duration_ms,
        duration_ms=duration_ms,
        wait_ms=max(0, execution.start_ms - message.received_ms),
        init_ms=None if execution.init_ns is None else whole_ms(init_ns),
        timed_out=execution.timed_out,
        response=execution.response,
        logs=execution.logs,
        billed_ms=billed_ms(
            init_ns=init_ns, run_ns=execution.run_ns, status=execution.response.status
        ),
        memory_mb=action.limits.memory_mb,
        cause=message.cause,
        binding=message.binding,
    )


def kept(ended: ActivationRecord, *, stores: bool) -> ActivationRecord:
    """Return what the store is given of a record.

    stores: False leaves what is billed, how it ended and when; not what it answered or printed.
    """
    if stores:
        return ended
    response = Response(status=ended.response.status, result=NOT_STORED)
    return replace(ended, response=response, logs=())


def of_failure(
    message: ActivationMessage,
    response: Response,
    *,
    now_ms: int,
    action: Action | None = None,
) -> ActivationRecord:
    """Return the record of an activation whose code was never reached. It costs nothing.

    action: None when it could not be read.
    """
    assert response.status is not Status.SUCCESS, "nothing succeeds without running"
    return ActivationRecord(
        activation_id=message.activation_id,
        namespace=message.namespace,
        subject=message.subject,
        action=message.action,
        version=action.version if action else message.version,
        kind=action.exec.kind if action else UNKNOWN_KIND,
        limits=action.limits if action else None,
        start_ms=now_ms,
        end_ms=now_ms,
        duration_ms=0,
        wait_ms=max(0, now_ms - message.received_ms),
        init_ms=None,
        timed_out=False,
        response=response,
        logs=(),
        billed_ms=0,
        memory_mb=action.limits.memory_mb if action else 0,
        cause=message.cause,
        binding=message.binding,
    )
