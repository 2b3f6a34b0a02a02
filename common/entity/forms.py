"""What the documents of all kinds of entities have in common, as they are stored and shown."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from common.entity.action import Json, Parameter
from common.entity.names import QualifiedName
from common.ids import Namespace

REMEMBERED: Final = 4096
"""Paths whose names are made once: a sequence asks for those of its parts at each call."""


def annotations_shown(annotations: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return *annotations* as a list of key and value."""
    return [{"key": key, "value": value} for key, value in annotations.items()]


def stored_annotations(shown: Iterable[Mapping[str, Any]]) -> dict[str, Json]:
    """Return what `annotations_shown` has shown."""
    return {each["key"]: each["value"] for each in shown}


def parameters_shown(parameters: Iterable[Parameter]) -> list[dict[str, Json]]:
    """Return *parameters* as a list of key and value; `init` only where it is true."""
    return [
        {"key": each.key, "value": each.value} | ({"init": True} if each.init else {})
        for each in parameters
    ]


def stored_parameters(shown: Iterable[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    """Return what `parameters_shown` has shown."""
    return tuple(Parameter(each["key"], each["value"], each.get("init", False)) for each in shown)


def stored_name(body: Mapping[str, Any]) -> QualifiedName:
    """Return the name of the entity that is stored as *body*."""
    return name_of(body["namespace"], body["name"])


def reference(name: QualifiedName) -> dict[str, str]:
    """Return how other entities, and clients, refer to *name*."""
    return {"path": name.path, "name": name.name}


def referred(shown: Mapping[str, Any]) -> QualifiedName:
    """Return what `reference` has shown."""
    return name_of(shown["path"], shown["name"])


def name_of(path: str, name: str) -> QualifiedName:
    """Return the entity *name* in *path*, `ns` or `ns/package`."""
    namespace, _, package = path.partition("/")
    return QualifiedName(Namespace(namespace), package or None, name)


@lru_cache(REMEMBERED)
def parsed(path: str) -> QualifiedName:
    """Return the entity of *path*, `[/]ns/[package/]name`, which is known to be one."""
    namespace, *package, name = path.removeprefix("/").split("/")
    return QualifiedName(Namespace(namespace), package[0] if package else None, name)
