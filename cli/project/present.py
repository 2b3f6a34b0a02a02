"""From documents of the API to what is there, in the same fields as what is wanted. Pure."""

from collections.abc import Mapping
from typing import Final

from cli.jsontext import Json
from cli.project.entity import Entity, Kind, localized
from cli.shapes import FEED

_KIND: Final = "exec"
"""The annotation of an action that the platform makes of its kind."""
_LATEST: Final = ":latest"


def present_package(document: Mapping[str, Json], own: str) -> Entity:
    """Return the package, or the binding, of *document*."""
    name = str(document.get("name"))
    fields: dict[str, Json] = {
        "parameters": table_of(document.get("parameters")),
        "annotations": table_of(document.get("annotations")),
        "version": document.get("version"),
    }
    binding = document.get("binding")
    if isinstance(binding, dict) and binding.get("name"):
        provider = localized(f"/{binding.get('namespace')}/{binding['name']}", own)
        fields["annotations"].pop("binding", None)  # The platform makes it.
        return Entity(Kind.BINDING, name, {**fields, "provider": provider})
    return Entity(Kind.PACKAGE, name, {**fields, "publish": bool(document.get("publish"))})


def present_action(document: Mapping[str, Json], own: str) -> Entity:
    """Return the action, or the sequence, of *document*; its code where that came along."""
    name = member_name(document)
    annotations = table_of(document.get("annotations"))
    execution = document.get("exec") or {}
    fields: dict[str, Json] = {
        "annotations": {key: annotations[key] for key in annotations if key != _KIND},
        "parameters": table_of(document.get("parameters")),
        "limits": dict(document.get("limits") or {}),
        "version": document.get("version"),
    }
    # A list has the kind among the annotations alone.
    if (execution.get("kind") or annotations.get(_KIND)) == "sequence":
        parts = [localized(str(part), own) for part in execution.get("components") or []]
        return Entity(Kind.SEQUENCE, name, {**fields, "components": parts})
    kept = {key: execution.get(key) for key in ("kind", "code", "main", "binary")}
    image = execution.get("image")
    if isinstance(image, str):
        kept["image"] = image.removesuffix(_LATEST)
    return Entity(Kind.ACTION, name, {**fields, **kept})


def present_trigger(document: Mapping[str, Json], own: str) -> Entity:
    """Return the trigger of *document*."""
    annotations = table_of(document.get("annotations"))
    fields: dict[str, Json] = {
        "parameters": table_of(document.get("parameters")),
        "annotations": {key: annotations[key] for key in annotations if key != FEED},
    }
    if isinstance(annotations.get(FEED), str):
        fields[FEED] = localized(annotations[FEED], own)
    return Entity(Kind.TRIGGER, str(document.get("name")), fields)


def present_rule(document: Mapping[str, Json], own: str) -> Entity:
    """Return the rule of *document*."""
    fields = {
        "trigger": localized(_path(document.get("trigger")), own),
        "action": localized(_path(document.get("action")), own),
        "status": document.get("status"),
        "annotations": table_of(document.get("annotations")),
    }
    return Entity(Kind.RULE, str(document.get("name")), fields)


def table_of(bindings: Json) -> dict[str, Json]:
    """Return `[{"key", "value"}, …]` as a table."""
    return {str(one.get("key")): one.get("value") for one in bindings or []}


def member_name(document: Mapping[str, Json]) -> str:
    """Return `package/name`, or `name`, of an action."""
    package = str(document.get("namespace", "")).partition("/")[2]
    name = str(document.get("name"))
    return f"{package}/{name}" if package else name


def _path(reference: Json) -> str:
    """Return `/ns/…/name` of what a rule refers to."""
    if isinstance(reference, dict):
        return f"/{reference.get('path')}/{reference.get('name')}"
    return str(reference)
