"""An action as a document: as it is stored, as a client reads it whole, and as a line of a list.

The stored form is OpenWhisk's, with two additions: `entityType`, and `exec.codeRef` for code that
lives in the blob store. The form of lists is a projection of the stored one, so that a list decodes
no action.
"""

from collections.abc import Mapping
from typing import Any, Final

from common.entity.action import SEQUENCE, Action, BlobRef, Exec, Json
from common.entity.forms import (
    annotations_shown,
    parameters_shown,
    stored_annotations,
    stored_name,
    stored_parameters,
)
from common.entity.limits import Limits
from common.ids import Rev

ENTITY_TYPE: Final = "action"
MAX_INLINE_BYTES: Final = 16 << 10
"""Longer code goes to the blob store. Source: OpenWhisk's `whisk.db.max-inline-size`."""

_IN_LISTS: Final = (
    "namespace",
    "name",
    "version",
    "publish",
    "annotations",
    "limits",
    "updated",
)


class NotAnAction(ValueError):
    """The document does not hold what an action needs."""


def to_document(action: Action) -> dict[str, Json]:
    """Return what is stored. The code is in it where it is not elsewhere."""
    code = _shared_exec(action.exec)
    if action.exec.code_ref is not None:
        ref = action.exec.code_ref
        code["codeRef"] = {"sha256": ref.sha256, "size": ref.size}
    elif action.exec.code is not None:
        code["code"] = action.exec.code
    return _document(action, code) | {"entityType": ENTITY_TYPE}


def to_rest(action: Action, *, code: str | None = None) -> dict[str, Json]:
    """Return what a client reads. *code*: None leaves it out."""
    shown = _shared_exec(action.exec)
    if code is not None:
        shown["code"] = code
    return _document(action, shown)


def to_list_item(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a list shows of the stored document *body*."""
    item = {field: body[field] for field in _IN_LISTS}
    return item | {"exec": {"binary": body["exec"].get("binary", False)}}


def from_document(body: Mapping[str, Json], rev: Rev) -> Action:
    """Return the action that is stored as *body*. Raises `NotAnAction`."""
    try:
        return Action(
            name=stored_name(body),
            exec=_stored_exec(body["exec"]),
            version=body["version"],
            publish=body["publish"],
            parameters=stored_parameters(body["parameters"]),
            annotations=stored_annotations(body["annotations"]),
            limits=_limits(body["limits"]),
            updated_ms=body["updated"],
            rev=rev,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise NotAnAction(f"{type(error).__name__}: {error}") from error


def _document(action: Action, code: dict[str, Json]) -> dict[str, Json]:
    return {
        "namespace": action.name.path,
        "name": action.name.name,
        "exec": code,
        "parameters": parameters_shown(action.parameters),
        "limits": action.limits.to_wire(),
        "version": action.version,
        "publish": action.publish,
        "annotations": annotations_shown(action.annotations),
        "updated": action.updated_ms,
    }


def code_of(body: Mapping[str, Any]) -> str | None:
    """Return the digest of the code that a document names; None when it names none.

    body: of any entity. Raises `NotAnAction` when it names code in a way that cannot be read.
    """
    try:
        ref = body.get("exec", {}).get("codeRef")
        return None if ref is None else str(ref["sha256"])
    except (AttributeError, KeyError, TypeError) as error:
        raise NotAnAction(str(error)) from error


def _shared_exec(code: Exec) -> dict[str, Json]:
    """Return the fields that every form of *code* has; a sequence has no `binary`."""
    if code.kind == SEQUENCE:
        return {"kind": code.kind, "components": list(code.components)}
    shown: dict[str, Json] = {"kind": code.kind, "binary": code.binary}
    if code.main is not None:
        shown["main"] = code.main
    if code.image is not None:
        shown["image"] = code.image
    return shown


def _stored_exec(stored: Mapping[str, Any]) -> Exec:
    ref = stored.get("codeRef")
    return Exec(
        kind=stored["kind"],
        code=stored.get("code"),
        code_ref=None if ref is None else BlobRef(ref["sha256"], ref["size"]),
        binary=stored.get("binary", False),
        main=stored.get("main"),
        image=stored.get("image"),
        components=tuple(stored.get("components", ())),
    )


def _limits(stored: Mapping[str, int]) -> Limits:
    return Limits(
        timeout_ms=stored["timeout"],
        memory_mb=stored["memory"],
        logs_mb=stored["logs"],
        concurrency=stored["concurrency"],
        instances=stored.get("instances"),
    )
