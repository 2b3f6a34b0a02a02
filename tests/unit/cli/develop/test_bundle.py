"""Folders as archives: what is in them, and that what they import is resolved once."""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from cli.develop import packages
from cli.develop.bundle import bundle
from cli.failures import Failure
from tests.fakes.wheels import write_wheel


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "brisk" / "builds"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "app"
    made.mkdir()
    return made


def names(content: bytes) -> list[str]:
    return sorted(zipfile.ZipFile(io.BytesIO(content)).namelist())


def test_a_folder_of_python(folder: Path) -> None:
    (folder / "__main__.py").write_text("def main(a): return a\n")
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    made = bundle(folder, None, pytest.fail)
    assert made.kind == "python:default"
    assert names(made.content) == ["__main__.py", "tool"]
    entry = zipfile.ZipFile(io.BytesIO(made.content)).getinfo("tool")
    assert entry.external_attr >> 16 & 0o777 == 0o755
    assert bundle(folder, None, pytest.fail) == made, "the same files make the same bytes"
    assert bundle(folder, "python:3", pytest.fail).kind == "python:3"


def test_wheels_are_resolved_once_for_each_lock(folder: Path, tmp_path: Path, cache: Path) -> None:
    wheel = write_wheel(tmp_path, "tiny", "VALUE = 7\n")
    (folder / "__main__.py").write_text("import tiny\ndef main(a): return {'v': tiny.VALUE}\n")
    (folder / "requirements.txt").write_text(f"{wheel}\n")
    told: list[str] = []
    made = bundle(folder, None, told.append)
    assert told == [f"resolving requirements.txt for python {packages.OURS}"]
    assert made.kind == f"python:{packages.OURS}"
    site = f"virtualenv/lib/python{packages.OURS}/site-packages"
    assert {"__main__.py", "virtualenv/bin/activate_this.py", f"{site}/tiny.py"} <= set(
        names(made.content)
    )
    other = tmp_path / "other"
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    (other / "__main__.py").write_text("def main(a): return a\n")
    shared = bundle(other, None, pytest.fail)
    assert f"{site}/tiny.py" in names(shared.content), "another action with the same lock"
    assert [path.name.split("-")[0] for path in cache.iterdir()] == ["python"]


def test_what_does_not_resolve_says_why_and_leaves_nothing(folder: Path, cache: Path) -> None:
    (folder / "__main__.py").write_text("")
    (folder / "requirements.txt").write_text("./nowhere-1.0-py3-none-any.whl\n")
    with pytest.raises(Failure) as failed:
        bundle(folder, None, lambda _: None)
    assert failed.value.text == "pip could not resolve requirements.txt"
    assert "nowhere" in failed.value.remedy.why
    assert failed.value.remedy.fix == f"correct {folder}/requirements.txt"
    assert list(cache.iterdir()) == []


def fake_npm(place: Path, script: str) -> None:
    (place / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (place / "npm").chmod(0o755)


@pytest.mark.parametrize("locked", [True, False])
def test_modules_of_node(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    fake_npm(tmp_path, 'mkdir -p node_modules/dep; echo "$@" > node_modules/dep/index.js')
    (folder / "index.js").write_text("exports.main = () => ({})\n")
    (folder / "package.json").write_text(json.dumps({"dependencies": {"dep": "1"}}))
    if locked:
        (folder / "package-lock.json").write_text("{}")
    told: list[str] = []
    made = bundle(folder, None, told.append)
    assert made.kind == "nodejs:default"
    assert "node_modules/dep/index.js" in names(made.content)
    ran = zipfile.ZipFile(io.BytesIO(made.content)).read("node_modules/dep/index.js").decode()
    assert ran.startswith("ci " if locked else "install --no-package-lock ")
    assert len(told) == 1
    bundle(folder, None, pytest.fail)


def test_modules_that_are_there_are_taken_where_nothing_is_to_be_resolved(folder: Path) -> None:
    (folder / "index.js").write_text("exports.main = () => ({})\n")
    (folder / "node_modules" / "own").mkdir(parents=True)
    (folder / "node_modules" / "own" / "index.js").write_text("")
    assert "node_modules/own/index.js" in names(bundle(folder, None, pytest.fail).content)


def test_npm_that_fails_or_is_not_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "package.json").write_text(json.dumps({"dependencies": {"dep": "1"}}))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="npm is not installed"):
        bundle(folder, None, lambda _: None)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    fake_npm(tmp_path, 'echo "npm error 404 dep is nowhere" >&2; exit 1')
    with pytest.raises(Failure) as failed:
        bundle(folder, None, lambda _: None)
    assert failed.value.remedy.why == "404 dep is nowhere"


@pytest.mark.parametrize(
    ("files", "kind", "text", "fix"),
    [
        (["main.py"], None, "has nothing to call", "mv {0}/main.py {0}/__main__.py"),
        (["app.js"], None, "has nothing to call", "mv {0}/app.js {0}/index.js"),
        ([], None, "has nothing to call", "add {0}/__main__.py with a function main"),
        (["__main__.py", "index.js"], None, "two languages", "add --kind python:default"),
        (["__main__.py"], "go:1.22", "cannot be built for the kind", "give a file or an archive"),
        (["index.js"], "python:3", "nothing to call", "add {0}/__main__.py with a function main"),
    ],
)
def test_what_cannot_be_built(
    folder: Path, files: list[str], kind: str | None, text: str, fix: str
) -> None:
    for name in files:
        (folder / name).write_text("")
    with pytest.raises(Failure, match=text) as failed:
        bundle(folder, kind, pytest.fail)
    assert failed.value.remedy.fix == fix.format(folder)
