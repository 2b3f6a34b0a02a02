"""References inside of a document, `{"$ref": "#/definitions/Book"}`. Pure.

They lead to a place of the same document. A type may contain itself, as a tree does; but a chain of
references that comes back to where it began means nothing, and is refused.
"""

from collections.abc import Mapping
from typing import Any, Final

from common.errors import ApiRefused

REF: Final = "$ref"
MAX_CHAIN: Final = 32
"""References that lead to references."""
_MISSING: Final = object()


def check(document: Mapping[str, Any]) -> None:
    """Refuse references that lead nowhere, out of the document, or back. Raises `ApiRefused`."""
    level: list[Any] = [document]
    checked: set[str] = set()
    while level:
        for each in level:
            if isinstance(each, dict) and isinstance(each.get(REF), str):
                pointer = each[REF]
                if pointer not in checked:
                    checked.add(pointer)
                    resolved(document, each)
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]


def resolved(document: Mapping[str, Any], value: Any) -> Any:
    """Return *value*, or what it refers to. Raises `ApiRefused`."""
    passed: list[str] = []
    while isinstance(value, dict) and isinstance(value.get(REF), str):
        pointer = value[REF]
        if pointer in passed:
            raise ApiRefused(f"The reference '{pointer[:200]}' comes back to itself.")
        if len(passed) == MAX_CHAIN:
            raise ApiRefused(f"More than {MAX_CHAIN} references follow '{passed[0][:200]}'.")
        passed.append(pointer)
        value = _found(document, pointer)
    return value


def _found(document: Mapping[str, Any], pointer: str) -> Any:
    shown = pointer[:200]
    if not pointer.startswith("#/"):
        raise ApiRefused(
            f"The reference '{shown}' leads out of the document: put what it means into it."
        )
    value: Any = document
    for part in pointer[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
        if value is _MISSING:
            raise ApiRefused(f"The reference '{shown}' leads to nothing in the document.")
    return value
