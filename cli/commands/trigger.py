"""`trigger`: events under a name; where a feed makes them, the command line orders them there."""

import sys
from typing import Final

import click

from cli import feeds
from cli.commands import entities
from cli.commands.entities import NAMESPACE_NEEDED, TRIGGERS, Document, page_options
from cli.commands.trigger_feed import notify
from cli.console import bold, ok
from cli.failures import Failure
from cli.grammar import Group, Words
from cli.jsontext import Json
from cli.names import EntityName, Scope, parse_entity, parse_namespace
from cli.output import told
from cli.session import Session

NAME_NEEDED: Final = "A trigger name is required."
_TAKES: Final = ("parameter", "annotation", "feed", "trigger")
_NOT_FOUND: Final = 404

trigger = Group("trigger", help="Triggers: create, fire, get, list, update, delete.")


@trigger.command(
    "create", words=(1, 1), shown="NAME", completes=("triggers",), needs=NAME_NEEDED, takes=_TAKES
)
@click.option("-f", "--feed", metavar="ACTION", help="the action that makes its events")
def create(session: Session, words: Words, feed: str | None) -> None:
    """Create a trigger, and have a feed make its events."""
    name = parse_entity(words[0])
    _create(session, name, feeds.values_of(session.typed), feed)


def _create(session: Session, name: EntityName, values: feeds.Values, feed: str | None) -> None:
    if feed is None:
        feeds.require_feed(values)
    else:
        feed = str(parse_entity(feed))
    given = session.typed.bindings("annotation")
    if feed is not None:
        given = feeds.annotations_kept(given or [], feed)
    document = _document(name, given, values.stored(has_feed=feed is not None))
    made = _put(session, name, document, overwrite=False)
    if feed is not None:
        try:
            notify(session, feed, "CREATE", name, values.sent)
        except Failure as failure:
            _roll_back(session, name, feed, values)
            raise TRIGGERS.unable("create", name, failure) from failure
    entities.wrote(session, TRIGGERS, "created", name, made)


def _roll_back(session: Session, name: EntityName, feed: str, values: feeds.Values) -> None:
    """Delete a trigger whose feed could not be configured; the feed may know of it already."""
    client = session.client()
    try:
        client.entity("triggers", name)
        payload = feeds.call("DELETE", name, session.configuration().auth, values.sent)
        _forget(session, feed, payload)
        client.delete("triggers", name)
    except Failure as failure:
        # The failure that is being told says what matters; this is what is left to do.
        said = f"note: the trigger {name.in_namespace} is still there: {failure.text}"
        print(said, file=sys.stderr)
        return
    ok(f"deleted trigger {bold(name.in_namespace)}", sys.stderr if session.is_brisk else None)


def _forget(session: Session, feed: str, payload: Document) -> None:
    try:
        session.client().invoke(parse_entity(feed), payload, blocking=True, result=False)
    except Failure:
        return  # What could not be configured need not be there to forget it.


@trigger.command(
    "update", words=(1, 1), shown="NAME", completes=("triggers",), needs=NAME_NEEDED, takes=_TAKES
)
def update(session: Session, words: Words) -> None:
    """Change a trigger, or create it; what is not typed stays as it is."""
    name = parse_entity(words[0])
    values = feeds.values_of(session.typed)
    try:
        found = session.client().entity("triggers", name)
    except Failure as failure:
        if failure.status != _NOT_FOUND:
            raise TRIGGERS.unable("get", name, failure) from failure
        _create(session, name, values, None)
        return
    feed = feeds.feed_of(found)
    if feed is None and values.feed is not None:
        said = f"Unable to configure feed '{name.in_namespace}'"
        raise Failure(f"{said}: this trigger does not contain a feed", shows_usage=False)
    given = feeds.annotations_kept(session.typed.bindings("annotation"), feed)
    if feed is None or values.is_split or given is not None:
        document = _document(name, given, values.stored(has_feed=feed is not None))
        found = _put(session, name, document, overwrite=True)
    # What was typed for the trigger alone is no news for the feed.
    if feed is not None and (not values.is_split or values.feed is not None):
        try:
            notify(session, feed, "UPDATE", name, values.sent)
        except Failure as failure:
            raise TRIGGERS.unable("update", name, failure) from failure
    entities.wrote(session, TRIGGERS, "updated", name, found)


@trigger.command(
    "fire",
    words=(1, 1),
    shown="NAME",
    completes=("triggers",),
    needs=NAME_NEEDED,
    takes=("parameter",),
)
def fire(session: Session, words: Words) -> None:
    """Fire a trigger: each of its active rules runs its action."""
    name = parse_entity(words[0])
    payload = session.typed.values("parameter") or {}
    try:
        activation_id = session.client().fire(name, payload)
    except Failure as failure:
        raise TRIGGERS.unable("fire", name, failure) from failure
    said = f"triggered {bold(str(name))} with id {bold(activation_id)}"
    told(session, said, {"activationId": activation_id})


@trigger.command(
    "get", words=(1, 2), shown="NAME [FIELD]", completes=("triggers",), needs=NAME_NEEDED
)
@click.option("-s", "--summary", is_flag=True, help="what it is for, in two lines")
def get(session: Session, words: Words, summary: bool) -> None:
    """Show a trigger, or one field of it; of one with a feed, what the feed knows."""
    key = TRIGGERS.field(words[1]) if len(words) > 1 else None
    name = parse_entity(words[0])
    found = _found(session, name)
    feed = feeds.feed_of(found)
    if feed is not None and key is None and not summary and not session.output:
        notify(session, feed, "READ", name, {})
    elif summary:
        entities.summarised(session, TRIGGERS, found)
    else:
        entities.show(session, TRIGGERS, name, found, key)


@trigger.command("list", words=(0, 1), shown="[/NAMESPACE]", needs=NAMESPACE_NEEDED)
@page_options
def list_triggers(session: Session, words: Words, **flags: Json) -> None:
    """List the triggers of a namespace, the newest first."""
    scope = parse_namespace(words[0]) if words else Scope()
    rows = entities.page(session.client(), TRIGGERS, scope, **flags)
    entities.print_page(session, TRIGGERS, rows)


@trigger.command("delete", words=(1, 1), shown="NAME", completes=("triggers",), needs=NAME_NEEDED)
def delete(session: Session, words: Words) -> None:
    """Delete a trigger, and have its feed forget it."""
    name = parse_entity(words[0])
    feed = feeds.feed_of(_found(session, name))
    if feed is not None:
        try:
            notify(session, feed, "DELETE", name, {})
        except Failure as failure:
            # A feed that is gone must not keep its triggers alive.
            print(f"note: {failure.text}", file=sys.stderr)
    entities.delete(session, TRIGGERS, name)


def _found(session: Session, name: EntityName) -> Document:
    try:
        return session.client().entity("triggers", name)
    except Failure as failure:
        raise TRIGGERS.unable("get", name, failure) from failure


def _put(session: Session, name: EntityName, document: Document, *, overwrite: bool) -> Document:
    try:
        return session.client().put("triggers", name, document, overwrite=overwrite)
    except Failure as failure:
        verb = "update" if overwrite else "create"
        raise TRIGGERS.unable(verb, name, failure) from failure


def _document(
    name: EntityName, annotations: list[Json] | None, parameters: list[Json] | None
) -> Document:
    parts = {"annotations": annotations, "parameters": parameters}
    head: Document = {"name": name.in_namespace}
    return head | {key: value for key, value in parts.items() if value is not None}
