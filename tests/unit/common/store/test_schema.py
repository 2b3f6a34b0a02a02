"""Which layouts a program may use, and which steps lead there."""

from typing import Any

import pytest

from common.ids import DocId
from common.store import couch, schema, sqlite
from common.store.port import Corrupted, LayoutUnknown, RestoreUnfinished
from common.version import PROGRAM


async def nothing() -> None:
    return


def test_every_kind_of_store_is_led_to_the_same_layout() -> None:
    nobody: Any = None
    for steps in (sqlite.steps(nobody, nobody), couch.steps(nobody, nobody, nobody)):
        assert schema.newest(steps) == schema.LAYOUT


@pytest.mark.parametrize("versions", [(1,), (3,), (2, 4), (3, 2), (2, 2)])
def test_steps_have_no_hole_and_no_other_order(versions: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not in order"):
        schema.newest([schema.Step(version, "", nothing) for version in versions])


def test_stores_that_say_nothing_have_the_first_layout() -> None:
    assert schema.version_of(None, 7) == schema.FIRST


def test_an_older_layout_and_todays_are_known() -> None:
    assert [schema.version_of({"version": n, "written_by": "x"}, 3) for n in (1, 2, 3)] == [1, 2, 3]


def test_a_newer_layout_is_refused_by_name_with_what_to_do() -> None:
    with pytest.raises(LayoutUnknown) as refused:
        schema.require_usable({"version": 9, "written_by": "Brisk 8.0.1"}, None)
    text = str(refused.value)
    assert "layout 9, written by Brisk 8.0.1" in text
    assert PROGRAM in text
    assert "Start Brisk 8.0.1 or newer" in text
    assert not refused.value.retryable


@pytest.mark.parametrize("version", [None, "2", 0, -1, 1.5, True])
def test_what_is_no_layout_is_damage(version: Any) -> None:
    with pytest.raises(Corrupted):
        schema.require_usable({"version": version}, None)


def test_stores_that_are_being_restored_are_not_used() -> None:
    with pytest.raises(RestoreUnfinished, match=r"The restore of night\.gz .* brisk admin db"):
        schema.require_usable({"version": 1}, {"file": "night.gz"})


def test_the_two_documents_have_these_names_for_ever() -> None:
    assert (DocId("schema"), DocId("restoring")) == (schema.SCHEMA, schema.RESTORING)
