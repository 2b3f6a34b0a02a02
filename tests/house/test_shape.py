"""The shape of the code: files that can be read at a sitting, named for what they hold."""

import ast
from pathlib import Path

import pytest

from tests.house import tree

MAX_LINES = 400
NAMES_THAT_SAY_NOTHING = {"base", "helper", "helpers", "manager", "misc", "shared", "util", "utils"}


@pytest.mark.parametrize("path", tree.python(), ids=tree.shown)
def test_a_file_holds_one_idea_and_says_which(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES, "cut it by idea, not by length"
    assert path.stem not in NAMES_THAT_SAY_NOTHING, "name it for what it holds"
    if text.strip() and not tree.shown(path).startswith("tests/"):
        assert ast.get_docstring(ast.parse(text)), "say what the file answers or keeps, and why so"


@pytest.mark.parametrize("path", tree.python(*tree.PARTS), ids=tree.shown)
def test_nothing_is_put_off(path: Path) -> None:
    for word in ("TODO", "FIXME", "XXX ", "HACK"):
        assert word not in path.read_text(), f"do it, or write it into docs/critique.md: {word}"


def test_the_tree_is_found() -> None:
    names = {tree.module_name(path) for path in tree.python()}
    assert {"common", "common.ids", "controller.edge.errors", "tests.house.tree"} <= names
