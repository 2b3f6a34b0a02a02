"""`action`: the noun, and the verbs that look: get, list, delete."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from cli import render
from cli.artifacts import code_of, file_name
from cli.commands import action_invoke, action_write
from cli.console import bold, ok, print_json
from cli.failures import MISUSE, Failure
from cli.grammar import INTEGER, Group, Words, json_option
from cli.jsontext import Json
from cli.names import EntityName, Scope, parse_entity, parse_scope
from cli.session import Session
from cli.shapes import ACTION, annotation

NAME_NEEDED: Final = "An action name is required."

action = Group("action", help="Functions: create, update, invoke, get, list, delete.")
action_write.register(action)
action_invoke.register(action)


@action.command("get", words=(1, 2), shown="NAME [FIELD]", needs=NAME_NEEDED)
@click.option("-s", "--summary", is_flag=True, help="what it is for, in two lines")
@click.option("-r", "--url", is_flag=True, help="where it can be invoked")
@click.option("--save", is_flag=True, help="save its code as a file of its name")
@click.option("--save-as", metavar="FILE", help="save its code as FILE")
@json_option
def get(session: Session, words: Words, **flags: Json) -> None:
    """Show an action, one field of it, or save its code."""
    key = _field(words[1]) if len(words) > 1 else None
    name = parse_entity(words[0])
    saves = flags["save"] or flags["save_as"] is not None
    client = session.client()
    try:
        found = client.action(name, code=saves)
    except Failure as failure:
        raise failure.within(f"Unable to get action '{name.in_namespace}'") from failure
    if saves:
        _save(found, flags["save_as"])
    elif flags.get("as_json"):
        print_json(ACTION.laid_out(found))
    elif flags["url"]:
        ok(f"got action {bold(name.in_namespace)}")
        print(_url(session, name, found))
    elif key is not None:
        ok(f"got action {bold(name.in_namespace)}, displaying field {bold(key)}")
        print_json(ACTION.value_of(key, found))
    elif flags["summary"]:
        print("\n".join(render.action_summary(found)))
    else:
        ok(f"got action {bold(name.in_namespace)}")
        print_json(ACTION.laid_out(found))


def _field(typed: str) -> str:
    key = ACTION.field_named(typed)
    if key is None:
        raise Failure(f"Invalid field filter '{typed}'.", MISUSE)
    return key


def _save(found: dict[str, Json], wanted: str | None) -> None:
    execution = found.get("exec") or {}
    content = code_of(execution)
    path = Path(wanted or file_name(str(found.get("name", "")), execution))
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise Failure(f"The file '{path}' already exists", MISUSE) from error
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
    needs="An optional namespace is the only valid argument.",
)
@click.option("-l", "--limit", type=INTEGER, default=30, help="at most so many (30)")
@click.option("-s", "--skip", type=INTEGER, default=0, help="not the first so many")
@click.option("-n", "--name-sort", is_flag=True, help="sorted by name")
@json_option
def list_actions(
    session: Session, words: Words, limit: int, skip: int, name_sort: bool, as_json: bool = False
) -> None:
    """List the actions of a namespace or a package, the newest first."""
    scope = parse_scope(words[0]) if words else Scope()
    client = session.client()
    try:
        found = client.entities("actions", scope, limit, skip)
    except Failure as failure:
        raise failure.within(
            f"Unable to obtain the list of actions for namespace '{scope.shown}'"
        ) from failure
    rows = render.by_name(found) if name_sort else found
    if as_json:
        print_json(rows)
        return
    print(bold("actions"))
    for row in rows:
        print(render.action_row(row))


@action.command("delete", words=(1, 1), shown="NAME", needs=NAME_NEEDED)
def delete(session: Session, words: Words) -> None:
    """Delete an action."""
    name = parse_entity(words[0])
    client = session.client()
    try:
        client.delete_action(name)
    except Failure as failure:
        raise failure.within(f"Unable to delete action '{name.in_namespace}'") from failure
    ok(f"deleted action {bold(name.in_namespace)}")
