"""The documents of an action: what is stored comes back, and clients see what they may."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import codec
from common.entity.action import Action, BlobRef, Exec, Parameter
from common.entity.action_document import (
    NotAnAction,
    from_document,
    to_document,
    to_list_item,
    to_rest,
)
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import Namespace, Rev

NAME = QualifiedName(Namespace("guest"), None, "hello")
VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())

execs = st.sampled_from(
    [
        Exec(kind="python:3.11", code="x = 1"),
        Exec(kind="python:3.11", code="abcd", binary=True, main="x.y"),
        Exec(kind="python:3.11", code_ref=BlobRef("00", 20_000)),
        Exec(kind="blackbox", image="a/b"),
        Exec(kind="sequence", components=("/guest/a", "/guest/p/b")),
    ]
)
actions = st.builds(
    Action,
    name=st.sampled_from([NAME, QualifiedName(Namespace("guest"), "pkg", "a b")]),
    exec=execs,
    version=st.just("1.2.3"),
    publish=st.booleans(),
    parameters=st.lists(st.builds(Parameter, st.text(), VALUES, st.booleans()), max_size=3).map(
        tuple
    ),
    annotations=st.dictionaries(st.text(), VALUES, max_size=3),
    limits=st.sampled_from([Limits(), Limits(instances=3, memory_mb=512)]),
    updated_ms=st.integers(0, 2**50),
    rev=st.just(Rev("7")),
)


@given(actions)
def test_what_is_stored_comes_back(action: Action) -> None:
    stored = codec.decode(codec.encode(to_document(action)))
    assert from_document(stored, Rev("7")) == action


def test_a_client_reads_code_only_if_it_is_handed_in() -> None:
    action = Action(name=NAME, exec=Exec(kind="python:3.11", code="x = 1", main="m"))
    without = to_rest(action)
    assert without["exec"] == {"kind": "python:3.11", "binary": False, "main": "m"}
    assert to_rest(action, code="x = 1")["exec"] == without["exec"] | {"code": "x = 1"}
    assert "entityType" not in without


def test_a_sequence_shows_components_and_no_binary() -> None:
    action = Action(name=NAME, exec=Exec(kind="sequence", components=("/guest/a",)))
    assert to_rest(action)["exec"] == {"kind": "sequence", "components": ["/guest/a"]}


def test_a_list_shows_neither_code_nor_parameters() -> None:
    action = Action(
        name=QualifiedName(Namespace("guest"), "pkg", "hello"),
        exec=Exec(kind="python:3.11", code="abcd", binary=True),
        parameters=(Parameter("secret", 1),),
        annotations={"exec": "python:3.11"},
        updated_ms=5,
    )
    assert to_list_item(to_document(action)) == {
        "namespace": "guest/pkg",
        "name": "hello",
        "version": "0.0.1",
        "publish": False,
        "annotations": [{"key": "exec", "value": "python:3.11"}],
        "limits": {"timeout": 60000, "memory": 256, "logs": 10, "concurrency": 1},
        "updated": 5,
        "exec": {"binary": True},
    }


@pytest.mark.parametrize(
    "broken", [{}, {"exec": 1}, {"parameters": [1]}, {"limits": {}}, {"namespace": None}]
)
def test_a_broken_document_is_told_apart(broken: dict[str, Any]) -> None:
    body = to_document(Action(name=NAME, exec=Exec(kind="python:3.11", code="")))
    with pytest.raises(NotAnAction):
        from_document(body | broken if broken else broken, Rev("1"))
