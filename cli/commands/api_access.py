"""`api key` and `api limit`: who may call an API, and how often. OpenWhisk has no such commands."""

from typing import Final

import click

from cli.console import bold, ok
from cli.failures import Change, Failure, Remedy
from cli.grammar import INTEGER, Command, Group, Words
from cli.jsontext import Json
from cli.output import shown, told
from cli.render import columns, local_time
from cli.session import Session

API_NEEDED: Final = "An API base path or API name is required."
_ANSWERS: Final = {"yes": True, "no": False}
_NONE: Final = "none"

key = Group("key", help="Keys of an API: create, list, revoke.", is_brisk=True)
"""Below `api`, as `limit` is."""


@key.command(
    "create",
    words=(1, 1),
    shown="BASE_PATH|API_NAME",
    completes=("apis",),
    needs=API_NEEDED,
)
@click.option("--label", metavar="TEXT", help="whom or what it is for")
@click.option("--per-minute", type=INTEGER, metavar="N", help="calls in any 60 seconds")
def create_key(session: Session, words: Words, label: str | None, per_minute: int | None) -> None:
    """Make a key for an API, and print it: it is told this once."""
    [name] = words
    given = {"label": label, "perMinute": per_minute}
    body = {key: value for key, value in given.items() if value is not None}
    try:
        made = session.client().make_api_key(name, body)
    except Failure as failure:
        raise failure.within(f"Unable to create a key for API '{name}'") from failure
    if not shown(session, made):
        ok(f"created key {bold(str(made.get('id')))} for API {name}; it is not told again")
        print(made.get("key"))


@key.command(
    "list", words=(1, 1), shown="BASE_PATH|API_NAME", completes=("apis",), needs=API_NEEDED
)
def list_keys(session: Session, words: Words) -> None:
    """List the keys of an API: what they are for, and not what they are."""
    [name] = words
    rows = list(_described(session, name).get("keys") or [])
    if shown(session, rows, is_tabular=True):
        return
    cells = [
        (
            str(row.get("id")),
            str(row.get("label") or ""),
            local_time(int(row.get("created") or 0)),
            _limit(row.get("perMinute")),
        )
        for row in rows
    ]
    for line in columns(("KEY", "LABEL", "CREATED", "PER MINUTE"), cells, 1):
        print(line)


@key.command(
    "revoke",
    words=(2, 2),
    shown="BASE_PATH|API_NAME KEY",
    completes=("apis",),
    needs="An API base path or API name, and the id of a key are required.",
)
def revoke_key(session: Session, words: Words) -> None:
    """Revoke a key by its id: who has it gets in no more."""
    name, key_id = words
    try:
        session.client().revoke_api_key(name, key_id)
    except Failure as failure:
        raise failure.within(f"Unable to revoke key '{key_id}' of API '{name}'") from failure
    told(session, f"revoked key {bold(key_id)} of API {name}", {"id": key_id, "api": name})


@click.command(
    "limit",
    cls=Command,
    is_brisk=True,
    words=(1, 1),
    shown="BASE_PATH|API_NAME",
    completes=("apis",),
    needs=API_NEEDED,
)
@click.option("--docs", metavar="yes|no", help="whether anybody may read its documentation")
@click.option("--header", metavar="NAME", help="which header carries the key (X-API-Key)")
@click.option("--needs-key", metavar="yes|no", help="whether a caller needs a key")
@click.option(
    "--per-minute",
    metavar="N|none",
    help="calls in any 60 seconds: of each key, or of everybody together",
)
def limit(
    session: Session,
    words: Words,
    per_minute: str | None,
    needs_key: str | None,
    header: str | None,
    docs: str | None,
) -> None:
    """Say who may call an API, and how often; without a flag, show it."""
    [name] = words
    body: dict[str, Json] = {}
    if per_minute is not None:
        body["perMinute"] = _number(per_minute)
    if needs_key is not None:
        body["needsKey"] = _truth("needs-key", needs_key)
    if header is not None:
        body["header"] = header
    if docs is not None:
        body["showsDocs"] = _truth("docs", docs)
    if not body:
        access = _described(session, name).get("access") or {}
    else:
        try:
            access = session.client().put_api_access(name, body)
        except Failure as failure:
            raise failure.within(f"Unable to change API '{name}'") from failure
    if shown(session, access):
        return
    ok(f"{'changed' if body else 'got'} limits of API {bold(name)}")
    for what, value in _told(access):
        print(f"{what}: {value}")


def _described(session: Session, name: str) -> dict[str, Json]:
    try:
        found = session.client().described_apis(name)
    except Failure as failure:
        raise failure.within(f"Unable to get API '{name}'") from failure
    if not found:
        raise Failure(f"API does not exist for basepath {name}", shows_usage=False)
    return found[0]


def _told(access: dict[str, Json]) -> list[tuple[str, str]]:
    keyed = access.get("needsKey")
    return [
        ("key", f"needed, in the header {access.get('header')}" if keyed else "not needed"),
        ("calls per minute", _limit(access.get("perMinute")) + (" of each key" * bool(keyed))),
        ("documentation", "for everybody" if access.get("showsDocs") else "not shown"),
    ]


def _limit(per_minute: Json) -> str:
    return "no limit" if per_minute is None else str(per_minute)


def _number(typed: str) -> int | None:
    if typed.lower() == _NONE:
        return None
    if not typed.isascii() or not typed.isdigit():
        remedy = Remedy("it is a number of calls, or none", change=Change((typed,), (_NONE,)))
        raise Failure(f"Cannot use value '{typed}' for per-minute.", remedy=remedy)
    return int(typed)


def _truth(flag: str, typed: str) -> bool:
    if typed.lower() not in _ANSWERS:
        remedy = Remedy("it is yes or no", change=Change((typed,), ("yes",)))
        raise Failure(f"Cannot use value '{typed}' for {flag}.", remedy=remedy)
    return _ANSWERS[typed.lower()]
