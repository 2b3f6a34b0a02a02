"""What a client asks of an action with `PUT`, and what the action becomes.

Reading is in two steps, because the sizes of `exec`, `parameters` and `annotations` are judged
before the rest is even looked at. Merging follows OpenWhisk's `Actions.update`: annotations are
laid over the stored ones, parameters replace them all, limits change one by one, and the last part
of the version grows with every write that names none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from common.codec import encode
from common.entity.action import SEQUENCE, Action, Exec, Json, Parameter
from common.entity.exec_request import Kinds, read_exec, size_bytes
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.errors import EntityTooBig, ExecMissing, MalformedContent

EXEC_ANNOTATION: Final = "exec"
API_KEY_ANNOTATION: Final = "provide-api-key"
COMPONENTS_PARAMETER: Final = "_actions"
"""The parameter through which a sequence shows its components."""

_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_MAX_PART: Final = (1 << 31) - 1
_LIMITS: Final = {
    # field on the wire: field of `Limits`, its name in complaints, whether it is a size
    "timeout": ("timeout_ms", "time limit", False),
    "memory": ("memory_mb", "memory limit", True),
    "logs": ("logs_mb", "log limit", True),
    "concurrency": ("concurrency", "concurrency limit", False),
    "instances": ("instances", "instance limit", False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeBounds:
    """How large the parts of a request may be."""

    code_bytes: int
    parameters_bytes: int
    """For the parameters, and again for the annotations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionChange:
    """The body of a `PUT`. None means that the field was not given."""

    exec: Exec | None = None
    parameters: tuple[Parameter, ...] | None = None
    annotations: Mapping[str, Json] | None = None
    dropped_annotations: tuple[str, ...] = ()
    limits: Mapping[str, int]
    """Fields of `Limits`, only those that were given."""
    version: str | None = None
    publish: bool | None = None


def read_change(body: Any, kinds: Kinds, sizes: SizeBounds, namespace: str) -> ActionChange:
    """Return what *body* asks for; unknown fields are ignored.

    body: the JSON of the request.
    namespace: what `_` stands for.
    Raises: `MalformedContent`, `EntityTooBig`.
    """
    if not isinstance(body, dict):
        raise MalformedContent("Object expected in field 'exec'")
    code = None if body.get("exec") is None else read_exec(body["exec"], kinds, namespace)
    parameters = read_parameters(body.get("parameters"))
    annotations = read_parameters(body.get("annotations"))
    if code is not None:
        check_size("exec", size_bytes(code), sizes.code_bytes)
    check_size("parameters", parameters_size_bytes(parameters), sizes.parameters_bytes)
    check_size("annotations", parameters_size_bytes(annotations), sizes.parameters_bytes)
    return ActionChange(
        exec=code,
        parameters=parameters,
        annotations=None if annotations is None else {each.key: each.value for each in annotations},
        dropped_annotations=_dropped(body.get("delAnnotations")),
        limits=_limits(body.get("limits")),
        version=read_version_field(body.get("version")),
        publish=read_publish(body.get("publish")),
    )


def created(name: QualifiedName, change: ActionChange, *, updated_ms: int) -> Action:
    """Return the action that *change* creates. Raises `ExecMissing`."""
    if change.exec is None:
        raise ExecMissing
    annotations = dict(change.annotations or {})
    annotations.setdefault(API_KEY_ANNOTATION, False)
    return Action(
        name=name,
        exec=change.exec,
        version=change.version or "0.0.1",
        publish=change.publish or False,
        parameters=_components_shown(change.exec) or change.parameters or (),
        annotations=annotations | {EXEC_ANNOTATION: change.exec.kind},
        limits=replace(Limits(), **change.limits),
        updated_ms=updated_ms,
    )


def updated(stored: Action, change: ActionChange, *, updated_ms: int) -> Action:
    """Return what *stored* becomes by *change*."""
    code = stored.exec if change.exec is None else change.exec
    # A request for a sequence is rebuilt by OpenWhisk, and loses its `delAnnotations` on the way.
    is_new_sequence = change.exec is not None and change.exec.kind == SEQUENCE
    dropped = () if is_new_sequence else change.dropped_annotations
    kept = {key: value for key, value in stored.annotations.items() if key not in dropped}
    return replace(
        stored,
        exec=code,
        version=change.version or next_version(stored.version),
        publish=stored.publish if change.publish is None else change.publish,
        parameters=_parameters(stored, change),
        annotations=kept | dict(change.annotations or {}) | {EXEC_ANNOTATION: code.kind},
        limits=replace(stored.limits, **change.limits),
        updated_ms=updated_ms,
    )


def read_parameters(value: Any) -> tuple[Parameter, ...] | None:
    """Return parameters or annotations, of equal keys the last; None when there are none at all.

    Raises: `MalformedContent`.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise MalformedContent("parameters malformed!")
    named = {parameter.key: parameter for parameter in map(_parameter, value)}
    return tuple(named.values())


def read_version(text: str) -> str | None:
    """Return *text* as `M.m.p`; missing parts are 0. None when it is no version."""
    parts = text.rstrip(".").split(".")[:3]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    numbers = [int(part) for part in parts] + [0] * (3 - len(parts))
    if not any(numbers) or min(numbers) < 0 or max(numbers) > _MAX_PART:
        return None
    return ".".join(map(str, numbers))


def next_version(version: str) -> str:
    """Return *version* with its last part grown by one."""
    head, _, patch = version.rpartition(".")
    return f"{head}.{int(patch) + 1}"


def _parameters(stored: Action, change: ActionChange) -> tuple[Parameter, ...]:
    """Return the parameters after *change*; those of a sequence are its components, always."""
    was_sequence = stored.exec.kind == SEQUENCE
    if change.exec is None:
        return stored.parameters if was_sequence else _given(change, stored.parameters)
    if change.exec.kind == SEQUENCE:
        return _components_shown(change.exec)
    return _given(change, () if was_sequence else stored.parameters)


def _given(change: ActionChange, otherwise: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    return otherwise if change.parameters is None else change.parameters


def _components_shown(code: Exec) -> tuple[Parameter, ...]:
    if code.kind != SEQUENCE:
        return ()
    return (Parameter(COMPONENTS_PARAMETER, list(code.components)),)


def _parameter(value: Any) -> Parameter:
    if not isinstance(value, dict) or "value" not in value:
        raise MalformedContent("parameters malformed!")
    key, init, encryption = value.get("key"), value.get("init", False), value.get("encryption")
    if not isinstance(key, str) or not isinstance(init, bool):
        raise MalformedContent("parameters malformed!")
    if not isinstance(encryption, str | None):
        raise MalformedContent("parameters malformed!")
    return Parameter(key, value["value"], init)


def parameters_size_bytes(parameters: tuple[Parameter, ...] | None) -> int:
    """Return how large *parameters*, or annotations, are for the limit: keys and compact JSON."""
    return sum(len(each.key.encode()) + len(encode(each.value)) for each in parameters or ())


def check_size(field: str, size: int, allowed: int) -> None:
    """Raise `EntityTooBig` where *field* is larger than *allowed*, both in bytes."""
    if size > allowed:
        raise EntityTooBig(field, size, allowed)


def _dropped(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise MalformedContent("'delAnnotations' must be an array of strings")
    return tuple(value)


def _limits(value: Any) -> dict[str, int]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedContent("'limits' must be an object")
    return {
        field: _limit(value[wire], name, is_size=is_size)
        for wire, (field, name, is_size) in _LIMITS.items()
        if value.get(wire) is not None
    }


def _limit(value: Any, name: str, *, is_size: bool) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedContent(f"{name} malformed")
    if isinstance(value, float) and not value.is_integer():
        raise MalformedContent(f"requirement failed: {name} must be whole number")
    if value < 0 and is_size:
        raise MalformedContent("requirement failed: a negative size of an object is not allowed.")
    if value < 0 and name == "instance limit":
        raise MalformedContent(
            "requirement failed: Action container concurrency must be greater than or equal to 0."
        )
    return int(value)


def read_version_field(value: Any) -> str | None:
    """Return the field `version`, None when it is not given. Raises `MalformedContent`."""
    if value is None:
        return None
    version = read_version(value) if isinstance(value, str) else None
    if version is None:
        raise MalformedContent("semantic version malformed")
    return version


def read_publish(value: Any) -> bool | None:
    """Return the field `publish`, None when it is not given. Raises `MalformedContent`."""
    if value is None or isinstance(value, bool):
        return value
    raise MalformedContent("'publish' must be true or false")
