"""`namespace` and `list`: which namespaces the key opens, and all that is in one."""

from typing import Any, Final

import click

from cli.commands import entities
from cli.commands.entities import ACTIONS, PACKAGES, RULES, TRIGGERS
from cli.console import bold
from cli.failures import Failure
from cli.grammar import Command, Group, Words
from cli.names import OWN, Scope
from cli.output import shown
from cli.session import Session

NO_ARGUMENTS: Final = "No arguments are required."

namespace = Group("namespace", help="Namespaces, and what is in them.")


@namespace.command("list", words=(0, 0), needs=NO_ARGUMENTS)
def list_namespaces(session: Session, words: Words) -> None:
    """List the namespaces that the key opens."""
    client = session.client()
    try:
        names = client.namespaces()
    except Failure as failure:
        raise failure.within(
            "Unable to obtain the list of available namespaces", shows_usage=False
        ) from failure
    if shown(session, names, is_tabular=True):
        return
    print(bold("namespaces"))
    for name in names:
        print(name)


def _list_entities(session: Session, words: Words, name_sort: bool) -> None:
    """List everything in the namespace: packages, actions, triggers and rules."""
    if words and words[0] != f"/{OWN}":
        raise Failure(f"Invalid argument(s): {words[0]}. {NO_ARGUMENTS}")
    client = session.client()
    of_all: Any = {"limit": 0, "skip": 0, "name_sort": name_sort, "among": "entities"}
    found = [
        (kind, entities.page(client, kind, Scope(), **of_all))
        for kind in (PACKAGES, ACTIONS, TRIGGERS, RULES)
    ]
    if shown(session, {kind.collection: rows for kind, rows in found}, is_tabular=True):
        return
    print(f"Entities in namespace: {bold('default')}")
    for kind, rows in found:
        entities.print_page(session, kind, rows)


def _listing(name: str) -> Command:
    sort = click.option("-n", "--name-sort", is_flag=True, help="sorted by name")
    command = click.command(name, cls=Command, words=(0, 1), needs=NO_ARGUMENTS)
    return command(sort(_list_entities))


namespace.add_command(_listing("get"))
list_entities = _listing("list")
