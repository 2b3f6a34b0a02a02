"""What a firing asks and what its record says: values in, values out."""

import json

from common.entity.action import Parameter
from common.entity.activation_document import decode, encode
from common.entity.trigger import Link, RuleStatus, Trigger
from common.ids import DocId, Namespace, Subject
from controller.api import activation_answer
from controller.invoke import firing
from controller.invoke.firing import Refused, Started
from tests.fakes.records import NOON_MS, an_action, an_id

ACTIVE, INACTIVE = RuleStatus.ACTIVE, RuleStatus.INACTIVE
TRIGGER = Trigger(
    name=an_action("tr"),
    parameters=(Parameter("p", 1), Parameter("q", 1)),
    rules={
        DocId("guest/on"): Link(an_action("act"), ACTIVE),
        DocId("guest/off"): Link(an_action("pk/act"), INACTIVE),
        DocId("guest/gone"): Link(an_action("gone"), ACTIVE),
        DocId("guest/lost"): Link(an_action("lost"), ACTIVE),
    },
)


def test_the_log_has_a_line_for_each_rule_in_the_order_in_which_they_were_made() -> None:
    lines = firing.log(
        TRIGGER,
        {
            DocId("guest/lost"): Refused(503, "The platform is full."),
            DocId("guest/gone"): Refused(404, "The requested resource does not exist."),
            DocId("guest/on"): Started(an_id(1)),
        },
    )
    assert lines[0] == (
        f'{{"statusCode":0,"success":true,"activationId":"{an_id(1)}",'
        '"rule":"guest/on","action":"guest/act"}'
    )
    assert [json.loads(line) for line in lines[1:]] == [
        {
            "statusCode": 1,
            "success": False,
            "error": "Rule 'guest/off' is inactive, action 'guest/pk/act' was not activated.",
            "rule": "guest/off",
            "action": "guest/pk/act",
        },
        {
            "statusCode": 1,
            "success": False,
            "error": "The requested resource does not exist.",
            "rule": "guest/gone",
            "action": "guest/gone",
        },
        {
            "statusCode": 3,
            "success": False,
            "error": "The platform is full.",
            "rule": "guest/lost",
            "action": "guest/lost",
        },
    ]


def test_only_active_rules_are_started() -> None:
    assert [rule for rule, _ in firing.active(TRIGGER)] == ["guest/on", "guest/gone", "guest/lost"]
    assert not firing.active(Trigger(name=an_action("tr")))


def test_an_event_wins_over_the_headers_and_they_over_the_trigger() -> None:
    headers = {"User-Agent": "curl", "Authorization": "Basic secret", "Cookie": "secret"}
    assert firing.arguments(TRIGGER, headers, {"q": 2}) == {
        "p": 1,
        "q": 2,
        "__ow_headers": {"user-agent": "curl"},
    }
    assert firing.arguments(TRIGGER, headers, {"__ow_headers": 3})["__ow_headers"] == 3


def test_the_record_of_a_firing_has_no_end_and_no_annotations_and_costs_nothing() -> None:
    record = firing.record(
        TRIGGER,
        activation_id=an_id(),
        namespace=Namespace("guest"),
        subject=Subject("somebody"),
        payload=b'{"x": 1}',
        start_ms=NOON_MS,
        logs=("{}",),
    )
    stored = decode(encode(record))
    assert stored == record
    assert (stored.billed_ms, stored.memory_mb, stored.cause) == (0, 0, None)
    assert json.loads(encode(record))["end"] == 0

    whole = activation_answer.whole(record, logs=record.logs)
    line = activation_answer.list_item(record)
    for shown in (whole, line):
        assert shown["annotations"] == []
        assert not shown.keys() & {"end", "duration", "statusCode", "cause"}
    assert whole["response"]["success"] is True
