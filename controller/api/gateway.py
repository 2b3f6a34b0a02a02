"""The API gateway: a call of an API, at its own address, becomes a call of a web action.

The action is run inside the platform, with no second request: what it answers is what the caller
gets. The order of the checks: is there such an API, may others' pages call it, such a path, such a
method, and then whatever the action itself asks for.
"""

import re
from typing import Final, get_args

from aiohttp import web

from common.errors import ApiLeadsNowhere, NoSuchApi, NoSuchApiPath
from controller.api.route import Method, Route
from controller.api.services import Services
from controller.api.webactions import NOT_TOLD, SECRET_HEADER, Called, WebActions
from controller.edge import cors
from controller.edge.gate import refusal
from controller.edge.rejections import MethodNotAllowed
from controller.edge.transid import TRANSID
from controller.gateway import paths
from controller.gateway.address import PREFIX
from controller.gateway.directory import Directory, Entry
from controller.gateway.routing import Leaf

_TENANT: Final = re.compile(r"[0-9A-Za-z-]{36}")
PREFLIGHT_S: Final = 600
"""How long a browser remembers what a page may ask for."""


class Gateway:
    """Serves APIs."""

    def __init__(self, services: Services, actions: WebActions) -> None:
        self._directory = Directory(services.catalog.apis)
        self._actions = actions

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        methods: tuple[Method, ...] = get_args(Method)
        return tuple(
            Route(
                method=method,
                path=f"{PREFIX}/{{tenant}}",
                handler=self.serve,
                summary="Call an API; what follows its tenant is its base path and a path of it",
                kind="gateway",
                body="Whatever the action takes." if method in ("PUT", "POST", "PATCH") else None,
                answers={
                    200: "What the action answers; it may choose another status.",
                    404: "There is no such API, or it has no such path.",
                    405: "The path takes other methods.",
                    429: "The namespace of the action has been called too often.",
                    502: "The operation leads to no web action.",
                },
                is_open=True,
                may_go_on=True,
            )
            for method in methods
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        headers: dict[str, str] = {}
        try:
            entry = await self._found(request)
            leaf = entry.routes.find(entry.segments)
            if entry.routes.has_cors:
                headers = _cors(request, leaf)
            if leaf is None:
                raise NoSuchApiPath(entry.api.title, "/" + "/".join(entry.segments))
            if _is_preflight(request, entry, leaf):
                return web.Response(status=204, headers=headers | _REMEMBERED)
            answer = await self._actions.call(request, _called(request, leaf))
        except Exception as error:
            answer = refusal(error, request[TRANSID], method=request.method, path=request.path)
            for name in cors.HEADERS:
                answer.headers.popall(name, None)
            answer.headers.popall("WWW-Authenticate", None)
        for name, value in headers.items():
            answer.headers.setdefault(name, value)
        return answer

    async def _found(self, request: web.Request) -> Entry:
        _, _, _, tenant, *rest = request.rel_url.raw_path.split("/", 4)
        if not _TENANT.fullmatch(tenant):
            raise NoSuchApi
        return await self._directory.find(tenant, paths.asked_segments("/" + "".join(rest)))


def _called(request: web.Request, leaf: Leaf) -> Called:
    """Return the action that *leaf* leads to. Raises `MethodNotAllowed`, `ApiLeadsNowhere`."""
    found = leaf.operation(request.method)
    if found is None:
        raise MethodNotAllowed(leaf.methods)
    operation, target = found
    if target is None:
        raise ApiLeadsNowhere(operation.operation_id or f"{operation.verb} {operation.path}")
    sent = request.headers.get(SECRET_HEADER)
    return Called(
        name=target.action,
        extension=target.extension,
        path=target.path(request.match_info["rest"]),
        secret=sent if target.secret is None else target.secret,
        untold=NOT_TOLD,
    )


def _is_preflight(request: web.Request, entry: Entry, leaf: Leaf) -> bool:
    """Tell whether a browser asks what a page may do, and no operation is to answer that."""
    is_asked = request.method == "OPTIONS" and leaf.operation("OPTIONS") is None
    return is_asked and entry.routes.has_cors


def _cors(request: web.Request, leaf: Leaf | None) -> dict[str, str]:
    methods = {"OPTIONS", *(leaf.methods if leaf else ())}
    return cors.of_web(request.headers.get("Access-Control-Request-Headers")) | {
        "Access-Control-Allow-Methods": ", ".join(sorted(methods))
    }


_REMEMBERED: Final = {"Access-Control-Max-Age": str(PREFLIGHT_S)}
