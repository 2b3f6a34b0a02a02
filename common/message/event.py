"""User events: what a namespace's own tools are told of its activations and of its limits.

In OpenWhisk's schema, field for field, because consumers of it are there. Source: OpenWhisk's
`Message.scala` (`EventMessage`, `Activation`, `Metric`) and its docs/metrics.md; where the two
differ, what was recorded of a running one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from common import codec
from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.ids import Namespace, Subject

EventType: TypeAlias = Literal["Activation", "Metric"]
MetricName: TypeAlias = Literal["ConcurrentInvocations", "ConcurrentRateLimit", "TimedRateLimit"]
"""How many are under way, counted when one more is let in; 1 for each call that a limit refused."""

_STATUS_CODE: Final = "statusCode"
_UNREADABLE: Final = 400
"""The status of a result whose `statusCode` is no number."""
_INT32: Final = range(-(1 << 31), 1 << 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvent:
    """One event."""

    source: str
    """Who tells: `controller0`, `invoker0`."""
    namespace: Namespace
    """Who invoked, not who owns the action."""
    subject: Subject
    user_id: str
    """The uuid of the namespace."""
    event_type: EventType
    body: Mapping[str, Any]
    timestamp_ms: int

    def to_wire(self) -> dict[str, Any]:
        """Return the event as everybody reads it; *body* stands first, where `decode` looks."""
        return {
            "body": self.body,
            "eventType": self.event_type,
            "namespace": self.namespace,
            "source": self.source,
            "subject": self.subject,
            "timestamp": self.timestamp_ms,
            "userId": self.user_id,
        }


def of_wire(fields: Mapping[str, Any]) -> UserEvent:
    """Return the event that `to_wire` made. Raises `KeyError`."""
    return UserEvent(
        source=fields["source"],
        namespace=Namespace(fields["namespace"]),
        subject=Subject(fields["subject"]),
        user_id=fields["userId"],
        event_type=fields["eventType"],
        body=fields["body"],
        timestamp_ms=fields["timestamp"],
    )


def of_activation(
    record: ActivationRecord, *, source: str, user_id: str, now_ms: int
) -> UserEvent | None:
    """Return what is told of an activation that ended; None for a firing, which ran nothing."""
    if record.is_firing:
        return None
    body: dict[str, Any] = {
        "activationId": record.activation_id,
        "conductor": record.is_conductor,
        "duration": record.duration_ms,
        "initTime": record.init_ms or 0,
        "kind": record.kind,
        "memory": record.limits.memory_mb if record.limits else 0,
        "name": record.action.doc_id,
        "statusCode": int(record.response.status),
        "waitTime": record.wait_ms,
    }
    if record.cause is not None:
        body["causedBy"] = "sequence"
    if record.response.size is not None:
        body["size"] = record.response.size
    status = _own_status(record.response.result)
    if status is not None:
        body["userDefinedStatusCode"] = status
    return UserEvent(
        source=source,
        namespace=record.namespace,
        subject=record.subject,
        user_id=user_id,
        event_type="Activation",
        body=body,
        timestamp_ms=now_ms,
    )


def of_metric(
    identity: Identity, name: MetricName, value: int, *, source: str, now_ms: int
) -> UserEvent:
    """Return what is told of a number."""
    return UserEvent(
        source=source,
        namespace=identity.namespace,
        subject=identity.subject,
        user_id=identity.uuid,
        event_type="Metric",
        body={"metricName": name, "metricValue": value},
        timestamp_ms=now_ms,
    )


def _own_status(result: bytes) -> int | None:
    """Return the `statusCode` that the code itself answered, in its error or beside it."""
    if b'"statusCode"' not in result:
        return None  # as a rule; then nobody decodes the user's result
    value = codec.decode(result)
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if isinstance(error, dict) and _STATUS_CODE in error:
        return _as_status(error[_STATUS_CODE])
    return _as_status(value[_STATUS_CODE]) if _STATUS_CODE in value else None


def _as_status(value: Any) -> int:
    try:
        number = _UNREADABLE if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return _UNREADABLE
    return number if number in _INT32 else _UNREADABLE
