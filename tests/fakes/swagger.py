"""Compares JSON with the schemas of OpenWhisk's own description of its API, which it shows clients.

It reads the words that this description uses: `$ref`, `type`, `properties`, `required`, `items`,
`enum`, `minLength`. Stricter than they say, it also tells of fields that no schema names.
"""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any, Final

DOCUMENT: Final[dict[str, Any]] = json.loads(
    resources.files("controller.api").joinpath("apiv1swagger.json").read_text()
)
_TYPES: Final[dict[str, type]] = {
    "string": str, "boolean": bool, "integer": int, "array": list, "object": dict,
}  # fmt: skip
_READ: Final = {
    "$ref", "type", "properties", "required", "items", "enum", "minLength",
    "description", "format", "default",
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """Say what of *value* is not as *schema* has it. Raises `AssertionError` for a new word."""
    assert schema.keys() <= _READ, f"{at}: {sorted(schema.keys() - _READ)} are not understood"
    if "$ref" in schema:
        yield from faults(value, DOCUMENT["definitions"][schema["$ref"].rpartition("/")[2]], at)
        return
    kind = schema.get("type", "object" if "properties" in schema else None)
    if kind is not None and not _is(value, _TYPES[kind]):
        yield f"{at}: {value!r} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if "minLength" in schema and len(value) < schema["minLength"]:
        yield f"{at}: {value!r} is too short"
    if "items" in schema:
        for number, item in enumerate(value):
            yield from faults(item, schema["items"], f"{at}[{number}]")
    if "properties" in schema:
        yield from _of_fields(value, schema, at)


def _of_fields(value: dict[str, Any], schema: dict[str, Any], at: str) -> Iterator[str]:
    properties = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}.{name}: is missing"
    for name, held in value.items():
        if name in properties:
            yield from faults(held, properties[name], f"{at}.{name}")
        else:
            yield f"{at}.{name}: has no schema"


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
