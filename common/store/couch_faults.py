"""What an answer of CouchDB means, when it is not the wanted one, and how long to wait after it.

Pure: a status and a body in, an error out. The texts are those of CouchDB 3.5. Whether a request
may be sent again is part of the meaning: `Refused` was never read by a database, any other
`StoreUnavailable` may have been applied nevertheless.
"""

from collections.abc import Mapping
from typing import Any, Final

from common import codec
from common.store.port import Conflict, Denied, Missing, StoreError, StoreUnavailable

FIRST_PAUSE_S: Final = 0.05
LAST_PAUSE_S: Final = 2.0
# The server waited for the body; it has too much to do.
_AWAY: Final = frozenset({408, 429})
_CREDENTIALS: Final = "BRISK_COUCHDB__USER and BRISK_COUCHDB__PASSWORD"


class Refused(StoreUnavailable):
    """The database cannot be reached. Nothing was changed."""


class Ambiguous(StoreUnavailable):
    """The database did not answer in time. It may have made the change nevertheless."""


class DatabaseMissing(Missing):
    """There is no such database yet."""


class TooLarge(StoreError):
    """The database takes no document of this size."""

    def __init__(self, doc_id: str) -> None:
        """Name the document that is too large, as far as the answer does."""
        super().__init__(f"The document {doc_id} is larger than the database takes.")
        self.doc_id = doc_id


class Invalid(StoreError):
    """The database does not understand the request."""


class WrongPassword(Denied):
    """The database does not know this user, or this is not the user's password."""


class Locked(Denied):
    """The database has locked this user out for some minutes, after wrong passwords."""


class NotAllowed(Denied):
    """The database knows this user, who may not do this. No lock comes of asking again."""

    pause_s = 5.0


def error_of(status: int, body: bytes) -> StoreError:
    """Return what an answer with an unwanted *status* means."""
    said = _said(body)
    error, reason = str(said.get("error", "")), str(said.get("reason", ""))
    text = f"The database says {status} {error}: {reason}"
    if status in (401, 403):
        return _denied(text, reason.lower())
    if status == 413:
        return TooLarge(reason)
    if not error or status in _AWAY or status >= 500:
        # All from 500 on: maintenance, a time-out inside, a full disk, a proxy before it. What has
        # no error in CouchDB's words comes from somebody else, and says nothing of the request.
        return Ambiguous(text)
    if status == 404:
        return DatabaseMissing(text) if _names_database(reason) else Missing()
    if status in (409, 412):
        return Conflict()
    return Invalid(text)


def _denied(text: str, reason: str) -> Denied:
    if "locked" in reason:
        return Locked(
            f"{text} The lock ends by itself after some minutes; wrong passwords from this address "
            f"set it: compare {_CREDENTIALS} of every process here with the database's."
        )
    if "password" in reason:
        return WrongPassword(f"{text} Compare {_CREDENTIALS} with the database's.")
    return NotAllowed(f"{text} The user of BRISK_COUCHDB__USER needs this right.")


def pause_s(failures: int, jitter: float) -> float:
    """Return how long to wait after so many failures in a row: doubled, with full jitter.

    failures: from 1. jitter: uniform in [0, 1).
    """
    longest: float = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 10), LAST_PAUSE_S)
    return longest * jitter


def _said(body: bytes) -> Mapping[str, Any]:
    try:
        said = codec.decode(body)
    except codec.MalformedJson:
        return {"reason": body[:200].decode(errors="replace")}
    return said if isinstance(said, dict) else {}


def _names_database(reason: str) -> bool:
    return reason in ("Database does not exist.", "no_db_file")
