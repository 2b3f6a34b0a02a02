"""How an owner changes who may call an API: keys that come and go, and what is asked of callers.

Pure. The first key closes an API for all who have none; taking the last one away opens it for
nobody. It is opened by saying so.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from common.entity.api import Access, Api, ApiKey, digest_of
from common.errors import MalformedContent, NoSuchResource

MOST_PER_MINUTE: Final = 100_000
"""Of calls that are counted: the moment of each is kept for as long."""
MAX_LABEL: Final = 100
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_NOT_FOR_KEYS: Final = frozenset(
    {
        "accept", "authorization", "connection", "content-length", "content-type", "cookie", "host",
        "origin", "te", "trailer", "transfer-encoding", "upgrade", "x-require-whisk-auth",
    }
)  # fmt: skip
"""Headers that say something else, and that clients or proxies set by themselves."""
_FIELDS: Final = frozenset({"needsKey", "header", "perMinute", "showsDocs"})


def with_key(api: Api, key: ApiKey, *, most: int) -> Api:
    """Return *api* with one more key, which it asks for from now on. Raises `MalformedContent`."""
    if len(api.keys) >= most:
        raise MalformedContent(f"an API has {most} keys at most: revoke one that is not used")
    return replace(api, keys=(*api.keys, key), access=replace(api.access, needs_key=True))


def without_key(api: Api, key_id: str) -> Api:
    """Return *api* without a key; it goes on asking for one. Raises `NoSuchResource`."""
    left = tuple(key for key in api.keys if key.key_id != key_id)
    if len(left) == len(api.keys):
        raise NoSuchResource
    return replace(api, keys=left)


def with_access(api: Api, given: Any) -> Api:
    """Return *api* with what *given*, an object, says of it. Raises `MalformedContent`."""
    if not isinstance(given, dict) or not given.keys() <= _FIELDS:
        raise MalformedContent(f"an object is expected, with any of {', '.join(sorted(_FIELDS))}")
    old = api.access
    access = Access(
        needs_key=_truth(given, "needsKey", old.needs_key) is True,
        header=_header(given.get("header", old.header)),
        per_minute=_per_minute(given, old.per_minute),
        shows_docs=_truth(given, "showsDocs", old.shows_docs, may_be_null=True),
    )
    return replace(api, access=access)


def new_key(given: Any, key: str, key_id: str, now_ms: int) -> ApiKey:
    """Return what is kept of *key*, with the label and the limit in *given*.

    Raises `MalformedContent`.
    """
    if not isinstance(given, dict) or not given.keys() <= {"label", "perMinute"}:
        raise MalformedContent("an object is expected, with label and perMinute at most")
    label = given.get("label", "")
    if not isinstance(label, str) or len(label) > MAX_LABEL or not label.isprintable():
        raise MalformedContent(f"a label is a text of {MAX_LABEL} characters at most, in one line")
    return ApiKey(
        key_id=key_id,
        label=label,
        digest=digest_of(key),
        per_minute=_per_minute(given, None),
        created_ms=now_ms,
    )


def shown_access(api: Api) -> dict[str, Any]:
    """Return what is asked of callers, as an owner reads it."""
    return {
        "needsKey": api.access.needs_key,
        "header": api.access.header,
        "perMinute": api.access.per_minute,
        "showsDocs": api.shows_docs,
    }


def shown_key(key: ApiKey) -> dict[str, Any]:
    """Return what an owner may read of a key: not the key."""
    return {
        "id": key.key_id,
        "label": key.label,
        "perMinute": key.per_minute,
        "created": key.created_ms,
    }


def _header(given: Any) -> str:
    if not isinstance(given, str) or not _HEADER.fullmatch(given) or given.lower() in _NOT_FOR_KEYS:
        raise MalformedContent(
            "header is to name a header of its own: letters, digits and '-', such as X-API-Key"
        )
    return given


def _per_minute(given: Mapping[str, Any], old: int | None) -> int | None:
    value = given.get("perMinute", old)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_PER_MINUTE:
        return value
    raise MalformedContent(
        f"perMinute is to be a number from 1 to {MOST_PER_MINUTE}, or null for no limit"
    )


def _truth(
    given: Mapping[str, Any], name: str, old: bool | None, *, may_be_null: bool = False
) -> bool | None:
    value = given.get(name, old)
    if not isinstance(value, bool) and not (value is None and may_be_null):
        raise MalformedContent(f"{name} is to be true or false")
    return value
