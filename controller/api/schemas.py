"""What is sent and answered, as schemas: OpenWhisk's own, with what they leave wrong put right.

Clients know OpenWhisk's description of its API, `apiv1swagger.json`, which is shown to them as it
is. Ours says the same of the same documents. Where OpenWhisk itself answers otherwise than it
describes, or takes more, that is said here, and tests compare both with what is answered.
"""

import json
from functools import cache
from importlib import resources
from typing import Any, Final

_OLD: Final = "#/definitions/"
_NEW: Final = "#/components/schemas/"
COUNT: Final = "Count"

ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"error": {}, "code": {"type": "string"}},
    "required": ["error", "code"],
}


@cache
def components() -> dict[str, Any]:
    """Return all schemas by name."""
    text = resources.files("controller.api").joinpath("apiv1swagger.json").read_text()
    found: dict[str, Any] = {
        name: _translated(each) for name, each in json.loads(text)["definitions"].items()
    }
    # Kinds are what this host runs: any text may be one.
    del found["ActionExec"]["properties"]["kind"]["enum"]
    # A rule may be given names as objects, too, as it shows them.
    for part in ("trigger", "action"):
        written = found["RulePut"]["properties"][part]
        found["RulePut"]["properties"][part] = {"anyOf": [written, reference("PathName")]}
    # In lists a package that is no binding shows false.
    bound = {"anyOf": [reference("PackageBinding"), {"const": False}]}
    meta = {**found["Package"], "properties": {**found["Package"]["properties"], "binding": bound}}
    invoked = {"anyOf": [reference("Activation"), {"type": ["object", "array"]}]}
    return found | {
        "Error": ERROR,
        "PackageMeta": meta,
        "Invoked": invoked,
        "Failed": {"anyOf": [reference("Activation"), {"type": "object"}]},
        "Arguments": {"type": "object"},
        "Namespaces": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1},
        "RuleStatus": {
            "type": "object",
            "properties": {"status": {"enum": ["active", "inactive"]}},
            "required": ["status"],
        },
        COUNT: {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 0},
            "minProperties": 1,
            "maxProperties": 1,
        },
    }


def reference(name: str) -> dict[str, Any]:
    """Return what refers to the schema *name*, or to a list of it where it ends in `[]`.

    A list may be counted instead.
    """
    if not name.endswith("[]"):
        return {"$ref": _NEW + name}
    items = {"type": "array", "items": {"$ref": _NEW + name.removesuffix("[]")}}
    return {"anyOf": [items, {"$ref": _NEW + COUNT}]}


def _translated(schema: Any) -> Any:
    """Return a schema of Swagger 2.0 as one of OpenAPI 3.1."""
    if isinstance(schema, list):
        return [_translated(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: value.replace(_OLD, _NEW) if key == "$ref" else _translated(value)
        for key, value in schema.items()
    }
    if isinstance(made.get("properties"), dict) and "type" not in made:
        made["type"] = "object"
    return made
