"""The forms of `-o`: what a command has found or done, for programs and for other commands.

`wsk` has no such flag: there, and where it is not typed, a command prints its own lines.
"""

from collections.abc import Iterator
from typing import Final

from cli.console import ok, print_json
from cli.jsontext import Json, encode
from cli.render import columns, entity_path
from cli.session import Session
from cli.yamltext import yaml_of

WIDEST: Final = 100
"""Of a value in a table, in characters."""


def shown(session: Session, value: Json, *, is_tabular: bool = False) -> bool:
    """Print *value* in the form that was asked for; False when the command's own lines will do.

    is_tabular: these lines are a table already, as those of lists are.
    """
    match session.output:
        case "json":
            print_json(value)
        case "yaml":
            print(yaml_of(value))
        case "name":
            for name in dict.fromkeys(names_of(value)):
                print(name)
        case "table" if not is_tabular:
            for line in table_of(value):
                print(line)
        case _:
            return False
    return True


def told(session: Session, said: str, value: Json) -> None:
    """Say that something was done, or print what it was done to: *value*."""
    if not shown(session, value):
        ok(said)


def names_of(value: Json) -> Iterator[str]:
    """Yield the names in *value*, as other commands take them: of an entity, an activation, …."""
    match value:
        case {"activationId": str(activation_id)}:
            yield activation_id
        case {"namespace": str(), "name": str()}:
            yield entity_path(value)
        case {"basePath": str(name)} | {"id": str(name), "label": str()}:
            yield name
        case {"host": str(name)} | {"name": str(name)}:
            yield name
        case dict():
            for key, item in value.items():
                yield from names_of(item) if isinstance(item, dict | list) else (str(key),)
        case list():
            for item in value:
                yield from names_of(item)
        case _:
            yield str(value)


def table_of(value: Json) -> list[str]:
    """Return a document as one line for each of its fields."""
    if not isinstance(value, dict):
        return [_cell(item) for item in value] if isinstance(value, list) else [_cell(value)]
    rows = [(str(key), _cell(item)) for key, item in value.items()]
    return columns(("FIELD", "VALUE"), rows, 0)


def _cell(value: Json) -> str:
    text = value if isinstance(value, str) else encode(value).decode()
    line = " ".join(text.split())
    return line if len(line) <= WIDEST else line[: WIDEST - 1] + "…"
