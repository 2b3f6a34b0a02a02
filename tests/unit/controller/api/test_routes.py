"""The table of routes, the router and the documents made of it know the same routes."""

import json
import re
from pathlib import Path

from controller.api.openapi import document, reference
from controller.app import table
from tests.fakes.running_api import Api

REFERENCE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "rest.md"


async def test_the_router_serves_what_the_openapi_document_says(api: Api) -> None:
    app = api.client.app
    assert app is not None
    served = {
        (route.method, re.sub(r":[^}]*\}", "}", route.resource.canonical.removesuffix("{rest}")))
        for route in app.router.routes()
        if route.resource is not None
    }
    _, described, _ = await api.ask("GET", "/api/brisk/v1/openapi.json")
    documented = {
        (method.upper(), path) for path, item in described["paths"].items() for method in item
    }
    with_slashes = {
        (route.method, route.path + "/") for route in table(api.services) if route.may_end_in_slash
    }
    assert served == documented | with_slashes


async def test_every_route_says_what_it_needs_and_what_it_answers(api: Api) -> None:
    routes = table(api.services)
    names = [
        operation["operationId"]
        for item in document(routes)["paths"].values()
        for operation in item.values()
    ]
    assert len(names) == len(set(names)) == len(routes)
    for route in routes:
        assert route.summary
        assert route.answers
        described = document([route])["paths"][route.path][route.method.lower()]
        in_path = [each["name"] for each in described["parameters"] if each["in"] == "path"]
        assert all(f"{{{name}}}" in route.path for name in in_path)
        assert len(in_path) == route.path.count("{")


async def test_what_is_sent_and_answered_has_a_schema_that_is_there(api: Api) -> None:
    described = document(table(api.services))
    schemas = described["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert named <= schemas.keys()
    assert "#/definitions/" not in json.dumps(described)
    one = described["paths"]["/api/v1/namespaces/{namespace}/actions/{name}"]
    body = one["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ActionPut"}
    shown = one["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert shown == {"$ref": "#/components/schemas/Action"}


async def test_what_may_happen_to_every_request_is_described(api: Api) -> None:
    for route in table(api.services):
        responses = document([route])["paths"][route.path][route.method.lower()]["responses"]
        assert ("401" in responses) or route.is_open
        assert ("413" in responses and "415" in responses) or route.body is None
        assert responses.keys() >= {str(status) for status in route.answers}


async def test_everything_below_a_namespace_needs_credentials(api: Api) -> None:
    for route in table(api.services):
        path = re.sub(r"\{\w+\}", "_", route.path)
        status, _, _ = await api.ask(route.method, path, headers={"Authorization": None})
        assert (status == 401) is not route.is_open, path
        assert route.is_open is not ("/namespaces" in path or "/feeds" in path), path


async def test_the_reference_page_is_the_table(api: Api) -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference(table(api.services))
