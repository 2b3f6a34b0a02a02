"""APIs are called: which action a call becomes, and what the caller gets."""

import asyncio
from typing import Any

import pytest

from tests.fakes.running_api import UUID, Api
from tests.unit.controller.api.gateway_calls import (
    ACTION,
    AT,
    MANAGEMENT,
    answers,
    create,
    endpoint,
    export,
    made,
    told,
)
from tests.unit.controller.gateway.documents import document, operation

NOBODY = {"Authorization": None}
PARAMETER = {"name": "id", "in": "path", "required": True, "type": "string"}


async def call(
    api: Api, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any, Any]:
    status, text, answer = await api.ask(method, f"{AT}{path}", body, headers=NOBODY | headers)
    return status, text, answer.headers


async def test_anybody_calls_an_api_and_the_action_answers(api: Api) -> None:
    await export(api)
    await made(api)
    answers(api, {"said": "hello"})
    status, said, headers = await call(api, "GET", "/a/b?x=1")
    assert (status, said) == (200, {"said": "hello"})
    assert "x-openwhisk-activation-id" in headers
    assert (told(api)["x"], told(api)["__ow_method"], told(api)["__ow_path"]) == ("1", "get", "")


@pytest.mark.parametrize("kind", ["json", "text", "html"])
async def test_the_type_of_the_answer_is_that_of_the_endpoint(api: Api, kind: str) -> None:
    await export(api)
    await made(api, response_type=kind)
    answers(api, {"body": "x"})
    _, _, headers = await call(api, "GET", "/a/b")
    kinds = {"json": "application/json", "text": "text/plain", "html": "text/html"}
    assert headers["Content-Type"].partition(";")[0] == kinds[kind]


async def test_the_path_of_the_request_is_told(api: Api) -> None:
    await export(api)
    await made(api, endpoint("/c/{id}", pathParameters=[PARAMETER]), "http")
    answers(api, {"statusCode": 201, "body": "x", "headers": {"X-Mine": "1"}})
    status, _, headers = await call(api, "GET", "/a/c/17?q=1")
    assert (status, headers["X-Mine"]) == (201, "1")
    assert told(api)["__ow_path"] == "/a/c/17"
    await call(api, "GET", "/a/c/caf%C3%A9")
    assert told(api)["__ow_path"] == "/a/c/café"


async def test_a_body_is_passed_on(api: Api) -> None:
    await export(api)
    await made(api, endpoint("/b", "POST"))
    answers(api, {})
    await call(api, "POST", "/a/b", {"n": 1})
    assert (told(api)["n"], told(api)["__ow_method"]) == (1, "post")


async def test_the_longest_base_path_and_literals_come_first(api: Api) -> None:
    for name in ("root", "short", "long", "word", "open"):
        await export(api, name)

    def to(name: str) -> dict[str, Any]:
        return ACTION | {"name": name}

    await made(api, endpoint("/a/b/c", gatewayBasePath="/", action=to("root")))
    await made(api, endpoint("/b/c", action=to("short")))
    await made(api, endpoint("/c", gatewayBasePath="/a/b", action=to("long")))
    shared = {"gatewayBasePath": "/z"}
    parameter = [PARAMETER]
    await made(
        api, endpoint("/{id}", pathParameters=parameter, action=to("open"), **shared), "http"
    )
    await made(api, endpoint("/word", action=to("word"), **shared))
    answers(api, {})
    for path, name in (
        ("/a/b/c", "long"), ("/z/word", "word"), ("/z/other", "open"), ("/z/word/", "word"),
    ):  # fmt: skip
        await call(api, "GET", path)
        assert api.invoker.asked[-1].meant.action.name.name == name, path


async def test_what_there_is_not_is_told_apart(api: Api) -> None:
    await export(api)
    await made(api, endpoint(apiName="<letters>"))
    for path, status, text in (
        ("/x/y", 404, "There is no API at this address."),
        ("/a/x", 404, "The API '<letters>' has no path that fits '/x'."),
        ("/a", 404, "The API '<letters>' has no path that fits '/'."),
    ):
        answered, said, _ = await call(api, "GET", path)
        assert (answered, said["error"]) == (status, text)
    answered, said, headers = await call(api, "PUT", "/a/b")
    assert (answered, headers["Allow"]) == (405, "GET, HEAD")
    assert said["error"] == "HTTP method not allowed, supported methods: GET, HEAD"
    for tenant in ("x", "x" * 36, UUID[:-1] + "0", "..%2f" + UUID):
        status, said, _ = await api.ask("GET", f"/gw/api/{tenant}/a/b")
        assert (status, said["error"]) == (404, "There is no API at this address.")
    assert not api.invoker.asked


async def test_head_is_get_without_a_body(api: Api) -> None:
    await export(api)
    await made(api)
    answers(api, {"said": "hello"})
    status, said, headers = await call(api, "HEAD", "/a/b")
    assert (status, said, told(api)["__ow_method"]) == (200, "", "head")
    assert int(headers["Content-Length"]) > 0


async def test_pages_of_others_may_call_where_the_api_says_so(api: Api) -> None:
    await export(api)
    await made(api)
    answers(api, {})
    asked = {"Origin": "https://x", "Access-Control-Request-Headers": "x-mine"}
    status, _, headers = await call(api, "OPTIONS", "/a/b", **asked)
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert headers["Access-Control-Allow-Headers"] == "x-mine"
    assert not api.invoker.asked
    for path in ("/a/b", "/a/nothing"):
        _, _, headers = await call(api, "GET", path)
        assert headers.getall("Access-Control-Allow-Origin") == ["*"]


async def test_pages_of_others_may_not_where_it_does_not(api: Api) -> None:
    await export(api)
    await made(api, {"namespace": "_", "swagger": document({"/x": {"get": operation("one")}})})
    answers(api, {})
    status, _, headers = await call(api, "OPTIONS", "/books/x", Origin="https://x")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    for path in ("/books/x", "/books/nothing"):
        _, _, headers = await call(api, "GET", path)
        assert "Access-Control-Allow-Origin" not in headers


async def test_an_operation_may_answer_options_itself(api: Api) -> None:
    await export(api)
    await made(api, endpoint("/b", "OPTIONS"), "http")
    answers(api, {"headers": {"Access-Control-Allow-Origin": "https://mine"}})
    status, _, headers = await call(api, "OPTIONS", "/a/b")
    assert (status, headers.getall("Access-Control-Allow-Origin")) == (204, ["https://mine"])
    assert len(api.invoker.asked) == 1


async def test_the_secret_of_an_action_is_sent_for_the_caller(api: Api) -> None:
    await export(api, **{"require-whisk-auth": "s3cret"})
    await made(api)
    answers(api, {})
    status, _, headers = await call(api, "GET", "/a/b")
    assert (status, "WWW-Authenticate" in headers) == (401, False)
    await made(api, endpoint(action=ACTION | {"secureKey": "s3cret"}))
    status, _, _ = await call(api, "GET", "/a/b", **{"X-Require-Whisk-Auth": "wrong"})
    assert status == 200
    assert "s3cret" not in str(told(api))


async def test_an_operation_that_leads_nowhere_says_so(api: Api) -> None:
    lost = operation("one", **{"x-openwhisk": {"url": "https://example.com/x"}})
    await made(api, {"namespace": "_", "swagger": document({"/x": {"get": lost, "put": {}}})})
    status, said, _ = await call(api, "GET", "/books/x")
    assert status == 502
    assert said["error"].startswith("The operation 'one' leads to no web action of this platform.")
    status, said, _ = await call(api, "PUT", "/books/x")
    assert said["error"].startswith("The operation 'put /x' leads to no web action")


async def test_an_action_that_is_no_web_action_any_more_is_not_there(api: Api) -> None:
    await export(api, "echo", **{"web-export": False})
    await made(api)
    status, said, _ = await call(api, "GET", "/a/b")
    assert (status, said["error"]) == (404, "The requested resource does not exist.")


async def test_a_change_is_seen_by_the_next_call(api: Api) -> None:
    await export(api)
    await export(api, "other")
    await made(api)
    answers(api, {})
    await call(api, "GET", "/a/b")
    await made(api, endpoint(action=ACTION | {"name": "other"}))
    await call(api, "GET", "/a/b")
    assert [each.meant.action.name.name for each in api.invoker.asked] == ["echo", "other"]
    await api.ask("DELETE", f"{MANAGEMENT}/deleteApi.http?basepath=/a")
    assert (await call(api, "GET", "/a/b"))[0] == 404


async def test_an_imported_document_may_name_operations_by_verb_and_path(api: Api) -> None:
    await export(api)
    to = "https://h/api/v1/web/guest/default/echo.http"
    case = {
        "operations": [{"verb": "get", "path": "/x"}],
        "execute": [{"invoke": {"target-url": to}}],
    }
    configuration = {"assembly": {"execute": [{"operation-switch": {"case": [case]}}]}}
    given = document({"/x": {"get": {}}}, **{"x-ibm-configuration": configuration})
    status, _ = await create(api, {"namespace": "_", "swagger": given})
    assert status == 200
    answers(api, {"body": "x"})
    assert (await call(api, "GET", "/books/x"))[:2] == (200, "x")


@pytest.mark.parametrize(
    "path",
    [
        "/a/%00", "/a/%ff", "/a/%zz", "/a/../b", "/%2e%2e/a", "//", "/a//b", "/a/b%2F", "/" * 900,
        "/a" * 2000, "/a/" + "x" * 7000, "/a/%F0%9F%92%A9", "/a/b;x=1", "/%2Fa/b", "/{x}",
        "/a/{id}",
    ],
)  # fmt: skip
async def test_odd_paths_are_not_there_and_no_fault_of_ours(api: Api, path: str) -> None:
    await export(api)
    await made(api)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
    try:
        lines = f"GET {AT}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        writer.write(lines.encode())
        async with asyncio.timeout(10):
            answer = (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(("HTTP/1.1 404 ", "HTTP/1.1 400 ")), answer[:200]
    assert not api.invoker.asked
