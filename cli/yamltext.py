"""YAML as the command line prints it: blocks, and quotes wherever a word might be misread."""

import re
from collections.abc import Iterator
from typing import Final

from cli.jsontext import Json, pretty

_PLAIN: Final = re.compile(r"[A-Za-z_/][\w./-]*", re.ASCII)
"""Words that no reader of YAML takes for anything but text, those of `_WORDS` apart."""
_WORDS: Final = frozenset(
    {"true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "infinity"}
)
_FOLDED: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""What may end a line in YAML, or stand in no file of it, and in JSON does not."""


def yaml_of(value: Json) -> str:
    """Return *value* as a YAML document, without a line end of its own."""
    return "\n".join(_lines(value, ""))


def _lines(value: Json, margin: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry(f"{margin}{_scalar(key)}:", item, margin + "  ")
    elif isinstance(value, list) and value:
        for item in value:
            if isinstance(item, dict | list) and item:
                first, *rest = _lines(item, margin + "  ")
                yield f"{margin}- {first.lstrip(' ')}"
                yield from rest
            else:
                yield f"{margin}- {_scalar(item)}"
    else:
        yield margin + _scalar(value)


def _entry(head: str, item: Json, margin: str) -> Iterator[str]:
    if isinstance(item, dict | list) and item:
        yield head
        yield from _lines(item, margin)
    else:
        yield f"{head} {_scalar(item)}"


def _scalar(value: Json) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # JSON of a text, a number, or nothing inside is YAML too; but YAML folds more line ends.
    return _FOLDED.sub(lambda match: f"\\u{ord(match[0]):04x}", pretty(value))
