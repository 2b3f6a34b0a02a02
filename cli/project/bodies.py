"""The requests that a change is made of, as wskdeploy sends them. Pure."""

from collections.abc import Mapping
from typing import Final

from cli.jsontext import Json
from cli.names import OWN
from cli.project.difference import API_KEY
from cli.project.entity import Entity, Kind
from cli.shapes import FEED

_EXEC: Final = ("kind", "code", "image", "main")
_BLACKBOX: Final = "blackbox"


def bodies(wanted: Entity, present: Entity | None) -> tuple[Json, ...]:
    """Return what is to be PUT, one after the other, to make *present* what is *wanted*."""
    match wanted.kind:
        case Kind.PACKAGE | Kind.BINDING:
            return (_package(wanted),)
        case Kind.ACTION:
            return (_action(wanted, present, _stale(wanted, present)),)
        case Kind.SEQUENCE:
            # An `exec` that is a sequence makes the platform forget what is to be deleted.
            stale = _stale(wanted, present)
            first = ({"delAnnotations": stale},) if stale else ()
            return (*first, _action(wanted, present, []))
        case Kind.TRIGGER:
            return (_trigger(wanted),)
        case Kind.RULE:
            return (_rule(wanted),)
        case Kind.API:
            raise ValueError("an API is not PUT")


def bindings(table: Mapping[str, Json]) -> list[Json]:
    """Return a table as `[{"key", "value"}, …]`."""
    return [{"key": key, "value": value} for key, value in table.items()]


def _head(entity: Entity) -> dict[str, Json]:
    return {"namespace": OWN, "name": entity.name}


def _common(entity: Entity) -> dict[str, Json]:
    common: dict[str, Json] = {"annotations": bindings(entity.table("annotations"))}
    if "parameters" in entity.fields:
        common["parameters"] = bindings(entity.table("parameters"))
    if entity.fields.get("version"):
        common["version"] = entity.fields["version"]
    return common


def _package(entity: Entity) -> Json:
    body = _head(entity) | {"publish": bool(entity.fields.get("publish"))} | _common(entity)
    if entity.kind is Kind.BINDING:
        _, namespace, name = str(entity.fields["provider"]).split("/")
        body["binding"] = {"namespace": namespace, "name": name}
    return body


def _action(entity: Entity, present: Entity | None, stale: list[str]) -> Json:
    fields = entity.fields
    if entity.kind is Kind.SEQUENCE:
        execution = {"kind": "sequence", "components": list(fields["components"])}
    else:
        execution = {key: fields[key] for key in _EXEC if fields.get(key) is not None}
    body = _head(entity) | {"exec": execution, "publish": False} | _common(entity)
    if fields.get("limits"):
        body["limits"] = dict(fields["limits"])
    if stale:
        body["delAnnotations"] = stale
    if present is not None and API_KEY not in entity.table("annotations"):
        body["annotations"].append({"key": API_KEY, "value": False})  # Without it, it is true.
    return body


def _stale(wanted: Entity, present: Entity | None) -> list[str]:
    """Return the annotations that are to go."""
    if present is None:
        return []
    there = present.table("annotations").keys() - {API_KEY}
    return sorted(there - wanted.table("annotations").keys())


def _trigger(entity: Entity) -> Json:
    feed = entity.fields.get(FEED)
    body = _head(entity) | {"publish": True} | _common(entity)
    if feed is not None:
        body["annotations"] = [{"key": FEED, "value": feed}, *body["annotations"]]
        body["parameters"] = []  # They are the feed's.
    return body


def _rule(entity: Entity) -> Json:
    return _head(entity) | {
        "status": "",
        "trigger": entity.fields["trigger"],
        "action": entity.fields["action"],
        "annotations": bindings(entity.table("annotations")),
    }
