"""From what is wanted and what is there to changes: in order, and none too many."""

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.project.bodies import bodies
from cli.project.entity import MANAGED, Entity, Kind
from cli.project.plan import Plan, Verb, deployment, in_words, removal
from tests.unit.cli.project.entities import entity


def keyed(*entities: Entity) -> dict[tuple[str, str], Entity]:
    return {one.key: one for one in entities}


def words(plan: Plan) -> list[str]:
    return list(in_words(plan))


EVERYTHING = (
    entity(Kind.PACKAGE, "p", publish=False),
    entity(Kind.BINDING, "b", provider="/_/p"),
    entity(Kind.ACTION, "p/a"),
    entity(Kind.SEQUENCE, "p/s"),
    entity(Kind.TRIGGER, "t"),
    entity(Kind.RULE, "r", trigger="/_/t", action="/_/p/a", status="active"),
)


def test_everything_is_made_in_the_order_in_which_it_can_be() -> None:
    assert [str(change) for change in deployment(EVERYTHING, {}).changes] == [
        "create package p", "create binding b", "create action p/a", "create sequence p/s",
        "create trigger t", "create rule r",
    ]  # fmt: skip


@pytest.mark.parametrize("present", list(permutations(EVERYTHING))[::97])
def test_everything_goes_in_the_opposite_order(present: tuple[Entity, ...]) -> None:
    assert [change.entity.kind for change in removal(present).changes] == [
        Kind.RULE, Kind.TRIGGER, Kind.SEQUENCE, Kind.ACTION, Kind.BINDING, Kind.PACKAGE,
    ]  # fmt: skip


def test_what_is_there_as_it_is_wanted_is_left_alone() -> None:
    assert deployment(EVERYTHING, keyed(*EVERYTHING)).changes == ()


VALUES = st.sampled_from([None, False, 0, 0.0, 1, True, "", "1", [], [1], {}, {"a": True}])
TABLES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@given(wanted=TABLES, there=TABLES, package=TABLES)
def test_an_action_is_written_exactly_when_what_it_shows_is_not_what_is_wanted(
    wanted: dict[str, Any], there: dict[str, Any], package: dict[str, Any]
) -> None:
    held = entity(Kind.PACKAGE, "p", publish=False, parameters=package)
    action = entity(Kind.ACTION, "p/a", parameters=wanted)
    present = entity(Kind.ACTION, "p/a", parameters={**package, **there})
    changes = deployment((held, action), keyed(held, present)).changes
    assert bool(changes) == (numbered({**package, **wanted}) != numbered({**package, **there}))


def numbered(value: Any) -> str:
    """Return JSON text that is the same for values that are."""
    return json.dumps(value, sort_keys=True).replace("0.0", "0")


def test_an_action_whose_package_changes_under_it_is_written_where_it_may_have_the_same() -> None:
    before = entity(Kind.PACKAGE, "p", publish=False, parameters={"x": 1, "y": 1})
    after = entity(Kind.PACKAGE, "p", publish=False, parameters={"x": 2, "y": 1})
    inherits = entity(Kind.ACTION, "p/a", parameters={})
    shown = entity(Kind.ACTION, "p/a", parameters={"x": 1, "y": 1})
    overrides = entity(Kind.ACTION, "p/b", parameters={"x": 5})
    overriding = entity(Kind.ACTION, "p/b", parameters={"x": 5, "y": 1})
    plan = deployment((after, inherits, overrides), keyed(before, shown, overriding))
    assert words(plan) == [
        "~ update package p: parameters.x",
        "~ update action p/a: parameters.x",
    ]


def test_limits_and_versions_that_are_not_named_are_left_as_they_are() -> None:
    present = entity(Kind.ACTION, "a", limits={"timeout": 5, "memory": 128}, version="0.0.9")
    assert deployment((entity(Kind.ACTION, "a"),), keyed(present)).changes == ()
    named = entity(Kind.ACTION, "a", limits={"timeout": 6}, version="1.0.0")
    assert words(deployment((named,), keyed(present))) == [
        "~ update action a: limits.timeout, version"
    ]


def test_the_default_of_a_language_is_any_kind_of_it() -> None:
    """A platform that does not show its runtimes resolves `python:default` when it is written."""
    wanted = entity(Kind.ACTION, "a", kind="python:default")
    assert deployment((wanted,), keyed(entity(Kind.ACTION, "a"))).changes == ()
    other = entity(Kind.ACTION, "a", kind="nodejs:20")
    assert words(deployment((wanted,), keyed(other))) == ["~ update action a: kind"]


def test_a_function_that_is_no_longer_named_is_main_again() -> None:
    present = entity(Kind.ACTION, "a", main="other")
    assert words(deployment((entity(Kind.ACTION, "a"),), keyed(present))) == [
        "~ update action a: main"
    ]


def test_an_annotation_that_is_no_longer_wanted_is_deleted_in_the_same_request() -> None:
    wanted = entity(Kind.ACTION, "a", annotations={"kept": 1})
    present = entity(Kind.ACTION, "a", annotations={"kept": 1, "old": 2, "provide-api-key": True})
    [change] = deployment((wanted,), keyed(present)).changes
    assert change.fields == ("annotations.old", "annotations.provide-api-key")
    [body] = bodies(wanted, present)
    assert body["delAnnotations"] == ["old"]
    assert body["annotations"] == [
        {"key": "kept", "value": 1}, {"key": "provide-api-key", "value": False},
    ]  # fmt: skip


def test_a_sequence_loses_its_annotations_in_a_request_of_their_own() -> None:
    wanted = entity(Kind.SEQUENCE, "s")
    first, second = bodies(wanted, entity(Kind.SEQUENCE, "s", annotations={"old": 1}))
    assert first == {"delAnnotations": ["old"]}
    assert second["exec"] == {"kind": "sequence", "components": ["/_/a"]}


def test_a_package_that_is_to_be_a_binding_goes_first() -> None:
    binding = entity(Kind.BINDING, "p", provider="/whisk.system/utils")
    present = entity(Kind.PACKAGE, "p", publish=False)
    plan = deployment((binding,), keyed(present))
    assert words(plan) == ["- delete package p", "+ create binding p"]


def test_what_is_left_over_goes_last_unless_its_name_is_needed() -> None:
    wanted = (entity(Kind.TRIGGER, "x"), entity(Kind.ACTION, "b"))
    leftovers = (entity(Kind.ACTION, "x"), entity(Kind.ACTION, "old"))
    assert words(deployment(wanted, {}, leftovers)) == [
        "- delete action x", "+ create trigger x", "+ create action b", "- delete action old",
    ]  # fmt: skip


def test_a_package_stays_while_it_holds_what_is_not_ours() -> None:
    going = (entity(Kind.PACKAGE, "p"), entity(Kind.ACTION, "p/a"))
    plan = removal(going, (), {"p": ["p/theirs"]})
    assert words(plan) == ["- delete action p/a", "= keep package p: it holds p/theirs"]


def test_the_mark_of_a_project_is_kept_by_a_deployment_that_is_not_managed() -> None:
    mark = {"projectName": "shop", "projectHash": "1", "file": "m", "projectDeps": []}
    present = entity(Kind.TRIGGER, "t", annotations={MANAGED: mark})
    assert deployment((entity(Kind.TRIGGER, "t"),), keyed(present)).changes == ()
    [change] = deployment((entity(Kind.TRIGGER, "t", parameters={"n": 1}),), keyed(present)).changes
    assert change.verb is Verb.UPDATE
    assert change.entity.project == "shop"


def test_another_version_of_the_manifest_is_no_difference() -> None:
    def marked(digits: str) -> Entity:
        mark = {"projectName": "shop", "projectHash": digits, "file": "m", "projectDeps": []}
        return entity(Kind.TRIGGER, "t", annotations={MANAGED: mark})

    assert deployment((marked("2"),), keyed(marked("1"))).changes == ()
