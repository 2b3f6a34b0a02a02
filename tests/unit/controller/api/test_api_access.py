"""Keys of APIs and their limits: made by the owner, asked of callers."""

from typing import Any

import pytest

from tests.fakes.running_api import Api
from tests.unit.controller.api.gateway_calls import AT, answers, endpoint, export, made, told

APIS = "/api/brisk/v1/namespaces/_/apis"
NOBODY = {"Authorization": None}


async def make_key(api: Api, **body: Any) -> str:
    status, told, _ = await api.ask("POST", f"{APIS}/keys?api=/a", body)
    assert status == 200, told
    return str(told["key"])


async def call(api: Api, path: str = "/a/b", **headers: str) -> tuple[int, Any, Any]:
    status, said, answer = await api.ask("GET", f"{AT}{path}", headers=NOBODY | headers)
    return status, said, answer.headers


@pytest.fixture(autouse=True)
async def served(api: Api) -> None:
    await export(api)
    await made(api)
    answers(api, {"said": "hello"})


async def test_the_first_key_closes_an_api(api: Api) -> None:
    assert (await call(api))[0] == 200
    key = await make_key(api, label="the shop")
    status, said, headers = await call(api)
    assert (status, said["error"]) == (
        401,
        "This API is called with a key: send it in the header 'X-API-Key'.",
    )
    assert "WWW-Authenticate" not in headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    status, said, _ = await call(api, **{"X-API-Key": key[:-1]})
    assert (status, said["error"]) == (
        401,
        "The key in the header 'X-API-Key' does not open this API.",
    )
    status, said, _ = await call(api, **{"x-api-key": key})
    assert (status, said) == (200, {"said": "hello"})
    assert key not in str(told(api))
    assert "x-api-key" not in told(api)["__ow_headers"]


async def test_a_header_that_is_no_key_is_the_actions(api: Api) -> None:
    await call(api, **{"X-API-Key": "own"})
    assert told(api)["__ow_headers"]["x-api-key"] == "own"


async def test_who_has_no_key_learns_nothing_of_the_paths(api: Api) -> None:
    key = await make_key(api)
    assert (await call(api, "/a/nothing"))[0] == 401
    assert (await call(api, "/a/nothing", **{"X-API-Key": key}))[0] == 404


async def test_a_key_is_told_once_and_revoked_by_its_id(api: Api) -> None:
    first, second = await make_key(api, label="one"), await make_key(api, label="two")
    _, [shown], _ = await api.ask("GET", APIS)
    assert [each["label"] for each in shown["keys"]] == ["one", "two"]
    assert first not in str(shown) and second not in str(shown)
    assert first not in str(api.docs.docs) and second not in str(api.docs.docs)
    status, left, _ = await api.ask("DELETE", f"{APIS}/keys/{first.partition('.')[0]}?api=%2Fa")
    assert (status, [each["label"] for each in left]) == (200, ["two"])
    assert (await call(api, **{"X-API-Key": first}))[0] == 401
    assert (await call(api, **{"X-API-Key": second}))[0] == 200


async def test_a_new_document_lets_nobody_in(api: Api) -> None:
    await make_key(api)
    await made(api, endpoint("/c"))
    assert (await call(api, "/a/c"))[0] == 401


async def test_an_owner_lists_apis_and_opens_one(api: Api) -> None:
    await make_key(api)
    _, [shown], _ = await api.ask("GET", f"{APIS}?api=/a")
    assert (shown["name"], shown["basePath"], shown["access"]) == (
        "/a",
        "/a",
        {"needsKey": True, "header": "X-API-Key", "perMinute": None, "showsDocs": False},
    )
    assert shown["url"].endswith("/gw/api/23bc46b1-71f6-4ed5-8c54-816aa4f8c502/a")
    status, access, _ = await api.ask("PUT", f"{APIS}/access?api=/a", {"needsKey": False})
    assert (status, access["needsKey"]) == (200, False)
    assert (await call(api))[0] == 200


async def test_each_key_is_counted_for_itself(api: Api) -> None:
    await api.ask("PUT", f"{APIS}/access?api=/a", {"perMinute": 2, "header": "X-Mine"})
    slow, fast = await make_key(api), await make_key(api, perMinute=3)
    for key, allowed in ((slow, 2), (fast, 3)):
        statuses = [(await call(api, **{"X-Mine": key}))[0] for _ in range(5)]
        assert statuses == [200] * allowed + [429] * (5 - allowed)
    status, said, headers = await call(api, **{"X-Mine": slow})
    assert (status, headers["Retry-After"], headers["X-Brisk-Limit"]) == (
        429,
        "60",
        "apiCallsPerMinute",
    )
    assert said["error"] == "Too many requests in the last minute (count: 3, allowed: 2)."
    api.clock.advance(s=60.0)
    assert (await call(api, **{"X-Mine": slow}))[0] == 200


async def test_everybody_shares_the_limit_of_an_open_api(api: Api) -> None:
    await api.ask("PUT", f"{APIS}/access?api=/a", {"perMinute": 1})
    assert [(await call(api))[0] for _ in range(2)] == [200, 429]
    assert len(api.invoker.asked) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/access", {"needsKey": True}, 400),
        ("PUT", "/access?api=/x", {"needsKey": True}, 404),
        ("PUT", "/access?api=/a", {"needsKey": 7}, 400),
        ("PUT", "/access?api=/a", [], 400),
        ("POST", "/keys?api=/x", None, 404),
        ("POST", "/keys?api=/a", {"label": 7}, 400),
        ("DELETE", "/keys/nothing?api=/a", None, 404),
        ("DELETE", "/keys/nothing?api=/x", None, 404),
    ],
)
async def test_what_is_wrong_is_refused(
    api: Api, method: str, path: str, body: Any, status: int
) -> None:
    answered, said, _ = await api.ask(method, APIS + path, body)
    assert answered == status
    assert said["error"]


async def test_others_have_nothing_to_do_with_it(api: Api) -> None:
    for method, path in (
        ("GET", ""),
        ("PUT", "/access?api=/a"),
        ("POST", "/keys?api=/a"),
        ("DELETE", "/keys/x?api=/a"),
    ):
        where = f"/api/brisk/v1/namespaces/other/apis{path}"
        assert (await api.ask(method, where, {}))[0] == 403
        assert (await api.ask(method, APIS + path, {}, headers=NOBODY))[0] == 401


async def test_the_page_about_an_api_is_anybodys_where_calls_are(api: Api) -> None:
    status, text, headers = await call(api, "/a/_docs")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert text.startswith("<!doctype html>") and "/b" in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    status, document, _ = await call(api, "/a/_docs/swagger.json")
    assert (status, document["basePath"]) == (200, f"{AT}/a")
    assert "x-openwhisk" not in str(document)
    _, _, answer = await api.ask("GET", f"{AT}/a/_docs/", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (301, "../_docs")
    assert (await call(api, "/a/_docs/other"))[0] == 404
    await make_key(api)
    assert (await call(api, "/a/_docs"))[0] == 401
    await api.ask("PUT", f"{APIS}/access?api=/a", {"showsDocs": True})
    assert "X-API-Key" in (await call(api, "/a/_docs"))[1]
    await api.ask("PUT", f"{APIS}/access?api=/a", {"showsDocs": False, "needsKey": False})
    assert (await call(api, "/a/_docs"))[0] == 404
    assert not api.invoker.asked


async def test_a_path_of_the_api_is_in_the_way_of_its_page(api: Api) -> None:
    await made(api, endpoint("/_docs"))
    assert (await call(api, "/a/_docs"))[:2] == (200, {"said": "hello"})
