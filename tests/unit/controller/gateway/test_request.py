"""What a request to manage APIs asks for; each wrong one in OpenWhisk's words."""

import json
from typing import Any

import pytest

from common.errors import ApiRefused
from common.ids import Namespace
from controller.gateway import request
from controller.gateway.document import Endpoint

GUEST = Namespace("guest")
ACTION = {
    "name": "pk/echo",
    "namespace": "_",
    "backendMethod": "GET",
    "backendUrl": "https://host/api/v1/web/_/pk/echo.http",
    "authkey": "uuid:key",
}
ENDPOINT = {
    "namespace": "_",
    "gatewayBasePath": "/a",
    "gatewayPath": "/b",
    "gatewayMethod": "GET",
    "action": ACTION,
}
WHOLE = {"namespace": "_", "swagger": {"basePath": "/a", "paths": {}, "info": {"title": "x"}}}


def left_out(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != name}


def test_an_endpoint_is_the_callers() -> None:
    made = request.creation({"apidoc": json.dumps(ENDPOINT), "responsetype": "http"}, GUEST)
    assert isinstance(made, Endpoint)
    assert (made.base_path, made.path, made.verb) == ("/a", "/b", "get")
    assert str(made.action) == "/guest/pk/echo"
    assert made.address == "https://host/api/v1/web/guest/pk/echo.http"


def test_json_is_what_an_action_answers_with() -> None:
    made = request.creation({"apidoc": ENDPOINT}, GUEST)
    assert isinstance(made, Endpoint)
    assert made.address.endswith("/guest/pk/echo.json")


def test_an_action_of_others_stays_theirs() -> None:
    action = ACTION | {
        "namespace": "other",
        "name": "/other/pk/echo",
        "backendUrl": "https://host/api/v1/web/other/pk/echo.http",
    }
    made = request.creation({"apidoc": ENDPOINT | {"action": action}}, GUEST)
    assert isinstance(made, Endpoint)
    assert str(made.action) == "/other/pk/echo"
    assert made.address == "https://host/api/v1/web/other/pk/echo.json"


@pytest.mark.parametrize("swagger", [WHOLE["swagger"], json.dumps(WHOLE["swagger"])])
def test_a_whole_document_is_an_object_or_its_text(swagger: Any) -> None:
    made = request.creation({"apidoc": WHOLE | {"swagger": swagger}}, GUEST)
    assert made == WHOLE["swagger"]


@pytest.mark.parametrize(
    ("apidoc", "text"),
    [
        (None, "apidoc is required."),
        ("", "apidoc is required."),
        ("{", "apidoc field cannot be parsed. Ensure it is valid JSON."),
        (7, "apidoc field is of type number and should be a JSON object or a JSON string."),
        ({"x": 1}, "apidoc is missing the namespace field"),
        (
            WHOLE | {"gatewayBasePath": "/a"},
            "swagger and gatewayBasePath are mutually exclusive and cannot be specified together.",
        ),
        (
            WHOLE | {"swagger": "{"},
            "swagger field cannot be parsed. Ensure it is valid JSON.",
        ),
        (WHOLE | {"swagger": True}, "swagger field is boolean and should be an object or a JSON"),
        (
            WHOLE | {"swagger": '{"paths": {"/a": {}, "/a": {}}}'},
            "The field '/a' is there twice in one object: only one can be meant.",
        ),
        (WHOLE | {"swagger": {"x": 1}}, "swagger is missing the basePath field."),
        (WHOLE | {"swagger": {"basePath": "/a"}}, "swagger is missing the paths field."),
        (
            WHOLE | {"swagger": {"basePath": "/a", "paths": {}}},
            "swagger is missing the info field.",
        ),
        *[
            (left_out(ENDPOINT, name), f"apidoc is missing the {name} field")
            for name in ("gatewayBasePath", "gatewayPath", "gatewayMethod")
        ],
        (left_out(ENDPOINT, "action"), "apidoc is missing the action field."),
        *[
            (ENDPOINT | {"action": left_out(ACTION, name)}, f"action is missing the {name} field.")
            for name in ("backendMethod", "backendUrl", "namespace", "name", "authkey")
        ],
        (ENDPOINT | {"gatewayMethod": "FETCH"}, "'fetch' is not a valid API verb."),
        (ENDPOINT | {"action": ACTION | {"name": "a/b/c"}}, "'a/b/c' is not a valid action name."),
        (ENDPOINT | {"action": ACTION | {"backendUrl": "x"}}, "The backendUrl 'x' is not the"),
        (ENDPOINT | {"action": "x"}, "action field cannot be parsed. Ensure it is valid JSON."),
        (ENDPOINT | {"pathParameters": {}}, None),
        (ENDPOINT | {"pathParameters": "x"}, "The pathParameters are to be a list."),
    ],
)
def test_what_cannot_be_made(apidoc: Any, text: str | None) -> None:
    if text is None:
        request.creation({"apidoc": apidoc}, GUEST)
        return
    with pytest.raises(ApiRefused) as refused:
        request.creation({"apidoc": apidoc}, GUEST)
    assert str(refused.value).startswith(text)


def test_nobody_manages_anything() -> None:
    for ask, text in (
        (request.creation, "A valid auth key is required."),
        (request.wanted, "Invalid authentication."),
        (request.removal, "__ow_user is required."),
    ):
        with pytest.raises(ApiRefused) as refused:
            ask({"apidoc": ENDPOINT, "basepath": "/a"}, None)
        assert str(refused.value) == text


def test_what_is_wanted_and_in_which_form() -> None:
    assert request.wanted({"basepath": "/a", "outputFormat": "APIGW"}, GUEST) == "/a"
    assert request.wanted({}, GUEST) == ""
    with pytest.raises(ApiRefused) as refused:
        request.wanted({"outputFormat": "raml"}, GUEST)
    assert str(refused.value) == "Invalid outputFormat value. Valid values are: apigw, swagger"


def test_what_is_to_go() -> None:
    message = {"basepath": "/a", "relpath": "/b", "operation": "GET"}
    assert request.removal(message, GUEST) == request.Removal("/a", "/b", "get")
    assert request.removal({"basepath": "/a"}, GUEST) == request.Removal("/a", None, None)
    for given, text in (
        ({}, "basepath is required."),
        (
            {"basepath": "/a", "operation": "get"},
            "When specifying an operation, the path is required.",
        ),
    ):
        with pytest.raises(ApiRefused) as refused:
            request.removal(given, GUEST)
        assert str(refused.value) == text


def test_a_page_of_a_list() -> None:
    found = list("abcd")
    assert request.page(found, {"limit": "2", "skip": 1}) == ["b", "c"]
    assert request.page(found, {"limit": "x", "skip": "-1"}) == found
    assert request.page(found, {"limit": "0"}) == found
