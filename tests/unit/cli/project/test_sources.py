"""From the words of a manifest to code: its kind, its archive, and what is wrong with it."""

import io
import zipfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from cli.failures import Failure
from cli.project.kinds import Kinds
from cli.project.manifest import Action
from cli.project.section import Place
from cli.project.sources import Workshop
from tests.fakes.rest import FakeApi

KINDS = Kinds.of(
    {
        "runtimes": {
            "python": [{"kind": "python:3.10"}, {"kind": "python:3.11", "default": True}],
            "nodejs": [{"kind": "nodejs:20"}],
        }
    }
)
MAIN = "def main(args):\n    return args\n"


def action(**fields: Any) -> Action:
    return Action(name="a", place=Place("m", 4), **fields)


def made(
    root: Path, one: Action, *, strict: bool = False, kinds: Kinds = KINDS
) -> tuple[dict[str, Any], list[str]]:
    notes: list[str] = []
    workshop = Workshop(root, kinds, strict, True, notes.append, notes.append)
    return workshop.exec_of(one), notes


def names_in(execution: dict[str, Any]) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(b64decode(execution["code"]))).namelist()


def test_the_extension_says_the_language_and_the_platform_the_version(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(MAIN)
    assert made(tmp_path, action(function="a.py")) == ({"kind": "python:3.11", "code": MAIN}, [])
    unknown = made(tmp_path, action(function="a.py"), kinds=Kinds.of(None))
    assert unknown[0]["kind"] == "python:default"


@pytest.mark.parametrize(
    ("runtime", "kind", "note"),
    [
        ("python:3.10", "python:3.10", ""),
        ("python", "python:3.11", ""),
        ("python:default", "python:3.11", ""),
        ("nodejs:20", "python:3.11", "the runtime 'nodejs:20' does not fit '.py'"),
        ("python:2", "python:3.11", "the runtime 'python:2' is none here; python:3.11 is taken"),
    ],
)
def test_a_runtime_that_does_not_fit_gives_way_with_a_note(
    tmp_path: Path, runtime: str, kind: str, note: str
) -> None:
    (tmp_path / "a.py").write_text(MAIN)
    execution, notes = made(tmp_path, action(function="a.py", runtime=runtime))
    assert execution["kind"] == kind
    assert len(notes) == bool(note)
    assert note in "".join(notes)


def test_strictly_a_runtime_is_as_it_is_written_or_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(MAIN)
    written = made(tmp_path, action(function="a.py", runtime="nodejs:20"), strict=True)
    assert written == ({"kind": "nodejs:20", "code": MAIN}, [])
    with pytest.raises(Failure, match=r"m:4: no runtime 'python:3\.1' for action 'a'") as raised:
        made(tmp_path, action(function="a.py", runtime="python:3.1"), strict=True)
    assert raised.value.remedy.fix == "write `runtime: python:3.11` in m:4"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"function": "a.txt"}, "the runtime of action 'a' cannot be told from '.txt'"),
        ({"function": "a.zip"}, "the runtime of action 'a' cannot be told from '.zip'"),
        ({"function": "a.zip", "runtime": "pithon"}, "no runtime 'pithon' for action 'a'"),
        ({"code": "x", "runtime": "cobol"}, "no runtime 'cobol' for action 'a'"),
        ({"function": "b.py"}, "action 'a' has no file 'b.py'"),
        ({"function": "folder"}, "The folder"),
        ({"function": "built"}, "the runtime of action 'a' cannot be told from its folder"),
        ({"function": "http://127.0.0.1:1/folder"}, "which is no file"),
        ({"function": "http://127.0.0.1:1/a.py"}, "cannot be fetched from"),
        ({"function": "built", "runtime": "python", "include": (("no/*",),)},
         "action 'a' includes 'no/*', and there is no such file"),
        ({"function": "built", "runtime": "python", "include": (("../*/a.txt", "../x"),)},
         "which is outside of its archive"),
    ],
)  # fmt: skip
def test_code_that_cannot_be_is_refused_with_its_line(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    root = tmp_path / "root"
    for folder in ("folder", "built/node_modules"):
        (root / folder).mkdir(parents=True)
    for name in ("a.txt", "a.zip", "folder/x.py"):
        (root / name).write_text("x")
    with pytest.raises(Failure) as raised:
        made(root, action(**fields))
    assert raised.value.text.startswith("m:4: ")
    assert said in raised.value.text
    assert raised.value.remedy.fix


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    for name in ("large.py", "folder/a", "folder/b", "folder/__main__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with (tmp_path / name).open("wb") as file:
            file.truncate(150 << 20)  # A hole: it takes no room.
    with pytest.raises(Failure, match="m:4: the code of action 'a' has more than"):
        made(tmp_path, action(function="large.py"))
    one = action(function="folder", runtime="python", exclude=("folder/b",))
    with pytest.raises(Failure, match="m:4: the files of action 'a' have 314572800 bytes"):
        made(tmp_path, one)


def test_a_file_that_was_meant_is_proposed(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "hello.py").write_text(MAIN)
    with pytest.raises(Failure) as raised:
        made(tmp_path, action(function="src/helo.py"))
    assert raised.value.remedy.fix == "write `function: src/hello.py` in m:4"


def test_python_that_cannot_be_read_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def main(args:\n")
    with pytest.raises(Failure, match=r"a\.py:1"):
        made(tmp_path, action(function="a.py"))


def test_a_program_is_sent_as_it_is_and_an_archive_in_base64(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"\x7fELF\xff")
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "a.sh").write_text("#!/bin/sh\n")
    assert made(tmp_path, action(function="run", is_native=True))[0] == {
        "code": "f0VMRv8=",
        "kind": "blackbox",
        "image": "openwhisk/dockerskeleton",
    }
    zipped = made(tmp_path, action(function="a.zip", runtime="nodejs:20", main="x"))[0]
    assert zipped == {"kind": "nodejs:20", "code": "UEsDBA==", "main": "x"}
    image = made(tmp_path, action(function="a.sh", docker="some/image"))[0]
    assert image == {"code": "#!/bin/sh\n", "kind": "blackbox", "image": "some/image"}


def test_a_folder_with_what_was_resolved_is_packed_as_it_is(tmp_path: Path) -> None:
    for name in ("package.json", "index.js", "node_modules/x/index.js", ".hidden", "lib/b.js"):
        (tmp_path / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "app" / name).write_text('{"dependencies": {"x": "1"}}')
    execution, _ = made(tmp_path, action(function="app"))
    assert execution["kind"] == "nodejs:20"
    assert names_in(execution) == [
        "index.js", "lib/b.js", "node_modules/x/index.js", "package.json",
    ]  # fmt: skip


def test_what_is_included_and_excluded_goes_where_the_manifest_says(tmp_path: Path) -> None:
    for name in (
        "app/__main__.py", "app/secret/key", "app/old.py",
        "shared/one.py", "shared/two.txt", "shared/deep/three.py", "libs/x/util.py", "data.json",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(MAIN)
    one = action(
        function="app",
        runtime="python",
        include=(
            ("shared/*.py", "common/"),
            ("libs/*/util.py", "lib/"),
            ("data.json", "data/"),
            ("data.json",),
            ("shared/deep", "deeper"),
        ),
        exclude=("app/secret", "app/old.py"),
    )
    first, _ = made(tmp_path, one)
    assert names_in(first) == [
        "__main__.py", "common/one.py", "data.json", "data/data.json", "deeper/three.py",
        "lib/x/util.py",
    ]  # fmt: skip
    assert made(tmp_path, one)[0] == first, "the same files make the same bytes"


def test_code_is_fetched_from_where_the_manifest_says(tmp_path: Path, api: FakeApi) -> None:
    api.answer("GET /code/a.js", "function main() {}")
    execution, _ = made(tmp_path, action(function=f"{api.url}/code/a.js"))
    assert execution == {"kind": "nodejs:20", "code": "function main() {}"}
