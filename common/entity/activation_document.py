"""The stored document of an activation record: OpenWhisk's database form, and back.

What OpenWhisk has no place for stands in one more object, `brisk`. The result is the user's text
and passes through byte for byte, so `response` stands last in the document and `result` last in
`response`: everything before it is ours, and the first `,"response":{` in the text is never the
user's, because a quotation mark inside a log line is written with a backslash. Reading a record
therefore parses a few hundred bytes, however long its result is. A firing has no annotations, and
ends at 0: by the first it is known.

Source: OpenWhisk's `WhiskActivation` as it is kept in its database of activations.
"""

from typing import Any, Final

from common import codec
from common.entity.activation import TRIGGER, ActivationRecord, Response, Status
from common.entity.forms import parsed
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import ActivationId, Namespace, Subject

_RESPONSE: Final = b',"response":{'
_RESULT: Final = b'"result":'
_END: Final = b"}}"


class MalformedRecord(ValueError):
    """The text is not the document of an activation record."""


def encode(record: ActivationRecord) -> bytes:
    """Return the document of *record*; may hold line breaks, if the result does."""
    head: dict[str, Any] = {
        "_id": f"{record.namespace}/{record.activation_id}",
        "entityType": "activation",
        "activationId": record.activation_id,
        "namespace": record.namespace,
        "name": record.action.name,
        "version": record.version,
        "subject": record.subject,
        "publish": False,
        "start": record.start_ms,
        "end": 0 if record.is_firing else record.end_ms,
        "duration": record.duration_ms,
        "updated": record.end_ms,
        "annotations": _annotations(record),
        "logs": record.logs,
        "brisk": {"billed_ms": record.billed_ms, "memory_mb": record.memory_mb},
    }
    if record.cause is not None:
        head["cause"] = record.cause
    response = record.response
    size = b"" if response.size is None else b'"size":%d,' % response.size
    code = b'"statusCode":%d,' % response.status
    return b"".join(
        (codec.encode(head)[:-1], _RESPONSE, code, size, _RESULT, response.result, _END)
    )


def decode(document: bytes) -> ActivationRecord:
    """Return the record of a *document* that `encode` wrote. Raises `MalformedRecord`."""
    try:
        head, response = _split(document)
        return _record(head, response)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedRecord(f"This is no activation record: {error!r}") from error


def _annotations(record: ActivationRecord) -> list[dict[str, Any]]:
    if record.is_firing:
        return []
    pairs: list[dict[str, Any]] = [
        {"key": "path", "value": record.action.doc_id},
        {"key": "kind", "value": record.kind},
    ]
    if record.limits is not None:
        pairs.append({"key": "limits", "value": record.limits.to_wire()})
    pairs.append({"key": "waitTime", "value": record.wait_ms})
    if record.init_ms is not None:
        pairs.append({"key": "initTime", "value": record.init_ms})
    if record.is_composite:
        pairs += composite_annotations(record)
    else:
        pairs.append({"key": "timeout", "value": record.timed_out})
    if record.cause is not None:
        pairs.append({"key": "causedBy", "value": "sequence"})
    if record.binding is not None:
        pairs.append({"key": "binding", "value": record.binding.doc_id})
    return pairs


def composite_annotations(record: ActivationRecord) -> list[dict[str, Any]]:
    """Return what the record of a sequence or a composition has, and no other."""
    topmost = {"key": "topmost", "value": record.cause is None}
    if not record.is_conductor:
        return [topmost]
    return [topmost, {"key": "conductor", "value": True}]


def _split(document: bytes) -> tuple[dict[str, Any], Response]:
    before, found, tail = document.partition(_RESPONSE)
    status, marked, result = tail.partition(_RESULT)
    if not (found and marked and result.endswith(_END)):
        raise MalformedRecord("it has no response at its end")
    fields = codec.decode(b"{" + status.rstrip(b",") + b"}")
    response = Response(
        status=Status(fields["statusCode"]),
        result=result[: -len(_END)],
        size=fields.get("size"),
    )
    return codec.decode(before + b"}"), response


def _record(head: dict[str, Any], response: Response) -> ActivationRecord:
    annotations = {pair["key"]: pair["value"] for pair in head["annotations"]}
    if not annotations:
        return _firing(head, response)
    cause = head.get("cause")
    return ActivationRecord(
        activation_id=ActivationId(head["activationId"]),
        namespace=Namespace(head["namespace"]),
        subject=Subject(head["subject"]),
        action=parsed(annotations["path"]),
        version=head["version"],
        kind=annotations["kind"],
        limits=_limits(annotations.get("limits")),
        start_ms=head["start"],
        end_ms=head["end"],
        duration_ms=head["duration"],
        wait_ms=annotations["waitTime"],
        init_ms=annotations.get("initTime"),
        timed_out=annotations.get("timeout", False),
        response=response,
        logs=tuple(head["logs"]),
        billed_ms=head["brisk"]["billed_ms"],
        memory_mb=head["brisk"]["memory_mb"],
        cause=None if cause is None else ActivationId(cause),
        binding=parsed(annotations["binding"]) if "binding" in annotations else None,
        is_conductor=annotations.get("conductor", False),
    )


def _firing(head: dict[str, Any], response: Response) -> ActivationRecord:
    namespace = Namespace(head["namespace"])
    return ActivationRecord(
        activation_id=ActivationId(head["activationId"]),
        namespace=namespace,
        subject=Subject(head["subject"]),
        action=QualifiedName(namespace, None, head["name"]),
        version=head["version"],
        kind=TRIGGER,
        limits=None,
        start_ms=head["start"],
        end_ms=head["updated"],
        duration_ms=head["duration"],
        wait_ms=0,
        init_ms=None,
        timed_out=False,
        response=response,
        logs=tuple(head["logs"]),
        billed_ms=head["brisk"]["billed_ms"],
        memory_mb=head["brisk"]["memory_mb"],
    )


def _limits(wire: dict[str, int] | None) -> Limits | None:
    if wire is None:
        return None
    return Limits(
        timeout_ms=wire["timeout"],
        memory_mb=wire["memory"],
        logs_mb=wire["logs"],
        concurrency=wire["concurrency"],
        instances=wire.get("instances"),
    )
