"""What the verbs of actions, packages, triggers and rules have in common.

A `Kind` says how one of them is called, laid out and listed; the functions below are `get`, `list`
and `delete` for any of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from cli import render
from cli.console import bold, ok, print_json
from cli.failures import GENERAL, MISUSE, Failure
from cli.grammar import INTEGER
from cli.jsontext import Json
from cli.names import EntityName, Scope
from cli.output import shown, told
from cli.session import Session
from cli.shapes import ACTION, PACKAGE, RULE, TRIGGER, Shape

if TYPE_CHECKING:
    from cli.client import Client

NAMESPACE_NEEDED: Final = "An optional namespace is the only valid argument."
Document: TypeAlias = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the four kinds of entities.

    misuse: the exit code for a field that there is not.
    """

    noun: str
    shape: Shape
    row: Callable[[Mapping[str, Json]], str]
    summary: Callable[[Mapping[str, Json]], list[str]]
    misuse: int = GENERAL

    @property
    def collection(self) -> str:
        """What a list of them is called."""
        return f"{self.noun}s"

    def unable(self, verb: str, name: EntityName, failure: Failure) -> Failure:
        """Return *failure* as the reason why *name* could not be had."""
        said = f"Unable to {verb} {self.noun} '{name.in_namespace}'"
        return failure.within(said, shows_usage=self is ACTIONS)

    def field(self, typed: str) -> str:
        """Return the filter *typed*, which is said again as it was typed. Raises `Failure`."""
        if self.shape.field_named(typed) is None:
            is_action = self is ACTIONS
            raise Failure(f"Invalid field filter '{typed}'.", self.misuse, shows_usage=is_action)
        return typed


ACTIONS: Final = Kind(
    "action", ACTION, render.action_row, lambda one: render.summary("action", one), MISUSE
)
TRIGGERS: Final = Kind(
    "trigger", TRIGGER, render.trigger_row, lambda one: render.summary("trigger", one)
)
PACKAGES: Final = Kind("package", PACKAGE, render.package_row, render.package_summary)
RULES: Final = Kind("rule", RULE, render.rule_row, render.rule_summary)


def show(session: Session, kind: Kind, name: EntityName, found: Document, key: str | None) -> None:
    """Print an entity that was got, or its field *key*."""
    value = kind.shape.laid_out(found) if key is None else kind.shape.value_of(key, found)
    if shown(session, value):
        return
    field = "" if key is None else f", displaying field {bold(key)}"
    ok(f"got {kind.noun} {bold(name.in_namespace)}{field}")
    print_json(value)


def summarised(session: Session, kind: Kind, found: Document) -> None:
    """Print what an entity is for."""
    lines = kind.summary(found)
    if not shown(session, lines):
        print("\n".join(lines))


def wrote(session: Session, kind: Kind, verb: str, name: EntityName, document: Document) -> None:
    """Say what was done to an entity: *verb* is `created`, `deleted`, …."""
    whole = {"namespace": name.namespace, "name": name.in_namespace, **document}
    said = f"{verb} {kind.noun} {bold(name.in_namespace)}"
    told(session, said, kind.shape.laid_out(whole))


def delete(session: Session, kind: Kind, name: EntityName, *, force: bool = False) -> None:
    """Delete an entity, and say so."""
    client = session.client()
    try:
        client.delete(kind.collection, name, force=force)
    except Failure as failure:
        raise kind.unable("delete", name, failure) from failure
    wrote(session, kind, "deleted", name, {})


def page_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a list the flags that say which part of it, and in what order."""
    for option in (
        click.option("-n", "--name-sort", is_flag=True, help="sorted by name"),
        click.option("-s", "--skip", type=INTEGER, default=0, help="not the first so many"),
        click.option("-l", "--limit", type=INTEGER, default=30, help="at most so many (30)"),
    ):
        command = option(command)
    return command


def page(
    client: "Client", kind: Kind, scope: Scope,
    *, limit: int, skip: int, name_sort: bool, among: str | None = None,
) -> list[Document]:  # fmt: skip
    """Return one page of a list; rules with the status that their rows lack.

    among: what a failure says could not be listed, where it is more than this kind.
    """
    try:
        found = client.entities(kind.collection, scope, limit, skip)
    except Failure as failure:
        listed = among or kind.collection
        said = f"Unable to obtain the list of {listed} for namespace '{scope.shown}'"
        shows_usage = kind is ACTIONS and among is None
        raise failure.within(said, shows_usage=shows_usage) from failure
    if kind is RULES:
        for rule in found:
            name = EntityName(str(rule.get("name", "")), None, scope.namespace)
            rule["status"] = status(client, name, is_listed=True)
    return render.by_name(found) if name_sort else found


def status(client: "Client", name: EntityName, *, is_listed: bool = False) -> str:
    """Return whether a rule is `active` or `inactive`.

    is_listed: whether it is for a list, which does not point to the help when it fails.
    """
    try:
        return str(client.entity("rules", name).get("status", ""))
    except Failure as failure:
        said = f"Unable to get status of rule '{name.in_namespace}'"
        raise failure.within(said, shows_usage=not is_listed) from failure


def print_page(session: Session, kind: Kind, rows: list[Document]) -> None:
    """Print a list: its heading, also of an empty one, and its rows."""
    if shown(session, rows, is_tabular=True):
        return
    print(bold(kind.collection))
    for row in rows:
        print(kind.row(row))
