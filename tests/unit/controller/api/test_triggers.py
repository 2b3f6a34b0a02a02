"""Triggers over HTTP: what they keep, and what a firing starts, answers and leaves behind."""

import json
from typing import Any

import pytest

from common.entity.namespace_limits import NamespaceLimits
from common.errors import TooManyRequests
from common.store.port import StoreUnavailable
from tests.fakes.running_api import Api, running_api

CODE = {"exec": {"kind": "python:3.11", "code": "x = 1"}}


async def make(api: Api, path: str, body: Any = None) -> dict[str, Any]:
    status, document, _ = await api.ask("PUT", path, body or {})
    assert status == 200, document
    made: dict[str, Any] = document
    return made


async def a_rule(api: Api, name: str = "ru", action: str = "act") -> None:
    await make(api, f"~/rules/{name}", {"trigger": "/_/tr", "action": f"/_/{action}"})


async def a_trigger_with_a_rule(api: Api, **body: Any) -> None:
    await make(api, "~/actions/act", CODE)
    await make(api, "~/triggers/tr", body)
    await a_rule(api)


async def test_a_firing_starts_each_active_rules_action_and_leaves_one_record(api: Api) -> None:
    await a_trigger_with_a_rule(api, parameters=[{"key": "p", "value": 1}])
    await make(api, "~/packages/pk")
    await make(api, "~/actions/pk/act", CODE)
    await a_rule(api, "second", "pk/act")
    await a_rule(api, "third")
    await api.ask("POST", "~/rules/third", {"status": "inactive"})

    status, body, answer = await api.ask("POST", "~/triggers/tr", {"x": 1})

    assert status == 202
    assert answer.headers["x-openwhisk-activation-id"] == body["activationId"]
    started = [each.meant.action.name.doc_id for each in api.invoker.asked]
    assert sorted(started) == ["guest/act", "guest/pk/act"]
    for each in api.invoker.asked:
        given = json.loads(each.payload or b"")
        assert (given["p"], given["x"], each.wait_ms) == (1, 1, None)
        assert "authorization" not in given["__ow_headers"]
    [record] = api.activations.records
    assert record.activation_id == body["activationId"]
    assert record.response.result == b'{"x": 1}'
    lines = [json.loads(line) for line in record.logs]
    assert [(each["rule"], each["success"]) for each in lines] == [
        ("guest/ru", True),
        ("guest/second", True),
        ("guest/third", False),
    ]

    _, shown, _ = await api.ask("GET", f"~/activations/{body['activationId']}")
    assert shown["annotations"] == []
    assert not shown.keys() & {"end", "duration", "cause"}


async def test_what_has_no_active_rule_is_taken_and_does_nothing(api: Api) -> None:
    await make(api, "~/triggers/tr")
    for _ in range(2):
        status, body, answer = await api.ask("POST", "~/triggers/tr", {"x": 1})
        assert (status, body) == (204, "")
        assert "Content-Type" not in answer.headers
        assert "x-openwhisk-activation-id" not in answer.headers
        if "guest/act" not in api.docs.docs:
            await make(api, "~/actions/act", CODE)
            await a_rule(api)
            await api.ask("POST", "~/rules/ru", {"status": "inactive"})
    assert not api.activations.records
    assert not api.invoker.asked


async def test_an_action_that_is_refused_is_told_in_the_log_and_stops_no_other(api: Api) -> None:
    await a_trigger_with_a_rule(api)
    await make(api, "~/actions/final", CODE | {
        "parameters": [{"key": "x", "value": 0}],
        "annotations": [{"key": "final", "value": True}],
    })  # fmt: skip
    await make(api, "~/actions/gone", CODE)
    await a_rule(api, "fixed", "final")
    await a_rule(api, "broken", "gone")
    await api.ask("DELETE", "~/actions/gone")

    status, _, _ = await api.ask("POST", "~/triggers/tr", {"x": 1})

    assert status == 202
    lines = {each["rule"]: each for each in map(json.loads, api.activations.records[0].logs)}
    assert lines["guest/ru"]["success"] is True
    assert lines["guest/fixed"]["error"].startswith("Request defines parameters that are not")
    assert lines["guest/broken"] == {
        "rule": "guest/broken",
        "action": "guest/gone",
        "statusCode": 1,
        "success": False,
        "error": "The requested resource does not exist.",
    }


async def test_a_failure_of_the_platform_is_told_as_such(api: Api) -> None:
    await a_trigger_with_a_rule(api)
    api.invoker.failure = StoreUnavailable("no disk")
    assert (await api.ask("POST", "~/triggers/tr"))[0] == 202
    [line] = map(json.loads, api.activations.records[0].logs)
    assert (line["statusCode"], line["success"]) == (3, False)
    assert "no disk" not in line["error"]


async def test_who_fires_too_often_is_refused_before_anything_else(api: Api) -> None:
    api.invoker.refusal = TooManyRequests(61, 60, limit="firesPerMinute", retry_after_s=3)
    status, body, answer = await api.ask("POST", "~/triggers/nosuch", b"nope")
    assert (status, answer.headers["Retry-After"]) == (429, "3")
    assert body["error"] == "Too many requests in the last minute (count: 61, allowed: 60)."


@pytest.mark.parametrize(
    ("name", "body", "status", "error"),
    [
        ("nosuch", {}, 404, "The requested resource does not exist."),
        ("act", {}, 409, "Resource by this name exists but is not in this collection."),
        ("tr", [1], 400, "The request content was malformed:\nJSON object expected"),
        ("tr", b"nope", 400, "The request content was malformed:\n"),
    ],
)
async def test_what_cannot_be_fired_is_refused(
    api: Api, name: str, body: Any, status: int, error: str
) -> None:
    await a_trigger_with_a_rule(api)
    heard, answer, _ = await api.ask("POST", f"~/triggers/{name}", body)
    assert heard == status
    assert answer["error"].startswith(error[:40])
    assert not api.invoker.asked


async def test_an_event_that_is_too_large_is_refused() -> None:
    async with running_api(own=NamespaceLimits(numbers=(("maxPayloadSize", 10),))) as api:
        await a_trigger_with_a_rule(api)
        status, body, _ = await api.ask("POST", "~/triggers/tr", {"x": "y" * 10})
        assert (status, body["error"]) == (413, "Request larger than allowed: 19 > 10 bytes.")
        assert not api.invoker.asked


async def test_a_namespace_that_stores_nothing_has_an_id_that_leads_nowhere() -> None:
    async with running_api(own=NamespaceLimits(store_activations=False)) as api:
        await a_trigger_with_a_rule(api)
        status, body, _ = await api.ask("POST", "~/triggers/tr")
        assert status == 202
        assert len(body["activationId"]) == 32
        assert not api.activations.records
        assert api.invoker.asked


@pytest.mark.parametrize("feed", ["", "a,b", "/", 3, None, ["a"]])
async def test_a_feed_that_names_nothing_is_refused_when_a_trigger_is_made(
    api: Api, feed: Any
) -> None:
    body = {"annotations": [{"key": "feed", "value": feed}]}
    status, answer, _ = await api.ask("PUT", "~/triggers/tr", body)
    assert (status, answer["error"]) == (400, "Feed name is not valid")
    await make(api, "~/triggers/tr", {"annotations": [{"key": "feed", "value": "/a/b/c"}]})
    await make(api, "~/triggers/tr?overwrite=true", body)


async def test_an_update_keeps_rules_and_what_is_not_mentioned(api: Api) -> None:
    await a_trigger_with_a_rule(api, parameters=[{"key": "p", "value": 1}], publish=True)
    _, before, _ = await api.ask("GET", "~/triggers/tr")
    body = {"annotations": [{"key": "k", "value": 1}], "rules": {}, "updated": 1}
    updated = await make(api, "~/triggers/tr?overwrite=true", body)
    same = ("rules", "parameters", "publish", "limits")
    assert {key: updated[key] for key in same} == {key: before[key] for key in same}
    assert (before["version"], updated["version"]) == ("0.0.1", "0.0.2")
    assert updated["annotations"] == [{"key": "k", "value": 1}]
    assert updated["updated"] != 1


async def test_a_list_shows_triggers_without_parameters_newest_first(api: Api) -> None:
    await make(api, "~/triggers/one", {"parameters": [{"key": "p", "value": 1}]})
    await make(api, "~/triggers/two")
    _, items, _ = await api.ask("GET", "~/triggers")
    assert [each["name"] for each in items] == ["two", "one"]
    assert set(items[0]) == {"namespace", "name", "version", "publish", "annotations", "updated"}
    _, counted, _ = await api.ask("GET", "~/triggers?count=true&skip=1")
    assert counted == {"triggers": 1}
    status, body, _ = await api.ask("GET", "/api/v1/namespaces/other/triggers")
    assert status == 403
    status, body, _ = await api.ask("POST", "/api/v1/namespaces/other/triggers/tr", {})
    assert (status, body["error"].endswith("access 'other/tr'.")) == (403, True)
