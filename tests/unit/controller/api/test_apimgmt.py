"""APIs are managed as OpenWhisk's clients do it."""

import json
from typing import Any

import pytest

from common.settings import GatewaySettings
from controller.gateway.apis import ATTEMPTS
from tests.fakes.neighbours import auth, world_of_three
from tests.fakes.running_api import UUID, Api, running_api
from tests.unit.controller.api.gateway_calls import ACTION, MANAGEMENT, create, endpoint, made
from tests.unit.controller.gateway.documents import document, operation


async def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    status, told, _ = await api.ask("GET", f"{MANAGEMENT}/getApi.http?accesstoken=T{query}")
    assert status == 200
    return [each["value"] for each in told["apis"]]


async def remove(api: Api, query: str) -> tuple[int, Any]:
    status, told, _ = await api.ask("DELETE", f"{MANAGEMENT}/deleteApi.http?{query}")
    return status, told


async def test_an_api_is_made_found_and_deleted(api: Api) -> None:
    value = await made(api)
    assert {key: value[key] for key in value if key != "apidoc"} == {
        "namespace": "Not Used",
        "gwApiActivated": True,
        "tenantId": "Not Used",
        "gwApiUrl": f"{api.client.make_url('/')}gw/api/{UUID}/a",
    }
    assert list(value["apidoc"]["paths"]) == ["/b"]
    assert await listed(api) == [value]
    assert await listed(api, "&basepath=/a/") == [value]
    assert await listed(api, "&basepath=/b") == []
    _, told, _ = await api.ask("GET", f"{MANAGEMENT}/getApi.http")
    assert told["apis"][0].keys() == {"id", "key", "value"}
    assert await remove(api, "basepath=/a") == (200, {})
    assert await listed(api) == []


async def test_endpoints_are_added_to_the_api_at_their_base_path(api: Api) -> None:
    await made(api, endpoint(apiName="letters"))
    value = await made(api, endpoint("/c", "post", apiName="ignored"))
    assert value["apidoc"]["info"]["title"] == "letters"
    assert list(value["apidoc"]["paths"]) == ["/b", "/c"]
    assert await listed(api, "&basepath=letters") == [value]
    assert len((await made(api, endpoint("/d", gatewayBasePath="letters")))["apidoc"]["paths"]) == 3
    status, told = await create(api, endpoint(gatewayBasePath="numbers"))
    assert (status, told["error"]) == (
        502,
        "API creation failure: There is no API named 'numbers': a new one is made at a base path, "
        "which begins with '/'.",
    )


async def test_a_whole_document_takes_the_place_of_what_is_there(api: Api) -> None:
    await made(api, endpoint(gatewayBasePath="/books"))
    given = document({"/x": {"get": operation("one")}})
    value = await made(api, {"namespace": "_", "swagger": given})
    assert value["apidoc"] == given
    assert len(await listed(api)) == 1


async def test_openapi_3_becomes_swagger_2(api: Api) -> None:
    given = {
        "openapi": "3.1.0",
        "info": {"title": "books", "version": "1"},
        "servers": [{"url": "https://example.com/books"}],
        "paths": {"/x": {"get": operation("one")}},
    }
    value = await made(api, {"namespace": "_", "swagger": json.dumps(given)})
    assert value["apidoc"] == {
        "swagger": "2.0",
        "info": given["info"],
        "basePath": "/books",
        "paths": given["paths"],
    }
    status, told = await create(api, {"namespace": "_", "swagger": given | {"openapi": "9"}})
    assert (status, told["error"]) == (
        502,
        "API creation failure: The document says openapi '9': 3.0 and 3.1 can be read.",
    )


async def test_a_path_goes_with_its_last_verb_and_an_api_with_its_last_path(api: Api) -> None:
    await made(api)
    await made(api, endpoint("/b", "post"))
    await made(api, endpoint("/c"))
    assert await remove(api, "basepath=/a&relpath=/b&operation=GET") == (200, {})
    [value] = await listed(api)
    assert list(value["apidoc"]["paths"]["/b"]) == ["post"]
    assert await remove(api, "basepath=/a&relpath=/b&operation=post") == (200, {})
    [value] = await listed(api)
    assert list(value["apidoc"]["paths"]) == ["/c"]
    assert await remove(api, "basepath=/a&relpath=/c") == (200, {})
    assert await listed(api) == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "basepath is required."),
        ("basepath=/a&operation=get", "When specifying an operation, the path is required."),
        ("basepath=/x", "API deletion failure: API '/x' does not exist."),
        ("basepath=x", "API deletion failure: API 'x' does not exist."),
        (
            "basepath=/a&relpath=/x",
            "API deletion failure: path '/x' does not exist in the API",
        ),
        (
            "basepath=/a&relpath=/b&operation=PUT",
            "API deletion failure: path '/b' with operation 'put' does not exist in the API",
        ),
    ],
)
async def test_what_is_not_there_is_not_deleted(api: Api, query: str, text: str) -> None:
    await made(api)
    assert await remove(api, query) == (502, {"error": text})


@pytest.mark.parametrize(
    ("apidoc", "text"),
    [
        ({}, "apidoc is missing the namespace field"),
        (
            endpoint("/{x}"),
            "API creation failure: The action must use a response type of '.http' in order to "
            "receive the path parameters.",
        ),
        (
            endpoint(gatewayBasePath="/{x}"),
            "API creation failure: The base path (/{x}) cannot have parameters. Only the relative "
            "path supports path parameters.",
        ),
    ],
)
async def test_what_cannot_be_made_is_told_as_an_actions_error(
    api: Api, apidoc: Any, text: str
) -> None:
    status, told, answer = await api.ask("POST", f"{MANAGEMENT}/createApi", {"apidoc": apidoc})
    assert (status, told) == (502, {"error": text})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_declared_parameter_is_one(api: Api) -> None:
    parameter = {"name": "x", "in": "path", "required": True, "type": "string"}
    await made(api, endpoint("/{x}", pathParameters=[parameter]), "http")
    status, told = await create(api, endpoint("/{y}", "put", pathParameters=[parameter]), "http")
    assert status == 502
    assert "The paths '/{x}' and '/{y}' fit the same requests" in told["error"]


async def test_without_a_key_nothing_is_told(api: Api) -> None:
    await made(api)
    nobody = {"Authorization": None}
    for name, text in (
        ("createApi", "A valid auth key is required."),
        ("getApi", "Invalid authentication."),
        ("deleteApi", "__ow_user is required."),
    ):
        for headers in (nobody, {"Authorization": "Basic bm8="}):
            path = f"{MANAGEMENT}/{name}.http?basepath=/a&namespace=guest&spaceguid={UUID}"
            status, told, _ = await api.ask("POST", path, {"__ow_user": "guest"}, headers=headers)
            assert (status, told) == (502, {"error": text})
    status, _, _ = await api.ask("GET", f"{MANAGEMENT}/other.http")
    assert status == 404


async def test_any_method_does_with_all_in_the_body(api: Api) -> None:
    status, told, _ = await api.ask(
        "PUT", f"{MANAGEMENT}/createApi.http", {"apidoc": endpoint(), "responsetype": "text"}
    )
    assert status == 200
    assert "echo.text" in str(told["apidoc"])
    status, told, _ = await api.ask("POST", f"{MANAGEMENT}/getApi.http", {"basepath": "/a"})
    assert len(told["apis"]) == 1
    status, _, answer = await api.ask("OPTIONS", f"{MANAGEMENT}/getApi.http")
    assert (status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")


async def test_a_change_that_is_overtaken_begins_anew(api: Api) -> None:
    await made(api)
    api.docs.overtaken = 1
    assert list((await made(api, endpoint("/c")))["apidoc"]["paths"]) == ["/b", "/c"]
    api.docs.overtaken = ATTEMPTS
    status, told = await create(api, endpoint("/d"))
    assert (status, told["error"]) == (
        502,
        "API creation failure: The API is being changed by others: try again.",
    )


async def test_an_api_has_bounds() -> None:
    bounds = GatewaySettings(
        max_document_bytes=2_000, max_apis=1, url="https://apis.example.com/x/"
    )
    async with running_api(gateway=bounds) as api:
        given = document({"/x": {"get": operation("one", description="x" * 2_000)}})
        status, told = await create(api, {"namespace": "_", "swagger": given})
        assert status == 502
        assert "API creation failure: The document is larger than allowed: " in told["error"]
        status, _, _ = await api.ask("POST", f"{MANAGEMENT}/createApi", {"x": "y" * 8_000})
        assert status == 413
        value = await made(api)
        assert value["gwApiUrl"] == f"https://apis.example.com/x/api/{UUID}/a"
        await made(api, endpoint("/c"))
        status, told = await create(api, endpoint(gatewayBasePath="/z"))
        assert (status, told["error"]) == (
            502,
            "API creation failure: There are 1 APIs already, and no more are allowed.",
        )


async def test_nobody_sees_or_changes_the_apis_of_another_key() -> None:
    async with world_of_three() as world:
        at = f"basepath=/letters&spaceguid={auth('ann').partition(':')[0]}"
        for who, seen in (("ann", 1), ("bob", 0), ("team", 0)):
            found = await world.ask(who, "GET", f"{MANAGEMENT}/getApi.http?accesstoken=T&{at}")
            assert (found.status, len(found.body["apis"])) == (200, seen)
        refused = await world.ask("bob", "DELETE", f"{MANAGEMENT}/deleteApi.http?{at}")
        assert refused.words == {"error": "API deletion failure: API '/letters' does not exist."}
        own = endpoint(gatewayBasePath="/letters")
        made = await world.ask("bob", "POST", f"{MANAGEMENT}/createApi?{at}", {"apidoc": own})
        assert auth("bob").partition(":")[0] in made.body["gwApiUrl"]
        found = await world.ask("ann", "GET", f"{MANAGEMENT}/getApi.http?{at}")
        assert [each["value"]["apidoc"]["paths"] for each in found.body["apis"]] == [{}]


async def test_the_apis_of_who_is_blocked_are_not_served() -> None:
    async with world_of_three() as world:
        at = f"/gw/api/{auth('bob').partition(':')[0]}/words/b"
        await world.ask("bob", "POST", f"{MANAGEMENT}/createApi", {"apidoc": endpoint(
            gatewayBasePath="/words",
            action=ACTION | {"name": "/ann/shared/act", "namespace": "ann"},
        )})  # fmt: skip
        assert (await world.ask(None, "GET", at)).status == 200
        await world.block("bob", is_blocked=True)
        assert (await world.ask(None, "GET", at)).words == {
            "error": "There is no API at this address."
        }
        await world.block("bob", is_blocked=False)
        assert (await world.ask(None, "GET", at)).status == 200
