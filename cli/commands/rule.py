"""`rule`: which action a trigger runs, and whether it does."""

from typing import Final

import click

from cli.commands import entities
from cli.commands.entities import NAMESPACE_NEEDED, RULES, page_options
from cli.console import bold
from cli.failures import Failure
from cli.grammar import Group, Words
from cli.jsontext import Json
from cli.names import EntityName, Scope, parse_entity, parse_namespace
from cli.output import told
from cli.session import Session

NAME_NEEDED: Final = "A rule name is required."
PARTS_NEEDED: Final = "A rule, trigger and action name are required."
_STATUS: Final = {"enable": "active", "disable": "inactive"}

rule = Group("rule", help="Rules: create, enable, disable, get, list, update, delete.")


@rule.command(
    "create",
    words=(3, 3),
    shown="NAME TRIGGER ACTION",
    completes=("rules", "triggers", "actions"),
    needs=PARTS_NEEDED,
)
def create(session: Session, words: Words) -> None:
    """Have TRIGGER run ACTION."""
    _put(session, words, "create", overwrite=False)


@rule.command(
    "update",
    words=(3, 3),
    shown="NAME TRIGGER ACTION",
    completes=("rules", "triggers", "actions"),
    needs=PARTS_NEEDED,
)
def update(session: Session, words: Words) -> None:
    """Give a rule another trigger or action, or create it."""
    _put(session, words, "update", overwrite=True)


def _put(session: Session, words: Words, verb: str, *, overwrite: bool) -> None:
    name, trigger, action = map(parse_entity, words)
    document = {
        "name": name.in_namespace,
        "status": "",
        "trigger": str(trigger),
        "action": str(action),
    }
    try:
        made = session.client().put("rules", name, document, overwrite=overwrite)
    except Failure as failure:
        raise RULES.unable(verb, name, failure) from failure
    entities.wrote(session, RULES, f"{verb}d", name, made)


@rule.command("enable", words=(1, 1), shown="NAME", completes=("rules",), needs=NAME_NEEDED)
def enable(session: Session, words: Words) -> None:
    """Have its trigger run its action."""
    _switch(session, parse_entity(words[0]), "enable")


@rule.command("disable", words=(1, 1), shown="NAME", completes=("rules",), needs=NAME_NEEDED)
def disable(session: Session, words: Words) -> None:
    """Have its trigger run its action no more."""
    _switch(session, parse_entity(words[0]), "disable")


def _switch(session: Session, name: EntityName, verb: str) -> None:
    _set_status(session, name, verb)
    entities.wrote(session, RULES, f"{verb}d", name, {"status": _STATUS[verb]})


def _set_status(session: Session, name: EntityName, verb: str) -> None:
    try:
        session.client().set_rule_status(name, _STATUS[verb])
    except Failure as failure:
        raise RULES.unable(verb, name, failure) from failure


@rule.command("status", words=(1, 1), shown="NAME", completes=("rules",), needs=NAME_NEEDED)
def status(session: Session, words: Words) -> None:
    """Say whether a rule is active."""
    name = parse_entity(words[0])
    found = entities.status(session.client(), name)
    said = f"rule {bold(name.in_namespace)} is {found}"
    told(session, said, {"namespace": name.namespace, "name": name.name, "status": found})


@rule.command("get", words=(1, 2), shown="NAME [FIELD]", completes=("rules",), needs=NAME_NEEDED)
@click.option("-s", "--summary", is_flag=True, help="whether it is active")
def get(session: Session, words: Words, summary: bool) -> None:
    """Show a rule, or one field of it."""
    key = RULES.field(words[1]) if len(words) > 1 else None
    name = parse_entity(words[0])
    try:
        found = session.client().entity("rules", name)
    except Failure as failure:
        raise failure.within(f"Unable to get rule '{name.in_namespace}'") from failure
    if summary:
        entities.summarised(session, RULES, found)
    else:
        entities.show(session, RULES, name, found, key)


@rule.command("list", words=(0, 1), shown="[/NAMESPACE]", needs=NAMESPACE_NEEDED)
@page_options
def list_rules(session: Session, words: Words, **flags: Json) -> None:
    """List the rules of a namespace, the newest first."""
    scope = parse_namespace(words[0]) if words else Scope()
    entities.print_page(session, RULES, entities.page(session.client(), RULES, scope, **flags))


@rule.command("delete", words=(1, 1), shown="NAME", completes=("rules",), needs=NAME_NEEDED)
@click.option("--disable", is_flag=True, help="switch it off first")
def delete(session: Session, words: Words, disable: bool) -> None:
    """Delete a rule."""
    name = parse_entity(words[0])
    if disable:
        _set_status(session, name, "disable")
    entities.delete(session, RULES, name)
