"""An activation record as clients read it: whole, its response alone, or a line of a list. Pure.

The result passes through as the text it is. `statusCode` is shown in lists and nowhere else.
Source: OpenWhisk's `WhiskActivation.toExtendedJson` and the view of its lists.
"""

from collections.abc import Sequence
from typing import Any

from common import codec
from common.entity.activation import ActivationRecord
from common.entity.activation_document import composite_annotations


def whole(record: ActivationRecord, *, logs: Sequence[str]) -> dict[str, Any]:
    """Return the document of *record*, for `codec.encode`.

    logs: of the record; none in the answer to a blocking call, which does not wait for them.
    """
    document: dict[str, Any] = {
        "activationId": record.activation_id,
        "namespace": record.namespace,
        "name": record.action.name,
        "version": record.version,
        "subject": record.subject,
        "start": record.start_ms,
        "publish": False,
        "annotations": annotations(record),
        "logs": logs,
        "response": response(record),
    }
    if not record.is_firing:
        document |= {"end": record.end_ms, "duration": record.duration_ms}
    if record.cause is not None:
        document["cause"] = record.cause
    return document


def response(record: ActivationRecord) -> dict[str, Any]:
    """Return the object `response`, for `codec.encode`."""
    status = record.response.status
    document: dict[str, Any] = {
        "result": codec.Raw(record.response.result),
        "status": status.text,
        "success": status == 0,
    }
    if record.response.size is not None:
        document["size"] = record.response.size
    return document


def list_item(record: ActivationRecord) -> dict[str, Any]:
    """Return a line of a list. Its duration is from start to end, not what was billed."""
    item: dict[str, Any] = {
        "activationId": record.activation_id,
        "namespace": record.namespace,
        "name": record.action.name,
        "version": record.version,
        "start": record.start_ms,
        "publish": False,
        "annotations": annotations(record),
    }
    if not record.is_firing:
        item |= {
            "end": record.end_ms,
            "duration": record.end_ms - record.start_ms,
            "statusCode": int(record.response.status),
        }
    if record.cause is not None:
        item["cause"] = record.cause
    return item


def annotations(record: ActivationRecord) -> list[dict[str, Any]]:
    """Return what the platform noted: of a firing nothing; `initTime` after a cold start only."""
    if record.is_firing:
        return []
    noted: list[dict[str, Any]] = [
        {"key": "path", "value": record.action.doc_id},
        {"key": "kind", "value": record.kind},
        {"key": "waitTime", "value": record.wait_ms},
    ]
    if record.is_composite:
        noted += composite_annotations(record)
    else:
        noted.append({"key": "timeout", "value": record.timed_out})
    if record.limits is not None:
        noted.append({"key": "limits", "value": record.limits.to_wire()})
    if record.init_ms is not None:
        noted.append({"key": "initTime", "value": record.init_ms})
    if record.cause is not None:
        noted.append({"key": "causedBy", "value": "sequence"})
    if record.binding is not None:
        noted.append({"key": "binding", "value": record.binding.doc_id})
    return noted
