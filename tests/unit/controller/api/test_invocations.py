"""What a caller of an action is told, and what is handed on untouched."""

from dataclasses import replace
from typing import Any

import pytest

from common.bus.port import BusFull, BusUnavailable
from common.entity.activation import Response, Status
from common.errors import TooManyConcurrent, TooManyRequests
from common.settings import LimitSettings
from controller.balance.port import NoCapacity
from controller.invoke.invocation import Accepted, Finished
from tests.fakes.records import a_record, an_id
from tests.fakes.running_api import Api, authorization, running_api

CODE = {"kind": "python:default", "code": "x = 1"}


async def make(api: Api, **fields: Any) -> None:
    status, _, _ = await api.ask("PUT", "~/actions/hello", {"exec": CODE} | fields)
    assert status == 200


def ended(status: Status, result: bytes) -> Finished:
    response = Response(status=status, result=result, size=len(result))
    return Finished(replace(a_record(), response=response))


async def test_a_call_that_does_not_wait_is_answered_with_the_id(api: Api) -> None:
    await make(api)
    status, body, answer = await api.ask("POST", "~/actions/hello?result=true", {})
    assert (status, body) == (202, {"activationId": an_id(7)})
    assert answer.headers["x-openwhisk-activation-id"] == an_id(7)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("how", "status", "text", "succeeded"),
    [
        (Status.SUCCESS, 200, "success", True),
        (Status.APPLICATION_ERROR, 502, "application error", False),
        (Status.DEVELOPER_ERROR, 502, "action developer error", False),
        (Status.WHISK_ERROR, 500, "whisk internal error", False),
    ],
)
async def test_a_call_that_waits_sees_how_it_ended(
    api: Api, how: Status, status: int, text: str, succeeded: bool
) -> None:
    await make(api)
    api.invoker.outcome = ended(how, b'{"error":"x"}')

    heard, activation, answer = await api.ask("POST", "~/actions/hello?blocking=true", {})
    assert heard == status
    assert activation["response"] == {
        "result": {"error": "x"},
        "size": 13,
        "status": text,
        "success": succeeded,
    }
    assert activation["logs"] == []
    assert answer.headers["x-openwhisk-activation-id"] == activation["activationId"]

    heard, result, _ = await api.ask("POST", "~/actions/hello?blocking=true&result=true", {})
    assert (heard, result) == (status, {"error": "x"})


async def test_an_array_is_answered_bare_even_where_the_activation_was_asked_for(api: Api) -> None:
    await make(api)
    api.invoker.outcome = ended(Status.SUCCESS, b"[1,2]")
    assert (await api.ask("POST", "~/actions/hello?blocking=true"))[:2] == (200, [1, 2])


async def test_a_wait_that_ended_is_answered_with_the_id(api: Api) -> None:
    await make(api)
    api.invoker.outcome = Accepted(an_id(9))
    status, body, _ = await api.ask("POST", "~/actions/hello?blocking=on&timeout=10")
    assert (status, body) == (202, {"activationId": an_id(9)})
    assert api.invoker.asked[-1].wait_ms == 10


async def test_body_and_result_pass_through_digit_for_digit(api: Api) -> None:
    await make(api)
    text = b'{"big": 123456789012345678901234567890,\n "e": "\\u00e9", "f": 1.50}'
    api.invoker.outcome = ended(Status.SUCCESS, text)

    path = "~/actions/hello?blocking=true"
    assert (await api.ask("POST", path + "&result=true", text))[0] == 200
    assert api.invoker.asked[-1].payload == text
    _, _, answer = await api.ask("POST", path, text)
    assert text in await answer.read()


@pytest.mark.parametrize("headers", [{}, {"Content-Type": None}, {"Content-Type": "text/plain"}])
async def test_no_body_is_no_payload_whatever_its_type(api: Api, headers: dict[str, Any]) -> None:
    await make(api)
    status, _, _ = await api.ask("POST", "~/actions/hello", b"", headers=headers)
    assert status == 202
    assert api.invoker.asked[-1].payload is None


async def test_the_request_is_known_by_its_id_and_the_time_it_came(api: Api) -> None:
    await make(api)
    headers = {"X-Request-ID": "mine"}
    _, _, answer = await api.ask("POST", "~/actions/hello", {}, headers=headers)
    asked = api.invoker.asked[-1]
    assert (asked.transid, asked.received_ms) == ("mine", api.clock.now_ms())
    assert answer.headers["X-Request-ID"] == "mine"


async def test_final_parameters_may_not_be_set_but_undefined_ones_may(api: Api) -> None:
    await make(
        api,
        parameters=[{"key": "fixed", "value": 1}, {"key": "open", "value": None}],
        annotations=[{"key": "final", "value": True}],
    )
    assert (await api.ask("POST", "~/actions/hello", {"open": 1}))[0] == 202
    status, body, answer = await api.ask("POST", "~/actions/hello", {"fixed": 1})
    assert status == 400
    assert body["error"] == (
        "Request defines parameters that are not allowed (e.g., reserved properties)."
    )
    assert "Access-Control-Allow-Origin" in answer.headers


async def test_final_counts_only_when_it_is_true(api: Api) -> None:
    await make(
        api,
        parameters=[{"key": "fixed", "value": 1}],
        annotations=[{"key": "final", "value": "true"}],
    )
    assert (await api.ask("POST", "~/actions/hello", {"fixed": 2}))[0] == 202


@pytest.mark.parametrize(
    ("refusal", "text", "limit", "retry_after"),
    [
        (
            TooManyRequests(61, 60, limit="invocationsPerMinute", retry_after_s=17),
            "Too many requests in the last minute (count: 61, allowed: 60).",
            "invocationsPerMinute",
            "17",
        ),
        (
            TooManyConcurrent(30, 30),
            "Too many concurrent requests in flight (count: 30, allowed: 30).",
            "concurrentInvocations",
            "1",
        ),
    ],
)
async def test_who_asks_too_often_is_told_so_before_anything_else_is_looked_at(
    api: Api, refusal: Exception, text: str, limit: str, retry_after: str
) -> None:
    api.invoker.refusal = refusal
    for path in ("~/actions/missing", "/api/v1/namespaces/other/actions/x"):
        status, body, answer = await api.ask("POST", path + "?blocking=maybe", b"[")
        assert (status, body["error"]) == (429, text)
        assert (answer.headers["X-Brisk-Limit"], answer.headers["Retry-After"]) == (
            limit,
            retry_after,
        )


@pytest.mark.parametrize(
    ("failure", "limit"),
    [
        (BusUnavailable(), None),
        (BusFull("The topic is full.", limit="kafka.capacity"), "kafka.capacity"),
        (NoCapacity(limit="pool.memory_mb"), "pool.memory_mb"),
    ],
)
async def test_a_bus_that_takes_nothing_is_503_and_names_what_was_reached(
    api: Api, failure: Exception, limit: str | None
) -> None:
    await make(api)
    api.invoker.failure = failure
    status, body, answer = await api.ask("POST", "~/actions/hello", {})
    assert (status, answer.headers.get("X-Brisk-Limit"), answer.headers["Retry-After"]) == (
        503,
        limit,
        "1",
    )
    assert body["error"] == (
        "The server is currently unavailable (because it is overloaded or down for maintenance)."
    )


async def test_too_large_a_payload_is_refused_before_the_action_is_looked_for() -> None:
    async with running_api(LimitSettings(max_payload_bytes=10)) as api:
        status, body, _ = await api.ask("POST", "~/actions/missing?blocking=maybe", b"x" * 11)
        assert status == 413
        assert body["error"] == "Request larger than allowed: 11 > 10 bytes."


async def test_a_payload_of_unknown_length_is_not_read_beyond_its_bound() -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 1000

    async with running_api(LimitSettings(max_payload_bytes=10_000)) as api:
        await make(api)
        answer = await api.client.post(
            "/api/v1/namespaces/_/actions/hello",
            data=endless(),
            headers={
                "Content-Type": "application/json",
                "Authorization": authorization(),
            },
        )
        assert answer.status == 413
        assert (await answer.json())["error"] == (
            "Request larger than allowed: 10001 > 10000 bytes."
        )


async def test_an_action_of_a_deprecated_kind_does_not_run(api: Api) -> None:
    await make(api)
    body = next(iter(api.docs.docs.values())).body
    body["exec"]["kind"] = "python:2"
    api.clock.advance(s=60)
    status, refused, _ = await api.ask("POST", "~/actions/hello", {})
    assert status == 400
    assert refused["error"] == (
        "The 'python:2' runtime is no longer supported. "
        "You may read and delete but not update or invoke this action."
    )
