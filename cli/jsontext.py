"""JSON as the command line reads and prints it.

Numbers keep the digits they were written with: a parameter `1e3` is sent as `1e3`, a result
`0.10` is shown as `0.10`. So numbers with a fraction or an exponent are kept as text between
decoding and encoding, and the encoder is our own; it prints four spaces of indentation and no
escapes that a reader does not need.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""A value that JSON can hold. A name for `Any` with a purpose."""

INDENT: Final = "    "


class NotJson(ValueError):
    """The text is not JSON."""


class Digits(float):
    """A number that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> "Digits":
        """Keep *text* beside its value."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def decode(text: str | bytes) -> Json:
    """Return the value of *text*. Raises `NotJson`."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def decode_first(text: str) -> Json:
    """Return the first value in *text*, whatever follows it. Raises `NotJson`."""
    try:
        return _DECODER.raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def encode(value: Json) -> bytes:
    """Return compact JSON of *value*."""
    return "".join(_compact(value)).encode(errors="replace")


def pretty(value: Json, margin: str = "") -> str:
    """Return *value* with one item a line, each level four spaces deeper."""
    deeper = margin + INDENT
    if isinstance(value, dict) and value:
        items = [f"{deeper}{_scalar(key)}: {pretty(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{margin}}}"
    if isinstance(value, list) and value:
        items = [f"{deeper}{pretty(item, deeper)}" for item in value]
        return "[\n" + ",\n".join(items) + f"\n{margin}]"
    return "".join(_compact(value))


def sorted_keys(value: Json) -> Json:
    """Return *value* with the keys of every object in alphabetical order."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_keys(item) for item in value]
    return value


def _compact(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{"
        for position, (key, item) in enumerate(value.items()):
            yield f"{',' if position else ''}{_scalar(key)}:"
            yield from _compact(item)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for position, item in enumerate(value):
            if position:
                yield ","
            yield from _compact(item)
        yield "]"
    else:
        yield _scalar(value)


def _scalar(value: Json) -> str:
    if isinstance(value, Digits):
        return value.text
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_float=Digits, parse_constant=_refuse)
