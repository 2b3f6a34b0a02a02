"""Prose and code say the same: the reference is what the declarations say, links lead somewhere."""

import re
from enum import Enum
from pathlib import Path

import pytest

from common.machine import Move
from docs import generate, states
from tests.house import tree

MARKDOWN = [path for path in tree.files() if path.suffix == ".md"]
README = (tree.ROOT / "README.md").read_text()
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("name", generate.pages())
def test_the_reference_says_what_the_declarations_say(name: str) -> None:
    page = generate.DOCS / name
    assert page.read_text() == generate.pages()[name], "make docs"


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    for name, text in generate.pages().items():
        (tmp_path / name).write_text(text)
    assert generate.stale(tmp_path) == []
    (tmp_path / "reference" / "errors.md").write_text("something else")
    (tmp_path / "reference" / "metrics.md").unlink()
    (tmp_path / "lifecycle.md").write_text("something else")
    wrong = ["lifecycle.md", "reference/errors.md", "reference/metrics.md"]
    assert sorted(generate.stale(tmp_path)) == wrong


@pytest.mark.parametrize("name", states.MACHINES)
def test_every_move_of_every_machine_is_in_the_page(name: str) -> None:
    """In the table, and as an arrow in the picture."""
    _, _, rest = (generate.DOCS / "lifecycle.md").read_text().partition(states.begin(name))
    section = rest.partition(states.END)[0]
    moves = list(states.MACHINES[name].MOVES.items())
    assert moves
    for (state, event), many in moves:
        for move in [many] if isinstance(many, Move) else many:
            is_value = isinstance(event, Enum)
            word = event.name.title().replace("_", "") if is_value else event.__name__
            cells = rf"{state.name} \| `{word}` \| {move.to.name} \|.*\| {re.escape(move.note)}"
            assert re.search(rf"^\| {cells} \|$", section, re.MULTILINE), cells
            arrow = rf"[─,] {word}(,.*)? ─+► {move.to.name}$"
            assert re.search(arrow, section, re.MULTILINE), arrow


def test_every_table_of_moves_is_drawn() -> None:
    declared = {
        path.relative_to(tree.ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in tree.files()
        if path.suffix == ".py" and re.search(r"^MOVES: ", path.read_text(), re.MULTILINE)
    }
    assert declared == {module.__name__ for module in states.MACHINES.values()}


def test_a_page_without_marks_for_a_machine_is_refused() -> None:
    page = (generate.DOCS / "lifecycle.md").read_text()
    with pytest.raises(states.NoMark, match="one mark for each"):
        states.inserted(page.replace(states.begin("rule"), ""))
    with pytest.raises(states.NoMark, match="no end"):
        states.inserted(page.replace(states.END, "", 1))


def test_every_command_and_route_has_its_place_in_the_reference() -> None:
    page = generate.pages()["reference/cli.md"]
    for typed in (
        "serve",
        "action invoke NAME",
        "activation list [NAME]",
        "usage [export|verify] [NAMESPACE]",
    ):
        assert f"### `brisk {typed}`" in page
    assert "| `--json` | print JSON, for programs (not as `wsk`) |" in page
    assert (
        "`POST /api/v1/namespaces/{namespace}/actions/{name}`"
        in generate.pages()["reference/rest.md"]
    )


def test_the_readme_is_read_in_one_go_and_names_commands_that_exist() -> None:
    assert len(README.splitlines()) <= 150
    makefile = (tree.ROOT / "Makefile").read_text()
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", README))
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert named and named <= targets
    scripts = set(re.findall(r"^(\.ci/[a-z]+)", README, re.MULTILINE))
    scripts |= set(re.findall(r"\.ci/[a-z]+", makefile))
    assert scripts and all((tree.ROOT / script).stat().st_mode & 0o100 for script in scripts)


def test_every_setting_that_prose_names_exists() -> None:
    known = set(re.findall(r"`(BRISK_[A-Z_]+)`", generate.settings()))
    known |= {"BRISK_REQUIRE_SERVICES"}  # of the tests
    for path in MARKDOWN:
        named = set(re.findall(r"\bBRISK_[A-Z]+(?:_[A-Z]+|__[A-Z]+)*\b(?!\*)", path.read_text()))
        assert named <= known, tree.shown(path)


@pytest.mark.parametrize("path", MARKDOWN, ids=tree.shown)
def test_every_link_leads_to_a_file(path: Path) -> None:
    for target in _LINK.findall(_FENCED.sub("", path.read_text())):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            assert (path.parent / target.partition("#")[0]).exists(), target


_QUEUE = re.compile(r"= deque\(|[(, ]deque\(\)|asyncio\.Queue\(")
QUEUES = (generate.DOCS / "queues.md").read_text()


def test_every_queue_has_its_bound_in_the_page_about_them() -> None:
    parts = ("common", "controller", "invoker")
    making = {
        tree.shown(path)
        for path in tree.files()
        if path.suffix == ".py"
        and tree.shown(path).split("/")[0] in parts
        and any(_QUEUE.search(line) for line in path.read_text().splitlines() if "todo" not in line)
    }
    named = set(re.findall(r"^\|[^|]*\| `([^`]*\.py)` \|", QUEUES, re.MULTILINE))
    assert making <= named
    assert all((tree.ROOT / name).is_file() for name in named)


def test_every_metric_that_the_page_about_queues_names_exists() -> None:
    known = set(re.findall(r"^\| `(brisk_[a-z_]+)`", generate.metric_list(), re.MULTILINE))
    named = set(re.findall(r"`(brisk_[a-z_]+)`", QUEUES))
    assert named and named <= known
