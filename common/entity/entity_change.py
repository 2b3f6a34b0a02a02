"""What a client asks of a package, a trigger or a rule with `PUT`, and what they become.

Unlike those of actions, given annotations replace the stored ones. The last part of the version
grows with every write that names none. Source: OpenWhisk's `Packages`, `Triggers`, `Rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from common.entity.action import Json, Parameter
from common.entity.action_request import (
    check_size,
    next_version,
    parameters_size_bytes,
    read_parameters,
    read_publish,
    read_version_field,
)
from common.entity.exec_request import qualified
from common.entity.forms import parsed
from common.entity.names import QualifiedName, is_legal
from common.entity.package import BINDING, Package, binding_shown
from common.entity.rule import Rule
from common.entity.trigger import RuleStatus, Trigger
from common.errors import (
    IllegalFeed,
    MalformedContent,
    PackageCannotBecomeBinding,
    RuleIncomplete,
)
from common.ids import Namespace

OWN: Final = "_"
FEED: Final = "feed"
"""The annotation of a trigger that names the action which feeds it events."""
FIRST_VERSION: Final = "0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityChange:
    """The body of a `PUT`. None means that the field was not given."""

    parameters: tuple[Parameter, ...] | None = None
    annotations: Mapping[str, Json] | None = None
    version: str | None = None
    publish: bool | None = None
    binding: QualifiedName | None = None
    """Of a package."""
    trigger: QualifiedName | None = None
    """Of a rule."""
    action: QualifiedName | None = None
    """Of a rule."""


def read_package(body: Any, namespace: Namespace, most_bytes: int) -> EntityChange:
    """Return what *body* asks of a package; unknown fields are ignored.

    namespace: what `_` stands for. most_bytes: for parameters, and again for annotations.
    Raises: `MalformedContent`, `EntityTooBig`.
    """
    common = _read_common(body, most_bytes)
    return EntityChange(**common, binding=_binding(body, namespace))


def read_trigger(body: Any, most_bytes: int) -> EntityChange:
    """Return what *body* asks of a trigger. Raises: as `read_package`."""
    common = _read_common(body, most_bytes)
    if not isinstance(body.get("limits", {}), dict):
        raise MalformedContent("'limits' must be an object")
    return EntityChange(**common)


def read_rule(body: Any, namespace: Namespace, most_bytes: int) -> EntityChange:
    """Return what *body* asks of a rule. Raises: as `read_package`."""
    common = _read_common(body, most_bytes)
    common["parameters"] = None  # a rule has none
    return EntityChange(
        **common,
        trigger=_referred(body.get("trigger"), namespace),
        action=_referred(body.get("action"), namespace),
    )


def read_status(body: Any) -> RuleStatus:
    """Return what a rule is to be. Raises: `MalformedContent`."""
    status = body.get("status") if isinstance(body, dict) else None
    if not isinstance(status, str):
        raise MalformedContent("'status' must be 'active' or 'inactive'")
    if status not in tuple(RuleStatus):
        raise MalformedContent(f"requirement failed: {status} is not a recognized rule state")
    return RuleStatus(status)


def _read_common(body: Any, most_bytes: int) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise MalformedContent("JSON object expected")
    parameters = read_parameters(body.get("parameters"))
    annotations = read_parameters(body.get("annotations"))
    check_size("parameters", parameters_size_bytes(parameters), most_bytes)
    check_size("annotations", parameters_size_bytes(annotations), most_bytes)
    return {
        "parameters": parameters,
        "annotations": None
        if annotations is None
        else {each.key: each.value for each in annotations},
        "version": read_version_field(body.get("version")),
        "publish": read_publish(body.get("publish")),
    }


def _binding(body: Mapping[str, Any], namespace: Namespace) -> QualifiedName | None:
    bound = body.get(BINDING, {})
    if bound == {}:
        return None
    if not isinstance(bound, dict):
        raise MalformedContent("'binding' must be an object")
    where, name = bound.get("namespace"), bound.get("name")
    if not (isinstance(where, str) and isinstance(name, str)):
        raise MalformedContent("'binding' must have a namespace and a name")
    if not is_legal(where):
        raise MalformedContent("namespace malformed")
    if not is_legal(name):
        raise MalformedContent("entity name malformed")
    return QualifiedName(namespace if where == OWN else Namespace(where), None, name)


def _referred(value: Any, namespace: Namespace) -> QualifiedName | None:
    return None if value is None else parsed(qualified(value, namespace))


def new_package(name: QualifiedName, change: EntityChange, *, updated_ms: int) -> Package:
    """Return the package that *change* creates."""
    return Package(
        name=name,
        binding=change.binding,
        version=change.version or FIRST_VERSION,
        publish=change.publish or False,
        parameters=change.parameters or (),
        annotations=_of_package(change.annotations or {}, change.binding),
        updated_ms=updated_ms,
    )


def changed_package(stored: Package, change: EntityChange, *, updated_ms: int) -> Package:
    """Return what *stored* becomes by *change*. Raises `PackageCannotBecomeBinding`."""
    if stored.binding is None and change.binding is not None:
        raise PackageCannotBecomeBinding
    binding = change.binding or stored.binding
    annotations = stored.annotations if change.annotations is None else change.annotations
    return replace(
        stored,
        binding=binding,
        version=change.version or next_version(stored.version),
        publish=stored.publish if change.publish is None else change.publish,
        parameters=stored.parameters if change.parameters is None else change.parameters,
        annotations=_of_package(annotations, binding),
        updated_ms=updated_ms,
    )


def new_trigger(name: QualifiedName, change: EntityChange, *, updated_ms: int) -> Trigger:
    """Return the trigger that *change* creates. Raises `IllegalFeed`."""
    annotations = dict(change.annotations or {})
    feed = annotations.get(FEED, "a")
    if not isinstance(feed, str) or not _is_path(feed):
        raise IllegalFeed
    return Trigger(
        name=name,
        version=change.version or FIRST_VERSION,
        publish=change.publish or False,
        parameters=change.parameters or (),
        annotations=annotations,
        updated_ms=updated_ms,
    )


def changed_trigger(stored: Trigger, change: EntityChange, *, updated_ms: int) -> Trigger:
    """Return what *stored* becomes by *change*; its rules stay."""
    return replace(
        stored,
        version=change.version or next_version(stored.version),
        publish=stored.publish if change.publish is None else change.publish,
        parameters=stored.parameters if change.parameters is None else change.parameters,
        annotations=stored.annotations if change.annotations is None else dict(change.annotations),
        updated_ms=updated_ms,
    )


def new_rule(name: QualifiedName, change: EntityChange, *, updated_ms: int) -> Rule:
    """Return the rule that *change* creates. Raises `RuleIncomplete`."""
    if change.trigger is None or change.action is None:
        raise RuleIncomplete
    return Rule(
        name=name,
        trigger=change.trigger,
        action=change.action,
        version=change.version or FIRST_VERSION,
        publish=change.publish or False,
        annotations=dict(change.annotations or {}),
        updated_ms=updated_ms,
    )


def changed_rule(stored: Rule, change: EntityChange, *, updated_ms: int) -> Rule:
    """Return what *stored* becomes by *change*."""
    return replace(
        stored,
        trigger=change.trigger or stored.trigger,
        action=change.action or stored.action,
        version=change.version or next_version(stored.version),
        publish=stored.publish if change.publish is None else change.publish,
        annotations=stored.annotations if change.annotations is None else dict(change.annotations),
        updated_ms=updated_ms,
    )


def _of_package(annotations: Mapping[str, Json], binding: QualifiedName | None) -> dict[str, Json]:
    """Return *annotations* with what is bound among them, and nothing that only claims to be."""
    kept = {key: value for key, value in annotations.items() if key != BINDING}
    return kept if binding is None else kept | {BINDING: binding_shown(binding)}


def _is_path(text: str) -> bool:
    parts = [part for part in text.split("/") if part]
    return bool(parts) and all(map(is_legal, parts))
