"""Query parameters as values. Each is read by name, with the words OpenWhisk has for a bad one.

The order in which a handler reads them is the order in which complaints come.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from common.entity.names import is_legal
from controller.edge.rejections import MalformedQuery

DEFAULT_LIST_LIMIT: Final = 30
MAX_LIST_LIMIT: Final = 200

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_INT32: Final = range(-(1 << 31), 1 << 31)
_INT64: Final = range(-(1 << 63), 1 << 63)
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted, or only how long it is."""

    limit: int
    skip: int
    count: bool


def boolean(query: Query, name: str, *, default: bool) -> bool:
    """Return the truth of parameter *name*; empty is *default*. Raises `MalformedQuery`."""
    text = query.get(name, "")
    if not text:
        return default
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise MalformedQuery(name, f"'{text}' is not a valid Boolean value")
    return value


def page(query: Query, collection: str) -> Page:
    """Return the part of *collection* that is wanted. Raises `MalformedQuery`."""
    skip = _list_number(query, "skip", collection, default=0)
    if skip < 0:
        text = f"The value '{skip}' is not greater than or equal to 0 for {collection}."
        raise MalformedQuery("skip", text)
    limit = _list_number(query, "limit", collection, default=DEFAULT_LIST_LIMIT)
    if not 0 <= limit <= MAX_LIST_LIMIT:
        text = f"The value '{limit}' is not in the range of 0 to {MAX_LIST_LIMIT} for {collection}."
        raise MalformedQuery("limit", text)
    return Page(limit or MAX_LIST_LIMIT, skip, boolean(query, "count", default=False))


def wait_ms(query: Query, longest_ms: int) -> int:
    """Return how long a blocking call waits, `timeout`. Raises `MalformedQuery`."""
    text = query.get("timeout")
    if text is None:
        return longest_ms
    value = _integer(text, _INT32)
    if value is None or not 1 <= value <= longest_ms:
        raise MalformedQuery(
            "timeout", f"Timeout must be number of milliseconds up to {longest_ms}."
        )
    return value


def action_filter(query: Query) -> str | None:
    """Return `name`: `action` or `package/action`, None for all. Raises `MalformedQuery`."""
    text = query.get("name", "")
    if not text.strip():
        return None
    parts = [part for part in text.split("/") if part]
    if len(parts) not in (1, 2) or not all(map(is_legal, parts)):
        raise MalformedQuery(
            "name",
            f"Parameter may be a 'simple' name or 'package-name/simple' name: {text}",
        )
    return "/".join(parts)


def epoch_ms(query: Query, name: str) -> int | None:
    """Return a bound in Unix milliseconds. Raises `MalformedQuery`."""
    text = query.get(name)
    if text is None:
        return None
    value = _integer(text, _INT64)
    if value is None:
        raise MalformedQuery(name, f"Parameter is not a valid value for epoch seconds: {text}")
    return value


def _list_number(query: Query, name: str, collection: str, *, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    value = _integer(text, _INT32)
    if value is None:
        raise MalformedQuery(name, f"The value '{text}' is not an integer for {collection}.")
    return value


def _integer(text: str, bounds: range) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if value in bounds else None
