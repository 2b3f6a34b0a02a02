"""Which kinds there are, which are advertised, and what a word for a kind means."""

import json
from typing import Any

import pytest

from common.entity.manifest import BadManifest, Manifest, StemCells

IMAGE = {"name": "image"}


def document(**families: list[dict[str, Any]]) -> str:
    return json.dumps({"runtimes": families, "blackboxes": []})


def entry(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "image": IMAGE, **fields}


def test_the_manifest_that_is_shipped_is_valid() -> None:
    manifest = Manifest.load()
    assert manifest.valid_kinds() == (
        "native:actionloop",
        "native:skeleton",
        "nodejs:18",
        "nodejs:20",
        "nodejs:22",
        "nodejs:24",
        "python:3.9",
        "python:3.10",
        "python:3.11",
        "python:3.12",
        "python:3.13",
    )
    python = manifest.resolve("python:3.11")
    assert python is not None
    assert python.image == "openwhisk/action-python-v3.11:nightly"
    assert (python.family, python.default, python.attached) == ("python", True, True)
    assert python.sentinelled_logs
    assert python.stem_cells == (StemCells(2, 256),)
    assert manifest.blackboxes == ("openwhisk/dockerskeleton:nightly",)


def test_the_info_document_has_six_fields_a_kind() -> None:
    manifest = Manifest.load(document(go=[entry("go:1.22", requireMain=True)]))
    assert manifest.info() == {
        "go": [
            {
                "kind": "go:1.22",
                "image": "image",
                "deprecated": False,
                "default": True,
                "attached": False,
                "requireMain": True,
            }
        ]
    }


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("python:3.9", "python:3.9"),
        (" Python:3.9\n", "python:3.9"),
        ("python:default", "python:3.11"),
        ("PYTHON:DEFAULT", "python:3.11"),
        ("python:3", "python:3.11"),
        ("nodejs:default", "nodejs:20"),
        ("nodejs:3", None),
        ("python", None),
        ("", None),
        ("python:2", None),
        ("sequence", None),
        ("blackbox", None),
    ],
)
def test_a_word_means_a_kind_or_nothing(word: str, kind: str | None) -> None:
    runtime = Manifest.load().resolve(word)
    assert (runtime and runtime.kind) == kind


def test_the_interpreter_of_the_platform_is_preferred() -> None:
    manifest = Manifest.load(python="3.13")
    default = manifest.resolve("python:default")
    assert default is not None
    assert default.kind == "python:3.13"
    assert [each.kind for each in manifest.families["python"] if each.default] == ["python:3.13"]
    assert Manifest.load(python="3.99").resolve("python:3") == Manifest.load().resolve("python:3")


def test_only_what_can_run_is_advertised() -> None:
    manifest = Manifest.load().only(["python:3.9", "python:3.10", "ruby:3"])
    assert manifest.valid_kinds() == ("python:3.9", "python:3.10")
    assert list(manifest.info()) == ["python"]
    assert manifest.resolve("nodejs:default") is None
    assert manifest.resolve("python:3.11") is None


def test_the_newest_kind_left_is_the_default_where_the_flagged_one_is_gone() -> None:
    manifest = Manifest.load().only(["python:3.9", "python:3.10"])
    default = manifest.resolve("python:default")
    assert default is not None
    assert default.kind == "python:3.10"
    kept = Manifest.load().only(["python:3.11", "python:3.13"]).resolve("python:default")
    assert kept is not None
    assert kept.kind == "python:3.11"


def test_a_deprecated_kind_becomes_the_default_only_if_nothing_else_is_left() -> None:
    text = document(
        x=[entry("x:1", default=True), entry("x:2"), entry("x:3", deprecated=True)],
    )
    default = Manifest.load(text).only(["x:2", "x:3"]).resolve("x:default")
    assert default is not None
    assert default.kind == "x:2"
    last = Manifest.load(text).only(["x:3"]).resolve("x:default")
    assert last is not None
    assert last.deprecated


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ({"name": "n"}, "n"),
        ({"name": "n", "tag": "t"}, "n:t"),
        ({"name": "n", "prefix": "p", "tag": "t"}, "p/n:t"),
        (
            {"name": "n", "prefix": "p", "registry": "r.example:5000", "tag": "t"},
            "r.example:5000/p/n:t",
        ),
    ],
)
def test_images_are_written_as_references(image: dict[str, str], text: str) -> None:
    runtime = Manifest.load(document(x=[{"kind": "x:1", "image": image}])).resolve("x:1")
    assert runtime is not None
    assert runtime.image == text


@pytest.mark.parametrize(
    ("memory", "memory_mb"), [("256 MB", 256), ("1 GB", 1024), ("131072 KB", 128), ("64m", 64)]
)
def test_stem_cells_have_a_size(memory: str, memory_mb: int) -> None:
    cells = [{"initialCount": 3, "memory": memory}]
    runtime = Manifest.load(document(x=[entry("x:1", stemCells=cells)])).resolve("x:1")
    assert runtime is not None
    assert runtime.stem_cells == (StemCells(3, memory_mb),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        document(x=[]),
        document(x=[entry("x:1"), entry("x:2")]),
        document(x=[entry("x:1", default=True), entry("x:2", default=True)]),
        document(x=[entry("x:1", default=True), entry("x:1")]),
        document(x=[entry("y:1")]),
        document(x=[entry("x")]),
        document(x=[{"kind": "x:1"}]),
        document(x=[{"kind": "x:1", "image": {}}]),
        document(x=[entry("x:1", stemCells=[{"initialCount": 0, "memory": "1 MB"}])]),
        document(x=[entry("x:1", stemCells=[{"initialCount": 1, "memory": "much"}])]),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(text: str) -> None:
    with pytest.raises(BadManifest):
        Manifest.load(text)
