"""`namespace` and `list`: which namespaces the key opens, and all that is in one."""

from collections.abc import Callable, Mapping
from typing import Final

import click

from cli import render
from cli.console import bold, print_json
from cli.failures import Failure
from cli.grammar import Command, Group, Words, json_option
from cli.jsontext import Json
from cli.names import OWN, EntityName, Scope
from cli.session import Session

NO_ARGUMENTS: Final = "No arguments are required."
_ROWS: Final[Mapping[str, Callable[[Mapping[str, Json]], str]]] = {
    "packages": render.package_row,
    "actions": render.action_row,
    "triggers": render.trigger_row,
    "rules": render.rule_row,
}

namespace = Group("namespace", help="Namespaces, and what is in them.")


@namespace.command("list", words=(0, 0), needs=NO_ARGUMENTS)
@json_option
def list_namespaces(session: Session, words: Words, as_json: bool = False) -> None:
    """List the namespaces that the key opens."""
    client = session.client()
    try:
        names = client.namespaces()
    except Failure as failure:
        raise failure.within(
            "Unable to obtain the list of available namespaces", shows_usage=False
        ) from failure
    if as_json:
        print_json(names)
        return
    print(bold("namespaces"))
    for name in names:
        print(name)


def _list_entities(session: Session, words: Words, name_sort: bool, as_json: bool = False) -> None:
    """List everything in the namespace: packages, actions, triggers and rules."""
    if words and words[0] not in (OWN, f"/{OWN}"):
        raise Failure(f"Invalid argument(s): {words[0]}. {NO_ARGUMENTS}")
    client = session.client()
    found: dict[str, list[dict[str, Json]]] = {}
    for collection in _ROWS:
        try:
            found[collection] = client.entities(collection, Scope(), 0, 0)
        except Failure as failure:
            raise failure.within(
                f"Unable to obtain the list of {collection} for namespace 'default'",
                shows_usage=False,
            ) from failure
    for rule in found["rules"]:
        # A row of the list has no status.
        name = EntityName(str(rule.get("name", "")))
        try:
            rule["status"] = client.entity("rules", name).get("status", "")
        except Failure as failure:
            raise failure.within(f"Unable to get status of rule '{name.name}'") from failure
    if name_sort:
        found = {collection: render.by_name(rows) for collection, rows in found.items()}
    if as_json:
        print_json(found)
        return
    print(f"Entities in namespace: {bold('default')}")
    for collection, row in _ROWS.items():
        print(bold(collection))
        for one in found[collection]:
            print(row(one))


def _listing(name: str) -> Command:
    sort = click.option("-n", "--name-sort", is_flag=True, help="sorted by name")
    command = click.command(name, cls=Command, words=(0, 1), needs=NO_ARGUMENTS)
    return command(sort(json_option(_list_entities)))


namespace.add_command(_listing("get"))
list_entities = _listing("list")
