"""JSON, as bytes: the one door to the parser.

orjson reads and writes at a tenth of the standard library's cost, but turns integers beyond 64 bits
into floats. What a user sent must come back digit for digit, so text with such integers takes the
slow way.
"""

import json
import re
from typing import Any, Final

import orjson

Raw = orjson.Fragment
"""JSON that is already text: it is put into a larger document as it is."""

_LONG_INTEGER: Final = re.compile(rb"[0-9]{19}")


class MalformedJson(ValueError):
    """The text is not JSON."""


def decode(text: bytes | str) -> Any:
    """Return the value of *text*. Raises `MalformedJson`, also for `NaN` and lone surrogates."""
    data = text.encode() if isinstance(text, str) else text
    try:
        value = orjson.loads(data)
        return json.loads(data) if _LONG_INTEGER.search(data) else value
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of 5000 digits
        raise MalformedJson(str(error)) from error


def encode(value: Any) -> bytes:
    """Return compact JSON of *value*, which holds nothing that JSON can't; `Raw` stays as it is."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        text = json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_parsed
        )
        return text.encode()


def _parsed(value: Any) -> Any:
    """Return what *value* says, if it is `Raw`: the standard library cannot pass it on as text."""
    return json.loads(orjson.dumps(value))
