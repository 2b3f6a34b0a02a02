"""Web actions over HTTP: whose they are, who may call them, and what is said when they fail."""

import json
from typing import Any

import pytest

from common.entity.activation import Response, Status
from common.errors import TooManyRequests
from common.ids import ActivationId
from controller.invoke.invocation import Accepted, Finished
from tests.fakes.records import a_record
from tests.fakes.running_api import Api

WEB = "/api/v1/web/guest/default"


async def exported(api: Api, **annotations: Any) -> None:
    shown = [{"key": key, "value": value} for key, value in annotations.items()]
    body = {"exec": {"kind": "python:default", "code": "x"}, "annotations": shown}
    status, _, _ = await api.ask("PUT", "~/actions/page?overwrite=true", body)
    assert status == 200


def answers(api: Api, result: Any, status: Status = Status.SUCCESS) -> None:
    response = Response(status=status, result=json.dumps(result).encode())
    api.invoker.outcome = Finished(a_record(response=response))


async def test_anybody_calls_and_the_activation_is_the_owners(api: Api) -> None:
    await exported(api, **{"web-export": True})
    answers(api, {"body": "<b>hello</b>"})
    status, text, answer = await api.ask(
        "GET", f"{WEB}/page/a/b?x=1", headers={"Authorization": None}
    )
    assert (status, text) == (200, "<b>hello</b>")
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "x-openwhisk-activation-id" in answer.headers
    told = json.loads(api.invoker.asked[-1].payload or b"")
    assert (told["__ow_path"], told["x"]) == ("/a/b", "1")
    assert "__ow_user" not in told


@pytest.mark.parametrize("value", [False, "true", 1, None])
async def test_only_true_exports(api: Api, value: Any) -> None:
    await exported(api, **{"web-export": value})
    status, body, _ = await api.ask("GET", f"{WEB}/page")
    assert (status, body["error"]) == (404, "The requested resource does not exist.")
    assert not api.invoker.asked


@pytest.mark.parametrize(
    ("wanted", "sent", "allowed"),
    [
        ("s3cret", "s3cret", True),
        ("s3cret", "other", False),
        ("s3cret", None, False),
        (42, "42", True),
        (False, None, True),
        (None, "None", False),
        ({}, "{}", False),
        (True, "true", False),
    ],
)
async def test_a_secret_is_asked_for(
    api: Api, wanted: Any, sent: str | None, allowed: bool
) -> None:
    await exported(api, **{"web-export": True, "require-whisk-auth": wanted})
    answers(api, {})
    headers = {"X-Require-Whisk-Auth": sent, "Authorization": None}
    status, _, answer = await api.ask("GET", f"{WEB}/page.json", headers=headers)
    assert status == (200 if allowed else 401)
    assert "WWW-Authenticate" not in answer.headers
    assert bool(api.invoker.asked) is allowed


async def test_who_has_a_key_is_told_apart_from_who_claims_to(api: Api) -> None:
    await exported(api, **{"web-export": True, "require-whisk-auth": True})
    answers(api, {})
    status, _, _ = await api.ask("GET", f"{WEB}/page.json")
    assert status == 200
    assert json.loads(api.invoker.asked[-1].payload or b"")["__ow_user"] == "guest"
    status, _, _ = await api.ask("GET", f"{WEB}/page.json", headers={"Authorization": "Basic bm8="})
    assert status == 401


async def test_options_is_answered_here_unless_the_action_wants_it(api: Api) -> None:
    await exported(api, **{"web-export": True})
    asked = {"Access-Control-Request-Headers": "x-y"}
    status, _, answer = await api.ask("OPTIONS", f"{WEB}/page", headers=asked)
    assert (status, answer.headers["Access-Control-Allow-Headers"]) == (200, "x-y")
    assert not api.invoker.asked
    await exported(api, **{"web-export": True, "web-custom-options": True})
    answers(api, {"headers": {"X-Mine": "1"}})
    status, _, answer = await api.ask("OPTIONS", f"{WEB}/page")
    assert (status, answer.headers["X-Mine"]) == (204, "1")
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_what_the_client_does_not_read_is_406_after_one_run(api: Api) -> None:
    await exported(api, **{"web-export": True})
    answers(api, {"body": "text"})
    status, body, _ = await api.ask("GET", f"{WEB}/page", headers={"Accept": "application/json"})
    assert status == 406
    assert body["error"].endswith("\ntext/html; charset=UTF-8")
    assert len(api.invoker.asked) == 1
    status, _, _ = await api.ask(
        "GET", f"{WEB}/page", headers={"Accept": "text/*;q=0.5, image/png"}
    )
    assert status == 200


async def test_what_goes_wrong_is_told_in_lines(api: Api) -> None:
    await exported(api, **{"web-export": True})
    api.invoker.outcome = Accepted(ActivationId("0" * 32))
    status, body, answer = await api.ask("GET", f"{WEB}/page")
    assert (status, body["error"]) == (202, "Response not yet ready.")
    assert len((await answer.text()).splitlines()) == 4
    api.invoker.refusal = TooManyRequests(2, 1)
    status, body, _ = await api.ask("GET", f"{WEB}/page")
    assert (status, body["error"].startswith("Too many requests")) == (429, True)


async def test_a_package_passes_its_parameters_on(api: Api) -> None:
    await api.ask("PUT", "~/packages/pk", {"parameters": [{"key": "a", "value": 1}]})
    web = [{"key": "web-export", "value": True}]
    body = {"exec": {"kind": "python:default", "code": "x"}, "annotations": web}
    await api.ask("PUT", "~/actions/pk/page", body)
    answers(api, {})
    status, _, _ = await api.ask("GET", "/api/v1/web/guest/pk/page")
    assert status == 204
    assert [each.key for each in api.invoker.asked[-1].meant.action.parameters] == ["a"]
