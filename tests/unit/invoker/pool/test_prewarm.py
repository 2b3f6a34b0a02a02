"""What is made ahead for calls that are only foretold, row by row."""

from typing import Any

import pytest

from invoker.pool.prewarm import foresee

IDLE: dict[str, Any] = {
    "has_one": False,
    "is_asked_of": False,
    "free_mb": 256,
    "free_starts": 2,
    "ahead": 3,
    "most_ahead": 4,
}


@pytest.mark.parametrize(
    ("otherwise", "fate"),
    [
        ({}, "taken"),
        ({"has_one": True}, "needless"),
        ({"has_one": True, "is_asked_of": True}, "needless"),
        ({"is_asked_of": True}, "dropped"),
        ({"free_mb": 255}, "dropped"),
        ({"free_starts": 1}, "dropped"),  # the last start is for who calls
        ({"free_starts": 0}, "dropped"),
        ({"ahead": 4}, "dropped"),
        ({"ahead": 0, "most_ahead": 0}, "dropped"),
    ],
)
def test_a_hint_gets_what_nobody_else_needs(otherwise: dict[str, Any], fate: str) -> None:
    assert foresee(256, **(IDLE | otherwise)) == fate
