"""Inputs as they are declared: `name: value`, or a table of type, value and default. Pure."""

from typing import Final

from cli.jsontext import Json
from cli.project.manifest import Input
from cli.project.section import Place, Section
from cli.yamltree import Node, Table, json_of

TYPES: Final = {
    "string": "string",
    "integer": "integer",
    "float": "float",
    "boolean": "boolean",
    "json": "json",
    "slice": "slice",
    "int": "integer",
    "int8": "integer",
    "int16": "integer",
    "int32": "integer",
    "int64": "integer",
    "float32": "float",
    "float64": "float",
    "bool": "boolean",
    "map": "json",
}
"""What a type may be called, and what it is."""
KEYS: Final = {"type", "description", "value", "required", "default", "status", "schema"}


def inputs_of(of: Section) -> dict[str, Input]:
    """Return the inputs in *of*, by name."""
    table = of.node("inputs")
    if table is None:
        return {}
    if not isinstance(table, Table):
        raise of.at("inputs").refuse(f"'inputs' of {of.what} must be a table of names")
    return {
        name: _input(node, Place(of.file, table.lines[name]), f"input '{name}' of {of.what}")
        for name, node in table.items.items()
    }


def _input(node: Node, place: Place, what: str) -> Input:
    # As wskdeploy has it: a table with other keys than these is a value, and declares nothing.
    if not (isinstance(node, Table) and node.items and node.items.keys() <= KEYS):
        return Input(place=place, value=json_of(node), is_inline=True)
    of = Section(Table(place.line, node.items, node.lines), place.file, what)
    of.text("description")
    of.text("status")
    of.node("schema")
    typed = of.text("type")
    if typed is not None and typed not in TYPES:
        kinds = ", ".join(sorted(set(TYPES.values())))
        raise of.at("type").refuse(f"'{typed}' is no type of {what}", f"it is one of {kinds}")
    return Input(
        place=place,
        value=_value(of, "value"),
        default=_value(of, "default"),
        type=None if typed is None else TYPES[typed],
        is_required=of.flag("required"),
    )


def _value(of: Section, key: str) -> Json:
    found = of.node(key)
    return None if found is None else json_of(found)
