"""The runtimes in Python are read by interpreters that are older than the platform's own."""

import ast
from pathlib import Path

import pytest

RUNTIMES = Path(__file__).parents[3] / "runtimes"
OLDEST = (3, 9)


@pytest.mark.parametrize("path", sorted(RUNTIMES.rglob("*.py")), ids=lambda path: path.name)
def test_the_oldest_interpreter_can_read_it(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=OLDEST)
    annotated = any(isinstance(node, ast.arg) and node.annotation for node in ast.walk(tree))
    postponed = any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body
    )
    assert postponed or not annotated, "`str | None` is evaluated, and fails before 3.10"
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]


@pytest.mark.parametrize("path", sorted(RUNTIMES.rglob("*.py")), ids=lambda path: path.name)
def test_it_imports_nothing_of_the_platform(path: Path) -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _names(node)
    }
    assert not imported & {"common", "controller", "invoker", "cli", "runtimes"}


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
