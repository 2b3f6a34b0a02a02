"""One line of the table of routes: what the router needs and what the documentation says.

Routes are declared once, beside their handlers. aiohttp's router, the OpenAPI document and the
reference are made from the same table, so none of them can know a route that the others don't.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from aiohttp import web

from common.metrics import RouteClass
from controller.edge.content import JSON
from controller.edge.gate import Gate, Handler

Method = Literal["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"]

_REST: Final = "{rest:(?:/.*)?}"
_VARIABLE: Final = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Query:
    """One query parameter."""

    name: str
    type: Literal["boolean", "integer", "string"]
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one address."""

    method: Method
    path: str
    """With variables in braces, each of them one segment."""
    handler: Handler
    summary: str
    kind: RouteClass = "other"
    query: tuple[Query, ...] = ()
    body: str | None = None
    """What the JSON in the body is; None where none is read."""
    takes: str | None = None
    """Which of `schemas` the body is, where it is known."""
    shows: Mapping[int, str] = field(default_factory=dict)
    """Which of `schemas` is answered, by status; `X[]` for a list of them, or their number."""
    may_answer: bool = False
    """Whether an action chooses what is answered: also a status that is not among `answers`."""
    answers: Mapping[int, str] = field(default_factory=lambda: {200: "What was asked for."})
    produces: str = JSON
    """The media type of what is answered; a client that would not read it is refused."""
    is_open: bool = False
    """Whether it is answered without credentials."""
    may_end_in_slash: bool = False
    """Whether the same address with a slash at its end means the same."""
    may_go_on: bool = False
    """Whether anything may follow the address behind a slash: the variable `rest`."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(_VARIABLE.findall(self.path))


def register(routes: Iterable[Route], router: web.UrlDispatcher, gate: Gate) -> None:
    """Teach *router* all *routes*, each behind *gate*. The first ones are found fastest."""
    resources: dict[str, web.Resource] = {}
    for route in routes:
        if route.is_open:
            handler = gate.open(route.handler, route.kind)
        else:
            handler = gate.authenticated(route.handler, route.kind, route.produces)
        for path in (route.path, route.path + "/") if route.may_end_in_slash else (route.path,):
            if path not in resources:
                rest = _REST if route.may_go_on else ""
                resources[path] = router.add_resource(_VARIABLE.sub(r"{\1:[^/]+}", path) + rest)
            resources[path].add_route(route.method, handler)
