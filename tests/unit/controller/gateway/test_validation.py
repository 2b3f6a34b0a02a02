"""Documents from outside: each that cannot be served is refused, in words that say why."""

from typing import Any

import pytest

from common.errors import ApiRefused
from controller.gateway.validation import Bounds, require_bounded, require_valid
from tests.unit.controller.gateway.documents import document, operation

ID = {"name": "id", "in": "path", "required": True, "type": "string"}
ONE = {"get": operation("one")}


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"x": value}
    return value


def configured(configuration: Any) -> dict[str, Any]:
    return document({"/x": ONE}, **{"x-ibm-configuration": configuration})


def case(name: str, url: str) -> dict[str, Any]:
    cases = [{"operations": [name], "execute": [{"invoke": {"target-url": url}}]}]
    return {"assembly": {"execute": [{"operation-switch": {"case": cases}}]}}


@pytest.mark.parametrize(
    "given",
    [
        document({}),
        document({"/x": ONE}),
        document({"/x": {"get": {"responses": {}}}}),
        document({"/x/{id}": {"get": operation("one", parameters=[ID])}}),
        document({"/x/{id}": {**ONE, "parameters": [ID]}}),
        document(
            {"/x/{id}": {**ONE, "parameters": [{"$ref": "#/parameters/id"}]}},
            parameters={"id": ID},
        ),
        document(
            {"/tree": ONE},
            definitions={
                "Tree": {"properties": {"parts": {"items": {"$ref": "#/definitions/Tree"}}}}
            },
        ),
        configured({"cors": {"enabled": False}}),
    ],
)
def test_what_can_be_served(given: dict[str, Any]) -> None:
    require_bounded(given, Bounds(10_000))
    require_valid(given)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (document({}, swagger="1.2"), "The document says swagger '1.2': 2.0 can be read, and"),
        (document({}, basePath=7), "The document has no basePath, or it is not a text."),
        (
            document({}, basePath="/a/{x}"),
            "The base path (/a/{x}) cannot have parameters. "
            "Only the relative path supports path parameters.",
        ),
        (document({}, info=[]), "The document has no info, or it is not an object."),
        (document({}, info={"title": ""}), "The title of an API has 1 to 256 characters."),
        (document({}, info={"title": "x" * 300}), "The title of an API has 1 to 256 characters."),
        (document({"/x": []}), "The document has no path '/x', or it is not an object."),
        (document({"x": ONE}), "The path 'x' must begin with '/'."),
        (document({"/x": {"get": 7}}), "The document has no get of path '/x', or it is not"),
        (document({"/x": {"GET": {}}}), "The verb 'GET' of path '/x' is written 'get'."),
        (document({"/x": {"fetch": {}}}), "'fetch' is not a valid API verb. Valid values are: get"),
        (document({"/x": {"trace": {}}}), "'trace' is not a valid API verb."),
        (document({"/x": {"$ref": "#/paths/~1y"}, "/y": ONE}), "The path '/x' is a reference"),
        (document({"/x": ONE, "/x/": {}}), "The paths '/x' and '/x/' fit the same requests"),
        (
            document({"/{a}": {"parameters": [ID | {"name": "a"}]}, "/{b}": {}}),
            "The paths '/{a}' and '/{b}' fit the same requests: only one of them can be in an API.",
        ),
        (document({"/{a}/{a}": {}}), "The path '/{a}/{a}' has a parameter twice"),
        (
            document({"/x": ONE, "/y": ONE}),
            "The operationId 'one' is there twice, for get of '/x' and get of '/y'",
        ),
        (
            document({f"/{number}": {} for number in range(1_001)}),
            "The document has 1001 paths: 1000 are the most.",
        ),
        (
            document({"/x/{id}": ONE}),
            "The parameter 'id' defined in path '/x/{id}' does not match any of the parameters "
            "defined for the path in the swagger file.",
        ),
        (
            document({"/x/{id}": {"get": operation("one", **{"x-openwhisk": {"url": "a.json"}})}}),
            "The action must use a response type of '.http' in order to receive the path "
            "parameters.",
        ),
        (
            document(
                {"/x/{id}": {"get": operation("one", parameters=[ID])}},
                **{"x-ibm-configuration": case("one", "https://h/api/v1/web/a/b/c.http")},
            ),
            "The target-url for operationId 'one' must end in '$(request.path)' in order for "
            "actions to receive the path parameters.",
        ),
        (
            document({"/x": ONE}, definitions={"A": {"$ref": "#/definitions/A"}}),
            "The reference '#/definitions/A' comes back to itself.",
        ),
        (
            document(
                {"/x": ONE},
                definitions={"A": {"$ref": "#/definitions/B"}, "B": {"$ref": "#/definitions/A"}},
            ),
            "comes back to itself.",
        ),
        (
            document(
                {"/x": ONE},
                definitions={
                    f"A{number}": {"$ref": f"#/definitions/A{number + 1}"} for number in range(50)
                }
                | {"A50": {}},
            ),
            "More than 32 references follow '#/definitions/A",
        ),
        (
            document({"/x": {"get": operation("one", schema={"$ref": "http://h/x.json"})}}),
            "The reference 'http://h/x.json' leads out of the document",
        ),
        (
            document({"/x": {"get": operation("one", schema={"$ref": "#/definitions/A"})}}),
            "The reference '#/definitions/A' leads to nothing in the document.",
        ),
        (configured([]), "The document has no x-ibm-configuration, or it is not an object."),
        (configured({"cors": True}), "The document has no x-ibm-configuration.cors, or it is not"),
        (configured({"assembly": {"execute": {}}}), "or it is not a list."),
        (
            configured({"assembly": {"execute": [{"operation-switch": {"case": [7]}}]}}),
            "each of x-ibm-configuration.assembly.execute.operation-switch.case",
        ),
        (
            configured(
                {"assembly": {"execute": [{"operation-switch": {"case": [{"operations": [7]}]}}]}}
            ),
            "case.operations is not a list of operations.",
        ),
    ],
)
def test_what_cannot_be_served(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ApiRefused) as refused:
        require_valid(given)
    assert text in str(refused.value)


def test_a_document_is_measured_before_it_is_read() -> None:
    with pytest.raises(ApiRefused, match="nested more than 64 levels deep"):
        require_bounded(nested(70), Bounds(1_000_000))
    with pytest.raises(ApiRefused, match=r"larger than allowed: [0-9]+ > 100 bytes"):
        require_bounded({"x": "y" * 200}, Bounds(100))
    require_bounded(nested(60), Bounds(1_000_000))
