"""The package: plain names that resolve to this repository, and runtimes that travel along.

`common` or `cli` may be shipped by a stranger too; then Python would take whichever it finds first,
or a mixture. One environment per installation prevents that, and this is how it is noticed.
"""

import ast
import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house import tree

BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.mark.parametrize("name", [*tree.PARTS, "runtimes"])
def test_a_plain_name_resolves_to_this_repository(name: str) -> None:
    found = importlib.util.find_spec(name)
    assert found is not None and found.origin is not None
    assert Path(found.origin).resolve() == tree.ROOT / name / "__init__.py"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy with the tool of this environment, and nothing fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    for path in [*tree.files(*tree.PARTS, "runtimes"), *_top()]:
        target = copy / tree.shown(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    for used in ("runtimes/python", "runtimes/python/brisk_runtime", "common"):
        cached = copy / used / "__pycache__" / "left.cpython-311.pyc"
        cached.parent.mkdir()
        cached.write_bytes(b"what a Python that ran here has left")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=copy, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def _top() -> list[Path]:
    return [tree.ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")]


def test_the_wheel_holds_every_file_of_the_parts_and_nothing_else_of_ours(
    wheel: zipfile.ZipFile,
) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    ours = {tree.shown(path) for path in tree.files(*tree.PARTS, "runtimes")}
    assert held == ours


def test_the_wheel_has_both_commands_and_the_licence(wheel: zipfile.ZipFile) -> None:
    info = {name.split("/", 1)[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    commands = wheel.read(info["entry_points.txt"]).decode()
    assert "brisk = cli.__main__:main" in commands
    assert "wsk = cli.__main__:wsk" in commands
    assert "licenses/LICENSE" in info


def test_the_locks_hold_versions_and_hashes_and_no_place() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = re.sub(r"\s*#.*", "", (tree.ROOT / name).read_text())
        assert "\nsetuptools==" in text, "the project is built without fetching anything"
        pinned = [line for line in text.splitlines() if line[:1].isalpha()]
        assert all("==" in line for line in pinned)
        assert text.count("--hash=sha256:") >= len(pinned)
        assert "//" not in text and " @ " not in text


@pytest.mark.parametrize("path", tree.python("runtimes"), ids=tree.shown)
def test_runtimes_stand_alone(path: Path) -> None:
    own = {part.stem for part in tree.ROOT.glob("runtimes/*/brisk_*")}
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names or top in own, name
