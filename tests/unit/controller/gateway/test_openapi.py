"""OpenAPI 3 comes in as Swagger 2.0."""

import copy
from typing import Any

import pytest

from common.errors import ApiRefused
from controller.gateway.openapi import swagger_of
from controller.gateway.validation import require_valid
from tests.unit.controller.gateway.documents import URL

TO = {"url": URL, "namespace": "guest", "package": "", "action": "echo"}
LIBRARY: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Library", "version": "2.0"},
    "servers": [{"url": "https://{host}/{base}", "variables": {"base": {"default": "library"}}}],
    "tags": [{"name": "x"}],
    "x-ibm-configuration": {"cors": {"enabled": True}},
    "paths": {
        "/books/{id}": {
            "summary": "A book",
            "parameters": [{"$ref": "#/components/parameters/id"}],
            "get": {
                "operationId": "read",
                "tags": ["x"],
                "parameters": [
                    {
                        "name": "page",
                        "in": "query",
                        "schema": {"type": ["integer", "null"], "minimum": 1, "example": 3},
                    },
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "description": "It",
                        "content": {
                            "application/xml": {"schema": {"type": "string"}},
                            "application/json": {"schema": {"$ref": "#/components/schemas/Book"}},
                        },
                        "links": {},
                    },
                    "404": {"$ref": "#/components/responses/None"},
                },
                "x-openwhisk": TO,
                "callbacks": {},
            },
            "put": {
                "operationId": "write",
                "requestBody": {"$ref": "#/components/requestBodies/Book"},
                "responses": {"default": {"description": "x"}},
                "x-openwhisk": TO,
            },
            "post": {
                "operationId": "form",
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {"properties": {"title": {"type": "string"}, "n": {}}}
                        }
                    }
                },
                "responses": {"default": {"description": "x"}},
                "x-openwhisk": TO,
            },
        }
    },
    "components": {
        "schemas": {
            "Book": {
                "properties": {"next": {"$ref": "#/components/schemas/Book"}},
                "nullable": True,
            }
        },
        "parameters": {
            "id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "responses": {"None": {"description": "There is none", "content": {}}},
        "requestBodies": {
            "Book": {
                "required": True,
                "description": "A book",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Book"}}},
            }
        },
    },
}


def changed(**parts: Any) -> dict[str, Any]:
    return copy.deepcopy(LIBRARY) | parts


def test_what_both_can_say_is_carried_over() -> None:
    made = swagger_of(LIBRARY)
    require_valid(made)
    item = made["paths"]["/books/{id}"]
    assert (made["swagger"], made["basePath"], made["info"]["title"]) == (
        "2.0",
        "/library",
        "Library",
    )
    assert made["x-ibm-configuration"] == {"cors": {"enabled": True}}
    assert item["parameters"] == [{"$ref": "#/parameters/id"}]
    assert made["parameters"] == {
        "id": {"name": "id", "in": "path", "required": True, "type": "string"}
    }
    assert item["get"] == {
        "operationId": "read",
        "tags": ["x"],
        "parameters": [
            {"name": "page", "in": "query", "required": False, "type": "integer", "minimum": 1}
        ],
        "responses": {
            "200": {"description": "It", "schema": {"$ref": "#/definitions/Book"}},
            "404": {"$ref": "#/responses/None"},
        },
        "produces": ["application/xml", "application/json"],
        "x-openwhisk": TO,
    }
    assert item["put"]["consumes"] == ["application/json"]
    assert item["put"]["parameters"] == [
        {
            "name": "body",
            "in": "body",
            "required": True,
            "description": "A book",
            "schema": {"$ref": "#/definitions/Book"},
        }
    ]
    assert item["post"]["parameters"] == [
        {"name": "title", "in": "formData", "type": "string"},
        {"name": "n", "in": "formData", "type": "string"},
    ]
    assert made["responses"] == {"None": {"description": "There is none"}}
    assert made["definitions"]["Book"]["properties"]["next"] == {"$ref": "#/definitions/Book"}


@pytest.mark.parametrize(
    ("servers", "base"),
    [
        (None, "/"),
        ([], "/"),
        ([{"url": "/v1/"}], "/v1/"),
        ([{"url": "v1"}], "/v1"),
        ([{"url": "https://h"}], "/"),
        ([{"url": "https://h/a%20b"}], "/a b"),
        ([{"url": "https://h:{port}/x", "variables": {"port": {"default": "1"}}}], "/x"),
    ],
)
def test_the_base_path_is_that_of_the_first_server(servers: Any, base: str) -> None:
    assert swagger_of(changed(servers=servers))["basePath"] == base


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (changed(openapi="4.0.0"), "The document says openapi '4.0.0': 3.0 and 3.1 can be read."),
        (changed(openapi=None), "The document says openapi 'None'"),
        (changed(paths=[]), "The document has no paths, or it is not an object."),
        (
            changed(components=[], paths={}),
            "The document has no components, or it is not an object.",
        ),
        (changed(components={"schemas": []}), "leads to nothing"),
        (changed(servers=[7]), "The document has no servers, or the first one has no url."),
        (changed(servers=[{"url": "http://[x/"}]), "The url of the first server is none."),
        (
            changed(components={"schemas": {"A": {"$ref": "#/components/schemas/A"}}}, paths={}),
            "The reference '#/components/schemas/A' comes back to itself.",
        ),
    ],
)
def test_what_cannot_be_read(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ApiRefused) as refused:
        swagger_of(given)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        ({"/x": {"trace": {"responses": {}}}}, "'trace' is not a valid API verb."),
        ({"/x": 7}, "The document has no path '/x', or it is not an object."),
        ({"/x": {"get": []}}, "The document has no get of path '/x', or it is not an object."),
        ({"/x": {}, "/x/": {}}, "fit the same requests"),
        ({"/{x}": {"get": {}}}, "The parameter 'x' defined in path '/{x}' does not match"),
    ],
)
def test_what_cannot_be_served_is_told_in_the_same_words(paths: Any, text: str) -> None:
    with pytest.raises(ApiRefused) as refused:
        require_valid(swagger_of(changed(paths=paths)))
    assert text in str(refused.value)


@pytest.mark.parametrize("odd", [None, 7, "x", [], [7], {"a": 7}])
def test_odd_parts_are_no_fault_of_ours(odd: Any) -> None:
    operation = {"parameters": odd, "requestBody": odd, "responses": odd}
    media = {"requestBody": {"content": {"application/json": odd, "text/plain": odd}}}
    paths = {
        "/a": {"parameters": odd, "get": operation, "put": media},
        "/b": {
            "get": {
                "requestBody": {"content": odd},
                "responses": {"200": odd, "201": {"content": odd}},
            }
        },
        "/c": {"get": {"parameters": [{"name": "x", "in": "query", "schema": odd}]}},
        "/d": {"post": {"requestBody": {"content": {"multipart/form-data": odd}}}},
    }
    for document in (changed(paths=paths), changed(info=odd)):
        try:
            require_valid(swagger_of(document))
        except ApiRefused as refused:
            assert str(refused)
