"""`package`: actions under one name, with common parameters; and bindings of others' packages."""

from typing import Final

import click

from cli.commands import entities
from cli.commands.entities import NAMESPACE_NEEDED, PACKAGES, Document, page_options
from cli.console import bold
from cli.failures import Change, Failure, Remedy
from cli.grammar import BriskOption, Group, Words
from cli.jsontext import Json
from cli.names import OWN, EntityName, Scope, parse_entity, parse_namespace
from cli.output import shown, told
from cli.session import Session

NAME_NEEDED: Final = "A package name is required."
_TAKES: Final = ("parameter", "annotation")
_SHARED: Final = {"yes": True, "no": False}

package = Group("package", help="Packages: create, bind, get, list, update, delete.")
_shared = click.option("--shared", metavar="yes|no", help="whether everybody may bind it")


@package.command(
    "create", words=(1, 1), shown="NAME", completes=("packages",), needs=NAME_NEEDED, takes=_TAKES
)
@_shared
def create(session: Session, words: Words, shared: str | None) -> None:
    """Create a package."""
    name = parse_entity(words[0])
    document = _document(session, name, shared)
    try:
        made = session.client().put("packages", name, document, overwrite=False)
    except Failure as failure:
        raise PACKAGES.unable("create", name, failure) from failure
    entities.wrote(session, PACKAGES, "created", name, made)


@package.command(
    "update", words=(1, 1), shown="NAME", completes=("packages",), needs=NAME_NEEDED, takes=_TAKES
)
@_shared
def update(session: Session, words: Words, shared: str | None) -> None:
    """Change a package, or create it; what is not typed stays as it is."""
    name = parse_entity(words[0])
    document = _document(session, name, shared)
    try:
        made = session.client().put("packages", name, document, overwrite=True)
    except Failure as failure:
        raise failure.within("Package update failed", shows_usage=False) from failure
    entities.wrote(session, PACKAGES, "updated", name, made)


@package.command(
    "bind",
    words=(2, 2),
    shown="PROVIDER NAME",
    completes=("packages", "packages"),
    needs="A package name and binding name are required.",
    takes=_TAKES,
)
@click.option("-o", "--overwrite", is_flag=True, help="replace a binding of that name")
def bind(session: Session, words: Words, overwrite: bool) -> None:
    """Create a package NAME that is PROVIDER, with parameters of its own."""
    provider, name = parse_entity(words[0]), parse_entity(words[1])
    document = _bound(session) | {
        "binding": {"namespace": provider.namespace, "name": provider.in_namespace}
    }
    try:
        made = session.client().put("packages", name, document, overwrite=overwrite)
    except Failure as failure:
        raise failure.within("Binding creation failed", shows_usage=False) from failure
    whole = {"namespace": name.namespace, "name": name.in_namespace, **made}
    said = f"created binding {bold(name.in_namespace)}"
    told(session, said, PACKAGES.shape.laid_out(whole))


@package.command(
    "get", words=(1, 2), shown="NAME [FIELD]", completes=("packages",), needs=NAME_NEEDED
)
@click.option("-s", "--summary", is_flag=True, help="what it is for, and what is in it")
def get(session: Session, words: Words, summary: bool) -> None:
    """Show a package, or one field of it."""
    key = PACKAGES.field(words[1]) if len(words) > 1 else None
    name = parse_entity(words[0])
    try:
        found = session.client().entity("packages", name)
    except Failure as failure:
        raise PACKAGES.unable("get", name, failure) from failure
    if summary:
        entities.summarised(session, PACKAGES, found)
    else:
        entities.show(session, PACKAGES, name, found, key)


@package.command("list", words=(0, 1), shown="[/NAMESPACE]", needs=NAMESPACE_NEEDED)
@page_options
def list_packages(session: Session, words: Words, **flags: Json) -> None:
    """List the packages of a namespace, the newest first."""
    scope = parse_namespace(words[0]) if words else Scope()
    rows = entities.page(session.client(), PACKAGES, scope, **flags)
    entities.print_page(session, PACKAGES, rows)


@package.command("delete", words=(1, 1), shown="NAME", completes=("packages",), needs=NAME_NEEDED)
@click.option("--force", is_flag=True, cls=BriskOption, help="with everything in it")
def delete(session: Session, words: Words, force: bool = False) -> None:
    """Delete a package that is empty."""
    entities.delete(session, PACKAGES, parse_entity(words[0]), force=force)


@package.command("refresh", words=(0, 1), shown="[/NAMESPACE]", needs=NAMESPACE_NEEDED)
def refresh(session: Session, words: Words) -> None:
    """Have the server look for the bindings of a namespace anew."""
    scope = parse_namespace(words[0]) if words else Scope(OWN)
    try:
        answer = session.client().refresh_packages(scope.namespace)
    except Failure as failure:
        said = f"Package refresh for namespace '{scope.namespace}' failed"
        raise failure.within(said, shows_usage=False) from failure
    if shown(session, answer):
        return
    print(f"'{bold(scope.namespace)}' refreshed successfully")
    for done, key in (("created", "added"), ("updated", "updated"), ("deleted", "deleted")):
        print(f"{done} bindings:")
        for name in answer.get(key) or []:
            print(name)


def _bound(session: Session) -> Document:
    """Return the parameters and annotations that were typed."""
    typed = {
        "annotations": session.typed.bindings("annotation"),
        "parameters": session.typed.bindings("parameter"),
    }
    return {key: value for key, value in typed.items() if value is not None}


def _document(session: Session, name: EntityName, shared: str | None) -> Document:
    head: Document = {"namespace": name.namespace, "name": name.in_namespace}
    if shared is not None:
        if shared.lower() not in _SHARED:
            remedy = Remedy("it is yes or no", change=Change((shared,), ("yes",)))
            raise Failure(f"Cannot use value '{shared}' for shared.", remedy=remedy)
        head["publish"] = _SHARED[shared.lower()]
    return head | _bound(session)
