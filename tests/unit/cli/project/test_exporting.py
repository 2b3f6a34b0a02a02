"""What is written down is read again as the same, whatever texts and values there are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.failures import Failure
from cli.project.difference import comparable, differences
from cli.project.entity import Entity, Kind
from cli.project.exporting import exported
from cli.project.interpolation import Scope
from cli.project.reading import manifest_of
from cli.project.wanted import Draft, drafted
from cli.yamltext import yaml_of
from cli.yamltree import parse
from tests.unit.cli.project.entities import entity

WORDS = st.sampled_from(
    ["string", "json", "integer", "null", "yes", "no", "~", "=", "<<", "12", "1e3", "0x1F", "12:30",
     "2026-11-28", "$HOME", "${HOME}", "$${HOME}", "a ${b} c", "$5", "- a", "a: b", "# no", "'",
     '"', "\n", "tab\there", " blank ", "", "*a", "&a", "!a", "%", "@", "`", "|", ">", "\x85",
     "\u2028", "\ufeff", "\x7f", "\ufffe", "\uffff", "☃", "𝄞"]
)  # fmt: skip
TEXTS = WORDS | st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = (
    st.sampled_from([1e300, 1.5e-7, -0.0, 1e16])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = st.sampled_from(["type", "value", "default", "required", "a", "b c", "null", "1", "$x"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=3),
    max_leaves=6,
)
TABLES = st.dictionaries(KEYS | TEXTS, VALUES, max_size=4)
PLAIN = st.dictionaries(
    st.sampled_from(["a", "b c", "web-export", "null"]),
    st.booleans() | NUMBERS | st.sampled_from(["x", "a ${b}", "1", "yes"]),
)


def written_and_read(project: str | None, *entities: Entity) -> tuple[Draft, str]:
    made = exported(project, entities, {})
    text = yaml_of(made.document) + "\n"
    return drafted(manifest_of(parse(text, "m"), "m"), Scope({}), {}, "guest"), text


@given(of_package=TABLES, of_action=TABLES, annotations=PLAIN)
def test_values_come_back_as_they_were(
    of_package: dict[str, Any], of_action: dict[str, Any], annotations: dict[str, Any]
) -> None:
    package = entity(Kind.PACKAGE, "p", publish=True, parameters=of_package)
    shown = {**of_package, **of_action}
    action = entity(Kind.ACTION, "p/a", parameters=shown, annotations=annotations)
    trigger = entity(Kind.TRIGGER, "t", parameters=of_action)

    draft, text = written_and_read("shop", package, action, trigger)

    found = {one.name: one for one in draft.entities}
    assert differences(found["p"], package, {}) == (), text
    assert differences(found["t"], trigger, {}) == (), text
    inherited = package.table("parameters")
    code = {"code": "pass", "kind": "python:3.11"}
    whole = Entity(Kind.ACTION, "p/a", {**found["p/a"].fields, **code})
    assert differences(whole, action, inherited) == (), text


def test_everything_that_a_project_may_have_comes_back() -> None:
    whole = (
        entity(Kind.PACKAGE, "p", publish=False, version="1.2.3"),
        entity(Kind.BINDING, "bound", provider="/whisk.system/utils", parameters={"x": 1}),
        entity(Kind.ACTION, "alone"),
        entity(Kind.ACTION, "p/a", annotations={"conductor": True, "description": "does it"}),
        entity(Kind.SEQUENCE, "p/s", components=["/_/p/a", "/_/alone", "/whisk.system/utils/echo"]),
        entity(Kind.TRIGGER, "t"),
        entity(Kind.RULE, "r", trigger="/_/t", action="/_/p/a", status="active"),
        entity(Kind.RULE, "q", trigger="/_/t", action="/_/alone", status="active"),
    )
    draft, text = written_and_read(None, *whole)
    found = {one.key: comparable(one, {}) for one in draft.entities}
    for one in whole:
        fields = comparable(one, {})
        for key in ("code", "kind") if one.kind is Kind.ACTION else ():
            fields.pop(key)
        assert found[one.key] == fields, text


def test_what_a_manifest_cannot_say_is_noted() -> None:
    made = exported(
        None,
        (
            entity(Kind.ACTION, "a", limits={"concurrency": 5, "timeout": 60_000}),
            entity(Kind.ACTION, "b", annotations={"shell": "$HOME"}),
            entity(Kind.TRIGGER, "t", feed="/_/f"),
            entity(Kind.RULE, "r", trigger="/_/t", action="/_/a", status="inactive"),
        ),
        {},
    )
    assert made.notes == [
        "action a: a manifest cannot say its concurrency",
        "trigger t: its feed does not tell what it was given",
        "rule r: it is switched off, and a deployment switches it on",
        "action b: the annotation 'shell' will be read as the name of a variable",
    ]


def test_code_goes_into_files_that_are_named_for_what_they_are() -> None:
    made = exported(
        None,
        (
            entity(Kind.ACTION, "p/text", code="pass"),
            entity(Kind.ACTION, "p/packed", kind="nodejs:20", code="UEsDBA==", binary=True),
            entity(Kind.ACTION, "alone", kind="blackbox", image="some/image", code="UEsDBA==",
                   binary=True),
            entity(Kind.ACTION, "shell", kind="blackbox", image="openwhisk/dockerskeleton",
                   code="#!/bin/sh"),
        ),
        {},
    )  # fmt: skip
    assert made.files == {
        "p/text.py": b"pass",
        "p/packed.zip": b"PK\x03\x04",
        "default/alone.zip": b"PK\x03\x04",
        "default/shell": b"#!/bin/sh",
    }
    alone = made.document["packages"]["default"]["actions"]
    assert alone["alone"] == {"docker": "some/image", "function": "default/alone.zip"}
    assert alone["shell"] == {"native": True, "function": "default/shell"}


def test_a_name_that_is_no_name_writes_nowhere() -> None:
    """A platform that is not ours may say anything."""
    with pytest.raises(Failure, match="cannot be the name of a file"):
        exported(None, (entity(Kind.ACTION, "../../x"),), {})
