"""What a traced step was, as tools for traces want it told: a span. Pure.

A span is made of what is known when the step has ended, a record or an answer; nothing is begun and
kept open for it. Its id is the step that the trace context told everybody meanwhile, so what code
and other services sent to a collector themselves hangs below it. It says what ran and how it
ended: neither arguments, results, logs nor addresses, which may hold secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from common.entity.activation import ActivationRecord, Status
from common.ids import TransId
from common.tracing import Trace, step_of

Value: TypeAlias = str | int | bool

_SERVER_ERRORS: Final = 500
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_OTHER: Final = "_OTHER"
"""What stands for a method that a client made up. Source: OpenTelemetry's conventions for HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One step of a trace, which has ended. All times are Unix milliseconds."""

    trace_id: str
    step: str
    parent: str | None
    """The step that this one is below; None where the trace begins."""
    state: str
    """What came in `tracestate`."""
    name: str
    is_edge: bool
    """A request that came in; otherwise an activation."""
    start_ms: int
    end_ms: int
    failed: str | None
    """In which way it ended badly; None when it did not."""
    attributes: Mapping[str, Value]
    events: tuple[tuple[str, int], ...] = ()
    """What happened meanwhile, and when."""


def of_activation(record: ActivationRecord, trace: Trace, transid: TransId) -> Span | None:
    """Return the span of an activation that ended; None where *trace* is not to be recorded.

    It begins when it was accepted, and says when its sandbox began with it and its code was loaded.
    """
    if not trace.is_sampled:
        return None
    status = record.response.status
    begun = () if record.is_firing else (("begun", record.start_ms),)
    return Span(
        trace_id=trace.trace_id,
        step=step_of(record.activation_id),
        parent=trace.step,
        state=trace.state,
        name=record.listed_as,
        is_edge=False,
        start_ms=record.start_ms - record.wait_ms,
        end_ms=max(record.start_ms, record.end_ms),
        failed=None if status is Status.SUCCESS else status.text,
        attributes=_told_of(record, transid),
        events=begun
        if record.init_ms is None
        else (*begun, ("loaded", record.start_ms + record.init_ms)),
    )


def of_request(
    trace: Trace,
    *,
    parent: str | None,
    method: str,
    route: str,
    status: int,
    transid: TransId,
    start_ms: int,
    end_ms: int,
) -> Span | None:
    """Return the span of a request that was answered; None where *trace* is not to be recorded.

    trace: at the step that this controller was.
    parent: the client's step; None where the trace began here.
    route: what it asked for, as requests are counted.
    """
    if not trace.is_sampled:
        return None
    method = method if method in _METHODS else _OTHER
    return Span(
        trace_id=trace.trace_id,
        step=trace.step,
        parent=parent,
        state=trace.state,
        name=f"{method} {route}",
        is_edge=True,
        start_ms=start_ms,
        end_ms=max(start_ms, end_ms),
        failed=f"HTTP {status}" if status >= _SERVER_ERRORS else None,
        attributes={
            "http.request.method": method,
            "http.response.status_code": status,
            "brisk.route": route,
            "brisk.transid": transid,
        },
    )


def _told_of(record: ActivationRecord, transid: TransId) -> dict[str, Value]:
    told: dict[str, Value] = {
        "faas.name": record.action.doc_id,
        "faas.version": record.version,
        "faas.invocation_id": record.activation_id,
        "brisk.namespace": record.namespace,
        "brisk.kind": record.kind,
        "brisk.status": record.response.status.text,
        "brisk.transid": transid,
        "brisk.wait_ms": record.wait_ms,
        "brisk.billed_ms": record.billed_ms,
        "brisk.memory_mb": record.memory_mb,
    }
    if not record.is_composite and not record.is_firing:
        told["faas.coldstart"] = record.init_ms is not None
    if record.init_ms is not None:
        told["brisk.init_ms"] = record.init_ms
    if record.cause is not None:
        told["brisk.cause"] = record.cause
    return told
