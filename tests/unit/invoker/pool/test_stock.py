"""Which stem cells are kept: of settings, of the manifest, of what the host runs."""

import pytest

from common.entity.manifest import Manifest
from common.settings import PoolSettings
from invoker.pool.container import Shape
from invoker.pool.stock import NoSuchKind, stock

ALL = Manifest.load(python="3.11")
HERE = ALL.only(["python:3.11", "nodejs:20"])
PYTHON = Shape("python:3.11", 256)


def wanted(text: str, here: Manifest = HERE, usual: int = 2) -> dict[Shape, int]:
    listed = PoolSettings(stem_shapes=text).listed_shapes
    return dict(stock(ALL, here, usual=usual, listed=listed))


def test_usually_they_are_of_the_default_kind_and_memory() -> None:
    assert wanted("") == {PYTHON: 2}
    assert wanted("", ALL.only(["nodejs:20"])) == {}


def test_settings_list_kinds_and_memories_the_more_important_first() -> None:
    listed = " nodejs:default@256=1, python:3@512=3 ,"
    found = wanted(listed)
    assert list(found.items()) == [
        (PYTHON, 2), (Shape("nodejs:20", 256), 1), (Shape("python:3.11", 512), 3),
    ]  # fmt: skip
    assert wanted("python:default@256=5") == {PYTHON: 5}, "what is listed counts more"


def test_what_another_host_runs_is_left_to_it_and_what_nobody_knows_is_told() -> None:
    assert wanted("nodejs:20@256=1", ALL.only(["python:3.11"])) == {PYTHON: 2}
    with pytest.raises(NoSuchKind, match=r"'cobol:85'.*nodejs:20.*FAMILY:default"):
        wanted("cobol:85@256=1")


def test_the_manifest_says_it_for_the_kinds_of_this_host() -> None:
    assert wanted("manifest", usual=0) == {PYTHON: 2, Shape("nodejs:20", 256): 2}
    assert wanted("manifest", ALL.only(["nodejs:20"])) == {Shape("nodejs:20", 256): 2}


@pytest.mark.parametrize(
    "text", ["nodejs:20", "nodejs:20=1", "@256=1", "a:1@x=1", "manifest,b:1@1=1"]
)
def test_a_list_that_says_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="KIND@MB=NUMBER"):
        PoolSettings(stem_shapes=text)
