"""Which actions are made of others, and the record of one."""

from dataclasses import replace
from typing import Any

import pytest

from common.entity import activation_document
from common.entity.action import Action, Exec
from common.entity.activation import Response, Status
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import Namespace
from controller.api import activation_answer
from controller.invoke.composite import Part, interrupted, is_composite, is_conductor, record
from tests.fakes.records import NOON_MS, a_message, an_id

NAME = QualifiedName(Namespace("guest"), None, "a")
CODE = Action(name=NAME, exec=Exec(kind="python:3.11"))
DONE = Response(status=Status.SUCCESS, result=b"{}", size=2)
PARTS = [
    Part(an_id(1), 30, Limits(memory_mb=128)),
    Part(an_id(2), 12, Limits(memory_mb=512, timeout_ms=100)),
    Part(an_id(3)),
]


@pytest.mark.parametrize(
    ("value", "is_marked"),
    [(True, True), (1, True), ("x", True), ({}, True), ([], True),
     (False, False), (0, False), ("", False), (None, False)],
)  # fmt: skip
def test_the_annotation_conductor_counts_when_it_is_truthy(value: Any, is_marked: bool) -> None:
    action = replace(CODE, annotations={"conductor": value})
    assert is_conductor(action) is is_composite(action) is is_marked


def test_a_sequence_is_composite_and_never_a_conductor() -> None:
    made_of_others = replace(CODE, exec=Exec(kind="sequence"), annotations={"conductor": True})
    assert is_composite(made_of_others)
    assert not is_conductor(made_of_others)
    assert not is_composite(CODE)


def test_the_record_of_a_sequence_sums_its_parts_and_costs_nothing() -> None:
    message = a_message(kind="sequence", received_ms=NOON_MS - 5)
    ended = record(
        message, DONE, PARTS, limits=Limits(timeout_ms=7), start_ms=NOON_MS, end_ms=NOON_MS + 99
    )

    assert ended.duration_ms == 42
    assert ended.wait_ms == 5
    assert ended.logs == (an_id(1), an_id(2), an_id(3))
    assert ended.limits == Limits(timeout_ms=7, memory_mb=512)
    assert ended.billed_ms == 0
    shown = activation_answer.annotations(ended)
    assert {each["key"]: each["value"] for each in shown} == {
        "path": "guest/hello",
        "kind": "sequence",
        "topmost": True,
        "waitTime": 5,
        "limits": {"timeout": 7, "memory": 512, "logs": 10, "concurrency": 1},
    }
    assert activation_document.decode(activation_document.encode(ended)) == ended


def test_the_record_of_an_inner_composition_says_whose_part_it_is() -> None:
    message = a_message(kind="python:3.11", cause=an_id(9))
    ended = record(message, DONE, limits=Limits(), start_ms=NOON_MS, end_ms=NOON_MS)

    assert ended.limits is None  # nothing ran
    shown = {each["key"]: each["value"] for each in activation_answer.annotations(ended)}
    assert shown == {
        "path": "guest/hello",
        "kind": "sequence",
        "topmost": False,
        "conductor": True,
        "causedBy": "sequence",
        "waitTime": 0,
    }
    assert activation_answer.list_item(ended)["cause"] == an_id(9)
    assert activation_document.decode(activation_document.encode(ended)) == ended


def test_what_was_broken_off_is_the_platforms_fault() -> None:
    assert interrupted().status is Status.WHISK_ERROR
    assert b"It is not run a second time." in interrupted().result
