"""What every request meets at the gate, whatever it asks for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller.edge import content
from tests.fakes.running_api import Api, authorization, running_api

NOT_FOUND = "The requested resource could not be found."
NOBODY = {"Authorization": None}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as running:
        yield running


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
async def test_unknown_addresses_outside_of_the_api_take_nothing(api: Api, method: str) -> None:
    status, body, answer = await api.ask(method, "/nothing", headers=NOBODY)
    if method == "OPTIONS":
        assert (status, body["error"]) == (404, NOT_FOUND)
        return
    assert (status, answer.headers["Allow"]) == (405, "OPTIONS")
    assert body["error"] == "HTTP method not allowed, supported methods: OPTIONS"
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_wrong_method_outside_of_the_api_is_told_the_right_ones(api: Api) -> None:
    status, body, answer = await api.ask("POST", "/ping", headers=NOBODY)
    assert (status, answer.headers["Allow"]) == (405, "GET, OPTIONS")
    assert body["error"] == "HTTP method not allowed, supported methods: GET, OPTIONS"


@pytest.mark.parametrize(
    "path", ["/api/v1", "/api/v1/", "/api/v1/bogus", "/api/v1/namespaces/_/actions/x/y/z"]
)
async def test_options_is_answered_anywhere_in_the_api(api: Api, path: str) -> None:
    status, body, answer = await api.ask("OPTIONS", path, headers=NOBODY)
    assert (status, body) == (200, "OK")
    assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, DELETE, POST, PUT, HEAD"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/bogus"),
        ("GET", "/api/brisk/v1/bogus"),
        ("POST", "/api/v1"),
        ("GET", "~"),
        ("DELETE", "~/"),
        ("GET", "~/bogus"),
        ("PATCH", "~/actions"),
        ("POST", "~/actions"),
        ("PUT", "~/actions/"),
        ("GET", "~//actions"),
        ("GET", "~/actions//a"),
        ("PUT", "~/actions/a/b/c"),
        ("PUT", "~/activations/x"),
        ("DELETE", "~/limits"),
    ],
)
async def test_unknown_addresses_in_the_api_are_not_found_and_first_of_all_need_credentials(
    api: Api, method: str, path: str
) -> None:
    status, body, answer = await api.ask(method, path)
    assert (status, body["error"]) == (404, NOT_FOUND)
    assert "Access-Control-Allow-Origin" not in answer.headers

    status, body, answer = await api.ask(method, path, headers=NOBODY)
    assert status == 401
    assert body["error"] == (
        "The resource requires authentication, which was not supplied with the request"
    )
    assert answer.headers["WWW-Authenticate"] == (
        'Basic realm="OpenWhisk secure realm",charset=UTF-8'
    )
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        ("PUT", "~/actions/%20a", "The name of the entity contains illegal characters."),
        ("PUT", "~/actions/%20a/b/c", "The name of the entity contains illegal characters."),
        ("GET", "~/actions/a%2Fb", "The name of the entity contains illegal characters."),
        ("GET", "~/actions/a%25b", "The name of the entity contains illegal characters."),
        ("GET", "~/actions/%FF", "The name of the entity contains illegal characters."),
        ("GET", "~/actions/{a}", "The name of the entity contains illegal characters."),
        ("GET", "~/actions/p/-a", "The name of the entity contains illegal characters."),
        ("GET", "~/triggers/-a", "The name of the entity contains illegal characters."),
        ("GET", "~/actions/" + "a" * 257, "Name segement longer than allowed: 257 > 256."),
        ("GET", "/api/v1/namespaces/a$b/actions", "The namespace contains illegal characters."),
        ("PATCH", "/api/v1/namespaces/a$b/actions", "The namespace contains illegal characters."),
        (
            "GET",
            f"/api/v1/namespaces/{'n' * 257}/actions",
            "Namespace longer than allowed: 257 > 256.",
        ),
        ("GET", "~/activations/x", "Activation id length is 1 but must be 32."),
        ("GET", "~/activations/x/bogus", "Activation id length is 1 but must be 32."),
        ("GET", "~/activations/" + "G" * 32, "The activation id is not valid."),
    ],
)
async def test_illegal_names_in_a_path_are_refused_without_cors(
    api: Api, method: str, path: str, text: str
) -> None:
    from yarl import URL

    address = URL(
        str(api.client.make_url("/")).rstrip("/") + path.replace("~", "/api/v1/namespaces/_", 1),
        encoded=True,
    )
    headers = {"Authorization": authorization()}
    async with api.client.session.request(method, address, headers=headers) as answer:
        body = await answer.json()
    assert (answer.status, body["error"]) == (400, text)
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_every_answer_has_its_request_id_and_an_error_says_it_too(api: Api) -> None:
    for path in ("/ping", "~/actions", "~/actions/missing", "/nothing"):
        _, body, answer = await api.ask("GET", path, headers={"X-Request-ID": "mine"})
        assert answer.headers["X-Request-ID"] == "mine"
        if isinstance(body, dict) and "error" in body:
            assert body["code"] == "mine"
    _, _, answer = await api.ask("GET", "/ping", headers={"X-Request-ID": "sid_x"})
    assert len(answer.headers["X-Request-ID"]) == 32


async def test_head_is_not_get(api: Api) -> None:
    assert (await api.ask("HEAD", "~/actions"))[0] == 404
    assert (await api.ask("HEAD", "/ping"))[0] == 405


async def test_a_client_that_reads_no_json_is_refused_before_anything_is_done(api: Api) -> None:
    body = {"exec": {"kind": "python:default", "code": ""}}
    headers = {"Accept": "text/html"}
    status, refused, _ = await api.ask("PUT", "~/actions/a", body, headers=headers)
    assert status == 406
    assert refused["error"].endswith("these types:\napplication/json")
    assert not api.docs.docs


@pytest.mark.parametrize(
    ("method", "given", "shown"),
    [
        ("PUT", "text/plain; charset=utf-8", "text/plain; charset=UTF-8"),
        ("POST", "Text/Plain;x=y", "text/plain; x=y"),
        ("POST", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
    ],
)
async def test_only_json_is_taken(api: Api, method: str, given: str, shown: str) -> None:
    headers = {"Content-Type": given}
    status, body, answer = await api.ask(method, "~/actions/a", b"a=b", headers=headers)
    assert status == 415
    assert body["error"] == (
        f"The request's Content-Type [{shown}] is not supported. Expected:\napplication/json"
    )
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_json_may_say_its_charset(api: Api) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    status, _, _ = await api.ask("PUT", "~/actions/a", b"{}", headers=headers)
    assert status == 400  # `exec undefined`: it was read


async def test_a_put_needs_a_body(api: Api) -> None:
    url = "/api/v1/namespaces/_/actions/a"
    headers = {"Authorization": authorization()}
    answer = await api.client.put(url, headers=headers, skip_auto_headers=["Content-Type"])
    assert (await answer.json())["error"] == "Request entity expected but not supplied"
    status, body, _ = await api.ask("PUT", "~/actions/a", b"")
    assert status == 400
    assert body["error"].startswith("The request content was malformed:\n")
    headers = {"Content-Type": "text/plain"}
    assert (await api.ask("PUT", "~/actions/a", b"", headers=headers))[0] == 415


async def test_a_body_beyond_every_bound_is_not_read() -> None:
    from common.settings import LimitSettings

    async with running_api(LimitSettings(max_request_bytes=10)) as api:
        status, body, answer = await api.ask("PUT", "~/actions/a", b" " * 11)
        assert status == 413
        assert body["error"] == (
            "The request content is larger than the server is willing or able to process."
        )
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(("levels", "status"), [(400, 202), (2_000, 400), (900, 400)])
async def test_a_body_that_is_nested_too_deeply_is_refused(
    api: Api, levels: int, status: int
) -> None:
    code = {"kind": "python:default", "code": ""}
    await api.ask("PUT", "~/actions/a", {"exec": code})
    body = b'{"a":' + b"[" * levels + b"]" * levels + b',"wide":[' + b"[]," * 600 + b"1]}"
    heard, refused, _ = await api.ask("POST", "~/actions/a", body)
    assert heard == status
    if status == 400:
        assert refused["error"].startswith("The request content was malformed:\n")


async def test_a_body_that_does_not_come_is_not_waited_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "READ_S", 0.05)
    never = asyncio.Event()

    async def stalled() -> Any:
        yield b"{"
        await never.wait()

    headers = {"Authorization": authorization(), "Content-Type": "application/json"}
    url = "/api/v1/namespaces/_/actions/a"
    answer = await api.client.put(url, data=stalled(), headers=headers)
    assert answer.status == 408
    assert (await answer.json())["error"] == "The request was not received in time."


async def test_a_fault_is_one_line_in_the_log_and_one_sentence_to_the_client(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.docs.failure = RuntimeError("inner words")
    headers = {"X-Request-ID": "mine"}
    status, body, _ = await api.ask("GET", "~/actions/a", headers=headers)
    assert (status, body) == (
        500,
        {"error": "There was an internal server error.", "code": "mine"},
    )
    lines = [line for line in capsys.readouterr().err.splitlines() if "mine" in line]
    assert len(lines) == 1
    assert "inner words" in lines[0]
    assert "Traceback" in lines[0]
