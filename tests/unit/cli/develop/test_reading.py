"""What is known of code before it is sent; what is not known has to pass."""

import zipfile
from pathlib import Path

import pytest

from cli.develop.reading import check, kind_of_archive, kind_of_text
from cli.failures import Failure


@pytest.mark.parametrize(
    "code",
    [
        "def main(args): return args",
        "async def main(args): return args",
        "from other import run as main",
        "from other import *",
        "main = lambda args: args",
        "if True:\n    def main(args): return args",
        "globals()['main'] = print",
        "class main: pass",
        "import main",
    ],
)
def test_what_may_work_passes(tmp_path: Path, code: str) -> None:
    (tmp_path / "a.py").write_text(code)
    check(tmp_path / "a.py", None, None)


@pytest.mark.parametrize(
    ("code", "main", "text"),
    [
        ("def main(", None, "a.py:1: "),
        ("def run(args): return args", None, "There is no function 'main'"),
        ("def run(args): return args", "rum", "There is no function 'rum'"),
        ("", None, "There is no function 'main'"),
        ("x = '\0'", None, "null bytes"),
    ],
)
def test_what_cannot_work_is_told(tmp_path: Path, code: str, main: str | None, text: str) -> None:
    (tmp_path / "a.py").write_text(code)
    with pytest.raises(Failure, match=text):
        check(tmp_path / "a.py", None, main)
    check(tmp_path / "a.py", "python:2", main)


def test_archives_of_other_languages_and_broken_ones_are_the_platform_s_to_judge(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.zip").write_bytes(b"no archive")
    check(tmp_path / "a.zip", "python:3", None)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("lib/index.js", "")
    check(tmp_path / "b.zip", "go:1.22", None)
    assert kind_of_archive(tmp_path / "b.zip") == "nodejs:default"
    with pytest.raises(Failure, match=r"has no package\.json or index\.js at its root") as failed:
        check(tmp_path / "b.zip", "nodejs:20", None)
    change = failed.value.remedy.change
    assert change is not None
    assert change.new == (str(tmp_path / "b" / "lib"),)


def test_what_a_text_looks_like(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("def main(a): return a\n")
    (tmp_path / "b").write_text("exports.main = () => ({})\n")
    assert (kind_of_text(tmp_path / "a"), kind_of_text(tmp_path / "b")) == (
        "python:default",
        "nodejs:default",
    )
