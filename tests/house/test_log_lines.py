"""Each line of the log that speaks of an activation says whose it is, and of which request.

What a message or a completion is called stands in one place, its `names`. A line may name one of
these by hand only where nothing else is known of it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import tree

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
BY_HAND = {
    "completion_lost",  # it is all that is left of it: nobody has answered
    "record_not_read",  # of who follows, not of a request
}
PARTS = ("controller", "invoker")


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        of = node.func.value
        if isinstance(of, ast.Name) and of.id in ("log", "_log") and node.func.attr in LEVELS:
            yield node


def word(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return str(first.value) if isinstance(first, ast.Constant) else ""


@pytest.mark.parametrize("path", tree.python(*PARTS), ids=tree.shown)
def test_a_line_about_an_activation_says_whose_it_is(path: Path) -> None:
    incomplete = [
        word(call)
        for call in calls(path)
        if any(each.arg == "activation" for each in call.keywords) and word(call) not in BY_HAND
    ]
    assert not incomplete, "give it **message.names"


def test_there_are_lines_that_do() -> None:
    named = [
        call
        for path in tree.python(*PARTS)
        for call in calls(path)
        if any(each.arg is None for each in call.keywords)
    ]
    assert len(named) > 10
