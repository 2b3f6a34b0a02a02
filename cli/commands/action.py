"""`action`: the noun, and the verbs that look: get, list, delete."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from cli.artifacts import code_of
from cli.commands import action_invoke, action_write, entities
from cli.commands.entities import ACTIONS, NAMESPACE_NEEDED, page_options
from cli.console import bold, ok
from cli.failures import MISUSE, Change, Failure, Remedy
from cli.grammar import Group, Words
from cli.jsontext import Json
from cli.languages import file_name
from cli.names import EntityName, Scope, parse_entity, parse_scope
from cli.output import shown
from cli.session import Session
from cli.shapes import annotation

NAME_NEEDED: Final = "An action name is required."

action = Group("action", help="Functions: create, update, invoke, get, list, delete.")
action_write.register(action)
action_invoke.register(action)


@action.command(
    "get", words=(1, 2), shown="NAME [FIELD]", completes=("actions",), needs=NAME_NEEDED
)
@click.option("-s", "--summary", is_flag=True, help="what it is for, in two lines")
@click.option("-r", "--url", is_flag=True, help="where it can be invoked")
@click.option("--save", is_flag=True, help="save its code as a file of its name")
@click.option("--save-as", metavar="FILE", help="save its code as FILE")
def get(session: Session, words: Words, **flags: Json) -> None:
    """Show an action, one field of it, or save its code."""
    is_asked = len(words) > 1 and not flags["url"] and not flags["summary"]
    key = ACTIONS.field(words[1]) if is_asked else None
    name = parse_entity(words[0])
    saves = flags["save"] or flags["save_as"] is not None
    client = session.client()
    try:
        found = client.action(name, code=saves)
    except Failure as failure:
        raise ACTIONS.unable("get", name, failure) from failure
    if flags["url"]:
        url = _url(session, name, found)
        if not shown(session, url):
            ok(f"got action {bold(name.name)}")
            print(url)
    elif flags["summary"]:
        entities.summarised(session, ACTIONS, found)
    elif saves:
        _save(found, flags["save_as"])
    else:
        entities.show(session, ACTIONS, name, found, key)


def _save(found: dict[str, Json], wanted: str | None) -> None:
    execution = found.get("exec") or {}
    content = code_of(execution)
    path = Path(wanted or file_name(str(found.get("name", "")), execution))
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        free = path.with_stem(f"{path.stem}-2")
        change = Change(("--save-as", wanted) if wanted else ("--save",), ("--save-as", str(free)))
        said = f"The file '{path}' already exists"
        raise Failure(said, MISUSE, remedy=Remedy(f"rm {path}", change=change)) from error
    except OSError as error:
        raise Failure(f"Cannot create file '{path}': {error.strerror}", MISUSE) from error
    ok(f"saved action code to {os.path.abspath(path)}")


def _url(session: Session, name: EntityName, found: dict[str, Json]) -> str:
    """Return where the action can be invoked: by anybody when it is a web action."""
    config = session.configuration()
    root = f"{config.host_url}/api/{config.api_version}"
    namespace = str(found.get("namespace", "")).partition("/")[0]
    if annotation(found, "web-export"):
        return _address(f"{root}/web/", namespace, name.package or "default", name.name)
    return _address(f"{root}/namespaces/{quote(namespace)}/actions/", *name.in_namespace.split("/"))


def _address(root: str, *parts: str) -> str:
    """Return *root*, with *parts* as further segments."""
    return root + "/".join(quote(part, safe="$&+,:;=@~") for part in parts)


@action.command(
    "list",
    words=(0, 1),
    shown="[/NAMESPACE or PACKAGE]",
    needs=NAMESPACE_NEEDED,
    completes=("packages",),
)
@page_options
def list_actions(session: Session, words: Words, **flags: Json) -> None:
    """List the actions of a namespace or a package, the newest first."""
    scope = parse_scope(words[0]) if words else Scope()
    entities.print_page(session, ACTIONS, entities.page(session.client(), ACTIONS, scope, **flags))


@action.command("delete", words=(1, 1), shown="NAME", completes=("actions",), needs=NAME_NEEDED)
def delete(session: Session, words: Words) -> None:
    """Delete an action."""
    entities.delete(session, ACTIONS, parse_entity(words[0]))
