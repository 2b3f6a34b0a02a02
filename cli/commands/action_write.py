"""`action create` and `action update`: from flags and a file to the document of an action.

What was not typed is not sent: the server keeps what it has. So an update that gives a parameter
sends the parameters and nothing else.
"""

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.artifacts import NOTHING_TO_RUN, Recipe, exec_of
from cli.commands import entities
from cli.commands.entities import ACTIONS, Document
from cli.failures import MISUSE, Change, Failure, Remedy
from cli.grammar import INTEGER, Group, Words
from cli.jsontext import Json
from cli.names import EntityName, parse_entity
from cli.session import Session
from cli.webflags import MAX_SECRET, Annotations, WebFlags, annotations

_NOT_FOUND: Final = 404
_LIMITS: Final = ("timeout", "memory", "logs", "concurrency")

if TYPE_CHECKING:
    from cli.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFlags:
    """The flags of create and update; None was not typed."""

    kind: str | None
    main: str | None
    docker: str | None
    native: bool
    sequence: bool
    copy: bool
    web: str | None
    web_secure: str | None
    timeout: int | None
    memory: int | None
    logs: int | None
    concurrency: int | None
    del_annotation: tuple[str, ...] = ()

    @property
    def limits(self) -> dict[str, int]:
        """The limits that were typed, by their names on the wire."""
        typed = {name: getattr(self, name) for name in _LIMITS}
        return {name: value for name, value in typed.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written, and what it is written over: nothing when it is created."""

    name: EntityName
    artifact: str | None
    flags: WriteFlags
    stored: dict[str, Json]


def _write_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--kind", metavar="KIND", help="language, as in python:3 or nodejs:20"),
        click.option("--main", metavar="NAME", help="the function to call"),
        click.option("--docker", metavar="IMAGE", help="run in this image"),
        click.option("--native", is_flag=True, help="the file is an executable, or an archive"),
        click.option("--sequence", is_flag=True, help="the words are actions: a,b,c"),
        click.option("--copy", is_flag=True, help="the word is an action to copy"),
        click.option("--web", metavar="yes|raw|no", help="whether the web may call it"),
        click.option("--web-secure", metavar="SECRET", help="what web callers must know"),
        click.option("-t", "--timeout", type=INTEGER, metavar="MS", help="time limit (60000)"),
        click.option("-m", "--memory", type=INTEGER, metavar="MB", help="memory limit (256)"),
        click.option("-l", "--logsize", "logs", type=INTEGER, metavar="MB", help="log limit (10)"),
        click.option("-c", "--concurrency", type=INTEGER, help="activations at a time (1)"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def register(group: Group) -> None:
    """Give *group* the verbs create and update."""
    write: dict[str, Any] = {
        "shown": "NAME [FILE]",
        "takes": ("parameter", "annotation"),
        "completes": ("actions", "files"),
    }
    create = group.command("create", words=(1, 2), needs=NOTHING_TO_RUN, **write)
    create(_write_options(_create))
    update = group.command(
        "update",
        words=(1, 2),
        needs="An action name is required. A code artifact is optional.",
        **write,
    )
    deletes = click.option("--del-annotation", multiple=True, metavar="KEY", help="drop it")
    update(deletes(_write_options(_update)))


def _create(session: Session, words: Words, **typed: Any) -> None:
    """Create an action from a file, an image or other actions."""
    draft = _draft(words, WriteFlags(**typed), {})
    client = session.client()
    try:
        document = _document(session, client, draft)
        if "exec" not in document:
            raise Failure("", MISUSE, remedy=_likely_file(draft.name.name))
    except Failure as failure:
        raise _invalid(failure) from failure
    made = _put(client, draft.name, document, overwrite=False)
    entities.wrote(session, ACTIONS, "created", draft.name, made)


def _update(session: Session, words: Words, **typed: Any) -> None:
    """Change an action, or create it; what is not typed stays as it is."""
    client = session.client()
    draft = _draft(words, WriteFlags(**typed), _stored(client, parse_entity(words[0])))
    try:
        document = _document(session, client, draft)
    except Failure as failure:
        raise _invalid(failure) from failure
    made = _put(client, draft.name, document, overwrite=True)
    entities.wrote(session, ACTIONS, "updated", draft.name, made)


def _draft(words: Words, flags: WriteFlags, stored: dict[str, Json]) -> Draft:
    return Draft(parse_entity(words[0]), words[1] if len(words) > 1 else None, flags, stored)


def _stored(client: "Client", name: EntityName) -> dict[str, Json]:
    try:
        return client.action(name, code=False)
    except Failure as failure:
        if failure.status == _NOT_FOUND:
            return {}
        raise failure.within(f"Unable to get action '{name.in_namespace}'") from failure


def _invalid(failure: Failure) -> Failure:
    """Return *failure* as one of the words of the line."""
    failure.text = f"Invalid argument(s). {failure.text or NOTHING_TO_RUN}"
    return failure


def _document(session: Session, client: "Client", draft: Draft) -> dict[str, Json]:
    """Return the body of the request: only what was typed."""
    flags = draft.flags
    if session.is_brisk and draft.artifact and not (flags.copy or flags.sequence or flags.docker):
        from cli.develop.reading import check

        check(Path(draft.artifact), flags.kind, flags.main)
    source = _source(client, draft.artifact) if flags.copy else {}
    recipe = Recipe(
        artifact=draft.artifact,
        kind=flags.kind,
        main=flags.main,
        docker=flags.docker,
        is_native=flags.native,
        is_sequence=flags.sequence,
        builds=_tell if session.is_brisk else None,
    )
    parameters = session.typed.bindings("parameter")
    given = session.typed.bindings("annotation")
    if source:
        parameters = _appended(source.get("parameters"), parameters)
        given = _appended(source.get("annotations"), given)
    listed = _annotations(draft, given)
    parts: dict[str, Json] = {
        "exec": source.get("exec") if source else exec_of(recipe) or _other_exec(client, draft),
        "annotations": listed.listed,
        "delAnnotations": list(listed.deleted) or None,
        "parameters": parameters,
        "limits": {**(source.get("limits") or {}), **flags.limits} or None,
    }
    head = {"namespace": draft.name.namespace, "name": draft.name.in_namespace}
    return head | {key: value for key, value in parts.items() if value is not None}


def _likely_file(name: str) -> Remedy:
    """Return what may have been left out: a file or folder of the action's name."""
    found = [path.name for path in sorted(Path().iterdir()) if path.stem == name]
    change = Change((), (found[0],)) if found else None
    return Remedy("there is nothing to run", f"brisk action create {name} FILE", change)


def _tell(text: str) -> None:
    print(f"{text} …", file=sys.stderr, flush=True)


def _other_exec(client: "Client", draft: Draft) -> dict[str, Json] | None:
    """Return the stored code under another kind or function; None when neither was typed.

    An `exec` replaces the stored one whole, so the code has to be sent again with it.
    """
    typed = {"kind": draft.flags.kind, "main": draft.flags.main}
    changed = {key: value for key, value in typed.items() if value}
    if not changed or not draft.stored:
        return None
    try:
        stored = client.action(draft.name, code=True)
    except Failure as failure:
        raise ACTIONS.unable("get", draft.name, failure) from failure
    return {**(stored.get("exec") or {}), **changed}


def _annotations(draft: Draft, given: list[Json] | None) -> Annotations:
    flags = draft.flags
    web = WebFlags(web=flags.web, secure=flags.web_secure, deleted=flags.del_annotation)
    stored = draft.stored.get("annotations") or []
    return annotations(web, given, stored, lambda: secrets.randbelow(MAX_SECRET) + 1)


def _source(client: "Client", typed: str | None) -> dict[str, Json]:
    if typed is None:
        raise Failure("", MISUSE)
    name = parse_entity(typed)
    try:
        return client.action(name, code=True)
    except Failure as failure:
        raise failure.within(f"Unable to get action '{name.in_namespace}'") from failure


def _appended(copied: list[Json] | None, given: list[Json] | None) -> list[Json]:
    """Return the copied bindings with the *given* ones laid over them."""
    keys = {one["key"] for one in given or []}
    return [one for one in copied or [] if one.get("key") not in keys] + (given or [])


def _put(client: "Client", name: EntityName, document: Json, *, overwrite: bool) -> Document:
    try:
        return client.put("actions", name, document, overwrite=overwrite)
    except Failure as failure:
        # An update that fails says «create» too: scripts match on it.
        raise failure.within(f"Unable to create action '{name.in_namespace}'") from failure
