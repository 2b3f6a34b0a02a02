"""The OpenAPI 3.1 document and the reference page, both made from the table of routes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from aiohttp import web

from controller.api import schemas
from controller.api.route import Query, Route
from controller.edge import answers
from controller.edge.content import JSON

_WITH_ERROR: Final = (400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 429, 503)
"""Statuses that are answered with the one form of errors."""


class OpenApi:
    """Serves the description of *routes* and of itself."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = (*routes, *self.routes())
        self._document = document(self._routes)

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            Route(
                method="GET",
                path="/api/brisk/v1/openapi.json",
                handler=self.get,
                summary="Read the description of this API",
                answers={200: "An OpenAPI 3.1 document."},
                is_open=True,
            ),
        )

    async def get(self, _: web.Request) -> web.StreamResponse:
        """Answer the description."""
        return answers.json(self._document)


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of *routes*."""
    paths: dict[str, dict[str, Any]] = {}
    told = list(routes)
    alike = Counter((route.path, route.handler) for route in told)
    for route in told:
        has_like = alike[route.path, route.handler] > 1
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, has_like)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Brisk", "version": "1.0.0", "summary": "The OpenWhisk v1 API, and ours"},
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The key of a namespace, `uuid:key`.",
                }
            },
        },
    }


def reference(routes: Iterable[Route]) -> str:
    """Return the reference page of *routes* in Markdown."""
    lines = [
        "# The REST API",
        "",
        "Made from the table of routes. `GET /api/brisk/v1/openapi.json` tells programs the same.",
        "Credentials are the key of a namespace, `uuid:key`, as HTTP Basic; `_` in place of a",
        'namespace is the key\'s own. Every error is `{"error": …, "code": …}`, and its `code` is',
        "the transaction id that `X-Request-ID` carries.",
        "",
        "What is not said below of each address: 400 for a name, a query or a body that is none,",
        "401 without a key, 403 for what the key does not open, 404 for what is not there, 406",
        "where the client takes no JSON; for a body 408, 413 and 415: it comes too slowly, is too",
        "large, or is no JSON; 503 while the stores cannot be reached.",
    ]
    for (path, _), same in groupby(routes, lambda route: (route.path, route.handler)):
        methods, route = _told_together(list(same))
        slash = " (also with a slash at its end)" if route.may_end_in_slash else ""
        slash = slash or (" (and whatever follows it)" if route.may_go_on else "")
        lines += ["", f"## {route.summary}", f"`{methods} {path}`{slash}", ""]
        if route.is_open:
            lines.append("- needs no credentials")
        if route.body:
            lines.append(f"- body: {route.body}")
        lines += [f"- `{each.name}` ({each.type}): {each.meaning}" for each in route.query]
        lines += [f"- {status}: {meaning}" for status, meaning in sorted(route.answers.items())]
    return "\n".join(lines) + "\n"


def _told_together(same: list[Route]) -> tuple[str, Route]:
    """Return the methods of routes that differ in nothing else, and the one that tells most."""
    methods = ", ".join(route.method for route in same)
    return methods, next((route for route in same if route.body), same[0])


def _operation(route: Route, has_like: bool) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.handler.__qualname__}:{route.path}"
        + (f":{route.method}" if has_like else ""),
        "parameters": [_variable(name) for name in route.variables]
        + [_parameter(each) for each in route.query],
        "responses": _answers(route),
        "security": [] if route.is_open else [{"basic": []}],
    }
    if route.body is not None:
        schema = {"type": "object"} if route.takes is None else schemas.reference(route.takes)
        operation["requestBody"] = {
            "description": route.body,
            "content": {JSON: {"schema": schema}},
        }
    return operation


def _variable(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameter(each: Query) -> dict[str, Any]:
    return {
        "name": each.name,
        "in": "query",
        "description": each.meaning,
        "schema": {"type": each.type},
    }


def _answers(route: Route) -> dict[str, Any]:
    """Return what *route* answers: what it says itself, and what happens to all that are alike."""
    told = {**common(route), **route.answers}
    found = {str(status): _answer(route, status, told[status]) for status in sorted(told)}
    if route.may_answer:
        found["default"] = {"description": "What the action answers."}
    return found


def common(route: Route) -> dict[int, str]:
    """Return the answers that *route* does not name: before it is asked, or instead."""
    found = {}
    if route.variables or route.query or route.body is not None:
        found[400] = "A name, the query or the body is not what it has to be."
    if route.variables:
        found[404] = "There is nothing of this name."
    if not route.is_open:
        found[401] = "No key was sent, or one that opens nothing."
        found[406] = "The client takes nothing that could be answered."
        found[503] = "The stores cannot be reached."
    if "namespace" in route.variables and not route.is_open:
        found[403] = "The key does not open that."
    if route.body is not None:
        found[408] = "The body did not come in time."
        found[413] = "The body is too large."
        found[415] = "The body is no JSON."
    return found


def _answer(route: Route, status: int, meaning: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": meaning}
    schema = route.shows.get(status, "Error" if status in _WITH_ERROR else None)
    if schema is not None:
        answer["content"] = {JSON: {"schema": schemas.reference(schema)}}
    return answer
