"""Activations, limits, usage and the documents about the platform itself."""

from dataclasses import replace
from typing import Any

import pytest

from common import metrics
from common.entity.activation import Response, Status
from common.ids import InvokerId
from common.store.port import ActivationFilter, UsageRow
from tests.fakes.records import DAY_MS, HOUR_MS, NOON_MS, a_record, an_action, an_id
from tests.fakes.running_api import GUEST, Api


async def test_a_record_is_read_whole_as_its_end_and_as_its_logs(api: Api) -> None:
    record = replace(a_record(5), init_ms=3, action=an_action("pkg/hello"))
    api.activations.put(record)
    path = f"~/activations/{record.activation_id}"

    status, whole, _ = await api.ask("GET", path)
    assert status == 200
    assert (await api.ask("GET", path + "/"))[1] == whole
    noted = {each["key"]: each["value"] for each in whole.pop("annotations")}
    assert noted == {
        "path": "guest/pkg/hello",
        "kind": "python:3.11",
        "limits": {"timeout": 60000, "memory": 256, "logs": 10, "concurrency": 1},
        "waitTime": 3,
        "initTime": 3,
        "timeout": False,
    }
    response = {"result": {"ok": 1}, "size": 8, "status": "success", "success": True}
    assert whole == {
        "activationId": record.activation_id,
        "namespace": "guest",
        "name": "hello",
        "version": "0.0.1",
        "subject": "guest",
        "start": NOON_MS,
        "end": NOON_MS + 5,
        "duration": 5,
        "publish": False,
        "logs": list(record.logs),
        "response": response,
    }
    assert (await api.ask("GET", path + "/result"))[:2] == (200, response)
    assert (await api.ask("GET", path + "/logs"))[:2] == (200, {"logs": list(record.logs)})
    for bogus in ("/bogus", "/result/", "/logs/x"):
        assert (await api.ask("GET", path + bogus))[0] == 404


async def test_a_record_of_a_platform_fault_has_neither_limits_nor_size(api: Api) -> None:
    failed = Response(status=Status.WHISK_ERROR, result=b'{"error":"x"}')
    api.activations.put(replace(a_record(), limits=None, kind="unknown", response=failed))
    _, whole, _ = await api.ask("GET", f"~/activations/{an_id()}")
    assert "size" not in whole["response"]
    assert {each["key"] for each in whole["annotations"]} == {"path", "kind", "waitTime", "timeout"}


async def test_our_own_address_tells_what_it_cost(api: Api) -> None:
    record = a_record(5)
    api.activations.put(record)
    path = f"/api/brisk/v1/namespaces/_/activations/{record.activation_id}"
    _, whole, _ = await api.ask("GET", path)
    assert (whole["billed_ms"], whole["memory_mb"]) == (5, 256)
    assert whole["response"]["statusCode"] == 0
    assert (await api.ask("GET", path, headers={"Authorization": None}))[0] == 401


async def test_a_list_has_a_line_each_or_whole_records(api: Api) -> None:
    cause = an_id(99)
    slow = replace(a_record(1), end_ms=NOON_MS + 50, duration_ms=20, cause=cause)
    api.activations.put(slow)
    _, lines, _ = await api.ask("GET", "~/activations")
    (line,) = lines
    assert (line["duration"], line["statusCode"], line["cause"]) == (50, 0, cause)
    assert {"key": "causedBy", "value": "sequence"} in line["annotations"]
    assert not {"logs", "response", "subject"} & set(line)

    _, records, _ = await api.ask("GET", "~/activations?docs=true")
    assert records[0]["duration"] == 20
    assert records[0]["logs"] == list(slow.logs)
    assert "statusCode" not in records[0]


@pytest.mark.parametrize(
    ("query", "wanted", "limit", "skip"),
    [
        ("", {}, 30, 0),
        ("?limit=0&skip=2", {}, 200, 2),
        ("?name=a", {"name": "a"}, 30, 0),
        ("?name=", {}, 30, 0),
        ("?name=%20", {}, 30, 0),
        ("?name=pkg/a", {"name": "pkg/a"}, 30, 0),
        (f"?since={NOON_MS}&upto=7", {"since_ms": NOON_MS, "upto_ms": 7}, 30, 0),
        ("?since=5", {}, 30, 0),
    ],
)
async def test_a_list_is_filtered_as_asked(
    api: Api, query: str, wanted: dict[str, Any], limit: int, skip: int
) -> None:
    assert (await api.ask("GET", "~/activations" + query))[:2] == (200, [])
    kept_ms = NOON_MS - 12 * HOUR_MS - 7 * DAY_MS
    expected = ActivationFilter(namespace=GUEST.namespace, **{"since_ms": kept_ms, **wanted})
    assert api.activations.asked == [(expected, limit, skip)]


async def test_a_count_honours_the_filter_and_the_skip(api: Api) -> None:
    api.activations.records = [a_record(number) for number in range(3)]
    _, counted, _ = await api.ask("GET", "~/activations?count=true&skip=1&name=a&limit=1")
    assert counted == {"activations": 2}
    assert api.activations.asked[0][0].name == "a"


async def test_the_limits_are_those_in_force(api: Api) -> None:
    status, limits, _ = await api.ask("GET", "~/limits/")
    assert status == 200
    assert limits == {
        "invocationsPerMinute": 60,
        "concurrentInvocations": 30,
        "firesPerMinute": 60,
        "minActionMemory": 128,
        "maxActionMemory": 512,
        "minActionLogs": 0,
        "maxActionLogs": 10,
        "minActionTimeout": 100,
        "maxActionTimeout": 300000,
        "minActionConcurrency": 1,
        "maxActionConcurrency": 1,
        "maxParameterSize": "1048576 B",
        "maxActionInstances": 30,
    }


async def test_usage_is_of_whole_hours_and_of_this_month_unless_asked(api: Api) -> None:
    api.activations.rows = [
        UsageRow("2025-11", "a", 2, 10, 2560),
        UsageRow("2025-11", "p/b", 1, 5, 640),
    ]
    api.clock.set_wall(NOON_MS + 1)
    path = "/api/brisk/v1/namespaces/_/usage"

    status, usage, _ = await api.ask("GET", path)
    first_of_november_ms = 1_761_955_200_000
    assert status == 200
    assert (usage["from"], usage["to"], usage["by"]) == (
        first_of_november_ms,
        NOON_MS + HOUR_MS,
        "action",
    )
    assert usage["rows"][1] == {
        "period": "2025-11",
        "action": "p/b",
        "activations": 1,
        "billed_ms": 5,
        "mb_ms": 640,
    }
    assert usage["total"] == {"activations": 3, "billed_ms": 15, "mb_ms": 3200}

    asked = f"?from=2025-11-01&to={first_of_november_ms + 1}&by=hour"
    await api.ask("GET", path + asked)
    await api.ask("GET", path + "?from=2025-11-01T01:59:00%2B01:00&to=2025-11-01T02:00:00Z&by=day")
    assert api.activations.usage_asked[1:] == [
        (first_of_november_ms, first_of_november_ms + HOUR_MS, "hour"),
        (first_of_november_ms, first_of_november_ms + 2 * HOUR_MS, "day"),
    ]


@pytest.mark.parametrize(
    ("query", "name"),
    [("?from=x", "from"), ("?to=x", "to"), ("?by=week", "by"), ("?from=7200000&to=1", "to")],
)
async def test_a_time_that_is_none_is_refused(api: Api, query: str, name: str) -> None:
    status, body, _ = await api.ask("GET", "/api/brisk/v1/namespaces/_/usage" + query)
    assert status == 400
    assert body["error"].startswith(f"The query parameter '{name}' was malformed:\n")


async def test_usage_of_others_is_forbidden(api: Api) -> None:
    assert (await api.ask("GET", "/api/brisk/v1/namespaces/other/usage"))[0] == 403


async def test_the_deployment_describes_itself_to_anybody(api: Api) -> None:
    nobody = {"Authorization": None}
    _, info, _ = await api.ask("GET", "/", headers=nobody)
    assert info["limits"]["max_action_memory"] == 512 << 20
    assert info["limits"]["default_min_action_duration"] == 100
    assert len(info["limits"]) == 16
    assert info["runtimes"]["python"][0]["kind"] == "python:3.11"
    assert set(info) == {"description", "support", "api_paths", "limits", "runtimes"}

    for path in ("/api/v1", "/api/v1/"):
        _, version, answer = await api.ask("GET", path, headers=nobody)
        assert version["api_version_path"] == "v1"
        assert version["build"].startswith("20")
        assert "Access-Control-Allow-Origin" in answer.headers
    assert (await api.ask("GET", "/api/v1/api-docs/", headers=nobody))[1]["swagger"] == "2.0"
    assert (await api.ask("GET", "/ping", headers=nobody))[1] == "pong"
    _, text, answer = await api.ask("GET", "/metrics", headers=nobody)
    assert "brisk_http_requests_total" in text
    assert answer.headers["Content-Type"] == metrics.CONTENT_TYPE


async def test_readiness_needs_every_invoker_and_at_least_one(api: Api) -> None:
    assert (await api.ask("GET", "/invokers"))[1] == {"invoker0/0": "up"}
    assert (await api.ask("GET", "/invokers/ready"))[:2] == (200, {"healthy": "1/1"})
    api.health[InvokerId(1)] = False
    assert (await api.ask("GET", "/invokers/healthy/count"))[1] == 1
    assert (await api.ask("GET", "/invokers/ready"))[:2] == (500, {"unhealthy": "1/2"})
    api.health.clear()
    assert (await api.ask("GET", "/invokers/ready"))[:2] == (500, {"unhealthy": "0/0"})


async def test_requests_are_counted_by_what_they_asked_for(api: Api) -> None:
    counted = metrics.REQUESTS["activation", "4xx"]
    before = counted._value.get()
    await api.ask("GET", "~/activations/x")
    assert counted._value.get() == before + 1
