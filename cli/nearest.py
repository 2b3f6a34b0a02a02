"""What somebody may have meant by a name that is not there: looked up, proposed, never done."""

import shlex
from difflib import get_close_matches
from typing import Final

from cli.failures import Failure, Remedy
from cli.names import EntityName, Scope, parse_entity
from cli.session import Session

MOST_NAMES: Final = 200
_SECRET_FLAGS: Final = frozenset({"auth", "key"})


def proposed(session: Session, failure: Failure) -> Remedy:
    """Return how to get on where an entity is missing: the same line with the name put right."""
    if failure.missing is None:
        return failure.remedy
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
        return Remedy(f"there is {noun} {meant.in_namespace}", _line(session, noun, name, meant))
    if not found:
        return Remedy(f"there are no {collection} here yet", f"brisk {noun} create --help")
    return Remedy(f"no {noun} here has such a name", f"brisk {noun} list")


def _line(session: Session, noun: str, name: EntityName, meant: EntityName) -> str:
    """Return what was typed, with *meant* in place of *name*."""
    if _SECRET_FLAGS & session.flags.keys():
        return f"brisk {noun} get {meant.in_namespace}"  # A key is not printed again.
    return shlex.join([session.program, *(_word(word, name, meant) for word in session.argv)])


def _word(word: str, name: EntityName, meant: EntityName) -> str:
    try:
        if parse_entity(word) != name:
            return word
    except Failure:
        return word
    return str(meant) if word.startswith("/") else meant.in_namespace
