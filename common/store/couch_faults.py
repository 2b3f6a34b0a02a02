"""What an answer of CouchDB means, when it is not the wanted one, and how long to wait after it.

Pure: a status and a body in, an error out. The texts are those of CouchDB 3.5. Whether a request
may be sent again is part of the meaning: `Refused` was never read by a database, any other
`StoreUnavailable` may have been applied nevertheless.
"""

from collections.abc import Mapping
from typing import Any, Final

from common import codec
from common.store.port import Conflict, Missing, StoreError, StoreUnavailable

FIRST_PAUSE_S: Final = 0.05
LAST_PAUSE_S: Final = 2.0
# An account is locked for 300 s; who asks often prolongs it for everybody behind the same address.
DENIED_PAUSE_S: Final = 30.0
# 408: the server waited for the body. 500: maintenance, a timeout inside. 502, 504: a proxy.
_AWAY: Final = frozenset({408, 429, 500, 502, 503, 504})


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


class Denied(StoreError):
    """The database does not know this user or password, or does not let them."""


class Locked(Denied):
    """The database has locked this user out for some minutes, after wrong passwords."""

    retryable = True


def error_of(status: int, body: bytes) -> StoreError:
    """Return what an answer with an unwanted *status* means."""
    said = _said(body)
    error, reason = str(said.get("error", "")), str(said.get("reason", ""))
    text = f"The database says {status} {error}: {reason}"
    if status == 401:
        return Denied(text)
    if status == 403:
        return Locked(text) if "locked" in reason.lower() else Denied(text)
    if status == 404:
        return DatabaseMissing(text) if _names_database(reason) else Missing()
    if status in (409, 412):
        return Conflict()
    if status == 413:
        return TooLarge(reason)
    return Ambiguous(text) if status in _AWAY else Invalid(text)


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
