"""What somebody may have meant by a name that is not there: looked up, proposed, never done."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cli import environment
from cli.failures import Change, Failure, Remedy
from cli.names import EntityName, Scope, parse_entity
from cli.places import default_path
from cli.proxies import is_loopback
from cli.session import Session

MOST_NAMES: Final = 200
NO_KEY: Final = "Authorization key is not configured"
_UNAUTHORIZED: Final = 401


def proposed(session: Session, failure: Failure) -> Remedy:
    """Return how to get on, with what can be looked up: the name that was meant, a key."""
    if failure.missing is None:
        return _with_key(session, failure)
    collection, name = failure.missing
    noun = collection.removesuffix("s")
    try:
        scope = Scope(name.namespace, name.package)
        found = session.client().entities(collection, scope, MOST_NAMES, 0)
    except Failure:
        return failure.remedy  # The first answer said all that can be said.
    close = get_close_matches(name.name, [str(one.get("name", "")) for one in found], 1)
    if close:
        meant = EntityName(close[0], name.package, name.namespace)
        there = f"there is {noun} {meant.in_namespace}"
        typed = next((word for word in session.argv if _names(word, name)), "")
        shown = str(meant) if typed.startswith("/") else meant.in_namespace
        fix = f"brisk {noun} get {meant.in_namespace}"
        return Remedy(there, fix, Change((typed,), (shown,)) if typed else None)
    if not found:
        return Remedy(f"there are no {collection} here yet", f"brisk {noun} create --help")
    return Remedy(f"no {noun} here has such a name", f"brisk {noun} list")


def _names(word: str, name: EntityName) -> bool:
    try:
        return parse_entity(word) == name
    except Failure:
        return False


def _with_key(session: Session, failure: Failure) -> Remedy:
    """Return the remedy of *failure*; where a key is wrong, with one that is right here."""
    is_refused = failure.status == _UNAUTHORIZED
    if not (is_refused or NO_KEY in failure.text):
        return failure.remedy
    if "auth" in session.flags:
        return replace(failure.remedy, change=_without_flag(session.argv))
    data = Path(environment.variable("BRISK_DATA") or default_path()) / "guest.key"
    host = urlsplit(session.configuration().host_url).hostname or ""
    if environment.variable("WHISK_AUTH"):
        return replace(failure.remedy, fix="unset WHISK_AUTH")
    if not is_loopback(host) or not data.is_file():
        return failure.remedy
    return replace(failure.remedy, fix=f'brisk property set --auth "$(cat {data})"')


def _without_flag(argv: Sequence[str]) -> Change | None:
    """Return the change that leaves the typed key out, so that the kept one is used."""
    for flag, value in pairwise(argv):
        if flag in ("-u", "--auth"):
            return Change((flag, value), ())
    return next((Change((word,), ()) for word in argv if word.startswith("--auth=")), None)
