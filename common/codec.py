"""JSON, as bytes: the one door to the parser.

orjson reads and writes at a tenth of the standard library's cost, but turns integers beyond 64 bits
into floats. What a user sent must come back digit for digit, so text with such integers takes the
slow way.
"""

import json
from typing import Any, Final

import orjson

Raw = orjson.Fragment
"""JSON that is already text: it is put into a larger document as it is."""

_AS_ZEROS: Final = bytes(ord("0") if each in b"0123456789" else ord(" ") for each in range(256))
_LONG_INTEGER: Final = b"0" * 19
"""What a text with integers beyond 64 bits has in it, once every digit is a zero. Looking for that
takes a thirtieth of what a regular expression does, which for a megabyte is 8 ms."""


class MalformedJson(ValueError):
    """The text is not JSON."""


def decode(text: bytes | str) -> Any:
    """Return the value of *text*. Raises `MalformedJson`, also for `NaN` and lone surrogates."""
    data = text.encode() if isinstance(text, str) else text
    try:
        value = orjson.loads(data)
        return json.loads(data) if _has_long_integer(data) else value
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of 5000 digits
        raise MalformedJson(str(error)) from error


def _has_long_integer(data: bytes) -> bool:
    # Of nineteen digits in a row four stand at multiples of four: most texts have no such four.
    if b"0000" not in data[::4].translate(_AS_ZEROS):
        return False
    return _LONG_INTEGER in data.translate(_AS_ZEROS)


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
