"""Who may do what in the double: users, the security object of a database, guarded documents.

As CouchDB documents it. Who is no server admin makes and deletes no database; who is no admin of a
database changes neither its security object nor its design documents; who is no member does nothing
in it. Members may write every other document, unless a function of a design document refuses that.
"""

import base64
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from common.store.couch_layout import ADMINS_WRITE
from tests.couchfake.database import Database, Failure
from tests.couchfake.faults import LOCKED

ADMIN: Final = "_admin"
USERS: Final = "_users"
_WRONG_PASSWORDS: Final = 5
"""As many lock a name."""


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    roles: frozenset[str] = frozenset()

    @property
    def is_server_admin(self) -> bool:
        return ADMIN in self.roles


class Users:
    """Names and passwords, and how often each was asked for with a wrong one."""

    def __init__(self, admin: tuple[str, str] | None) -> None:
        """Know *admin*, a name and a password; None lets in everybody, as a server admin."""
        self._is_open = admin is None
        self._passwords = dict([admin] if admin else [])
        self._users = {name: User(name, frozenset({ADMIN})) for name in self._passwords}
        self.wrong_passwords: Counter[str] = Counter()

    def add(self, doc: Mapping[str, Any]) -> None:
        """Take a document of `_users`."""
        name = doc["name"]
        self._passwords[name] = doc["password"]
        self._users[name] = User(name, frozenset(doc.get("roles", ())))

    def who(self, authorization: str | None) -> User:
        """Return who asks. Raises `Failure`."""
        if self._is_open:
            return User("", frozenset({ADMIN}))
        text = base64.b64decode((authorization or "").removeprefix("Basic ")).decode()
        name, _, password = text.partition(":")
        if self.wrong_passwords[name] >= _WRONG_PASSWORDS:
            raise Failure(403, "forbidden", LOCKED)
        if name not in self._users or self._passwords[name] != password:
            self.wrong_passwords[name] += authorization is not None
            raise Failure(401, "unauthorized", "Name or password is incorrect.")
        return self._users[name]


def require_server_admin(user: User) -> None:
    if not user.is_server_admin:
        raise Failure(401, "unauthorized", "You are not a server admin.")


def require_database_admin(user: User, db: Database) -> None:
    if not _is_among(user, db.security.get("admins", {})):
        raise Failure(403, "forbidden", "You are not a db or server admin.")


def require_member(user: User, db: Database) -> None:
    members = db.security.get("members", {})
    is_public = not (members.get("names") or members.get("roles"))
    is_known = any(_is_among(user, db.security.get(side, {})) for side in ("members", "admins"))
    if not (is_public or is_known):
        raise Failure(403, "forbidden", "You are not allowed to access this db.")


def require_writer(user: User, db: Database, doc_id: str) -> None:
    """Do what the functions `validate_doc_update` of the database do; a peer runs them.

    doc_id: `_index` makes a design document, too.
    """
    if doc_id.startswith(("_design/", "_index", "_security")):
        require_database_admin(user, db)
    for entry in db.designs.values():
        guard = entry.body.get("validate_doc_update")
        if guard is None:
            continue
        assert guard == ADMINS_WRITE, "the double can run no function that it does not know"
        if not user.is_server_admin:
            raise Failure(403, "forbidden", "Only a server admin may write here.")


def _is_among(user: User, named: Mapping[str, Any]) -> bool:
    names, roles = named.get("names", ()), named.get("roles", ())
    return user.is_server_admin or user.name in names or not user.roles.isdisjoint(roles)
