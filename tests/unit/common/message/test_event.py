"""User events are OpenWhisk's, field for field: a running one's are made again from records."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.entity.activation import TRIGGER, Response, Status
from common.entity.identity import Identity
from common.entity.limits import Limits
from common.ids import ActivationId, Namespace, Subject
from common.message import encoding, event
from common.message.event import UserEvent
from tests.fakes.records import a_record, an_action, an_id

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parents[3] / "data/recorded/events.jsonl").read_text().splitlines()
]
GUEST = Identity(
    subject=Subject("guest"),
    namespace=Namespace("guest"),
    uuid="<uuid>",
    invocations_per_minute=60,
    firings_per_minute=60,
    concurrent_invocations=30,
)


def of_record(**changes: Any) -> dict[str, Any]:
    told = event.of_activation(a_record(1, **changes), source="invoker0", user_id="u", now_ms=5)
    assert told
    return dict(told.body)


@pytest.mark.parametrize("recorded", [one for one in RECORDED if one["eventType"] == "Activation"])
def test_an_activation_is_told_as_openwhisk_tells_it(recorded: dict[str, Any]) -> None:
    body = recorded["body"]
    record = a_record(
        activation_id=ActivationId(body["activationId"]),
        action=an_action(body["name"].partition("/")[2]),
        kind=body["kind"],
        limits=Limits(memory_mb=body["memory"]),
        duration_ms=body["duration"],
        wait_ms=body["waitTime"],
        init_ms=body["initTime"] or None,
        response=Response(status=Status(body["statusCode"]), result=b"{}", size=body.get("size")),
        cause=an_id(9) if "causedBy" in body else None,
    )
    told = event.of_activation(
        record, source=recorded["source"], user_id="<uuid>", now_ms=recorded["timestamp"]
    )
    assert told
    assert told.to_wire() == recorded


@pytest.mark.parametrize("recorded", [one for one in RECORDED if one["eventType"] == "Metric"])
def test_a_metric_is_told_as_openwhisk_tells_it(recorded: dict[str, Any]) -> None:
    body, now_ms = recorded["body"], recorded["timestamp"]
    told = event.of_metric(
        GUEST, body["metricName"], body["metricValue"], source=recorded["source"], now_ms=now_ms
    )
    assert told.to_wire() == recorded


def test_a_composition_says_so() -> None:
    assert of_record(is_conductor=True)["conductor"] is True


def test_what_could_not_be_read_has_no_memory() -> None:
    assert of_record(limits=None, kind="unknown")["memory"] == 0


def test_a_firing_is_no_event() -> None:
    record = replace(a_record(1), kind=TRIGGER)
    assert event.of_activation(record, source="controller0", user_id="u", now_ms=5) is None


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (b'{"statusCode":418}', 418),
        (b'{"statusCode":"302"}', 302),
        (b'{"statusCode":1,"error":{"statusCode":404}}', 404),
        (b'{"error":{"code":1},"statusCode":204}', 204),
        (b'{"error":"no","statusCode":204}', 204),
        (b'{"statusCode":"soon"}', 400),
        (b'{"statusCode":null}', 400),
        (b'{"statusCode":true}', 400),
        (b'{"statusCode":1e99}', 400),
        (b'{"statusCode":99999999999}', 400),
        (b'{"body":"the \\"statusCode\\" of"}', None),
        (b'{"deep":{"statusCode":500}}', None),
        (b'["statusCode"]', None),
        (b"{}", None),
    ],
)
def test_the_status_that_code_answers_itself(result: bytes, status: int | None) -> None:
    body = of_record(response=Response(status=Status.SUCCESS, result=result))
    assert body.get("userDefinedStatusCode") == status


def test_on_a_broker_an_event_is_plain_json_below_its_namespace() -> None:
    told = event.of_metric(GUEST, "TimedRateLimit", 1, source="controller0", now_ms=5)
    sent = encoding.encode(told)
    assert json.loads(sent) == told.to_wire()
    assert encoding.key(told) == "guest"
    back = encoding.decode(sent)
    assert isinstance(back, UserEvent)
    assert back == told


@pytest.mark.parametrize("text", [b'{"body":', b'{"body":{}}', b'{"body":[],"source":1}'])
def test_what_is_no_event_is_poison(text: bytes) -> None:
    with pytest.raises(encoding.MalformedMessage):
        encoding.decode(text)
