"""The API gateway: a call of an API, at its own address, becomes a call of a web action.

The action is run inside the platform, with no second request: what it answers is what the caller
gets. The order of the checks: is there such an API, is a page of another site only asking what it
may do, has the caller a key, does it call too often, is there such a path, and such a method. Then
comes whatever the action itself asks for.
"""

import re
from typing import Final, get_args

from aiohttp import web

from common.entity.api import Access, Api
from common.errors import ApiLeadsNowhere, NoSuchApi, NoSuchApiPath
from controller.api.route import Method, Route
from controller.api.services import Services
from controller.api.webactions import NOT_TOLD, SECRET_HEADER, Called, WebActions
from controller.edge import answers, cors
from controller.edge.gate import refusal
from controller.edge.rejections import MethodNotAllowed
from controller.edge.transid import TRANSID
from controller.entitlement.throttle import Share
from controller.gateway import admission, description, page, paths
from controller.gateway.address import PREFIX, url_of
from controller.gateway.directory import Directory, Entry
from controller.gateway.pages import Pages
from controller.gateway.rates import CallRates
from controller.gateway.routing import Leaf

_TENANT: Final = re.compile(r"[0-9A-Za-z-]{36}")
PREFLIGHT_S: Final = 600
"""How long a browser remembers what a page may ask for."""


class Gateway:
    """Serves APIs."""

    def __init__(self, services: Services, actions: WebActions) -> None:
        which = services.settings.controller
        share = Share(which.id % which.count, which.count)
        self._directory = Directory(services.catalog.apis)
        self._rates = CallRates(services.clock, share)
        self._pages = Pages()
        self._public = services.settings.gateway.url
        self._subjects = services.subjects
        self._actions = actions

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        methods: tuple[Method, ...] = get_args(Method)
        return tuple(
            Route(
                method=method,
                path=f"{PREFIX}/{{tenant}}",
                handler=self.serve,
                may_answer=True,
                summary="Call an API; what follows its tenant is its base path and a path of it",
                kind="gateway",
                body="Whatever the action takes." if method in ("PUT", "POST", "PATCH") else None,
                answers={
                    200: "What the action answers; it may choose another status.",
                    401: "The API asks for a key.",
                    404: "There is no such API, or it has no such path.",
                    405: "The path takes other methods.",
                    429: "The API, or the namespace of its action, was called too often.",
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
            if _is_preflight(request, entry, leaf):
                return web.Response(status=204, headers=headers | _REMEMBERED)
            if leaf is None and (shown := self._shown(request, entry)) is not None:
                return shown
            self._admit(request, entry.api)
            if leaf is None:
                raise NoSuchApiPath(entry.api.title, "/" + "/".join(entry.segments))
            called = _called(request, leaf, entry.api.access)
            answer = await self._actions.call(request, called)
        except Exception as error:
            answer = refusal(error, request[TRANSID], method=request.method, path=request.path)
            for name in cors.HEADERS:
                answer.headers.popall(name, None)
            answer.headers.popall("WWW-Authenticate", None)
        for name, value in headers.items():
            answer.headers.setdefault(name, value)
        return answer

    def _shown(self, request: web.Request, entry: Entry) -> web.Response | None:
        """Return the page about an API, or its document, if that is asked for and shown."""
        if request.method not in ("GET", "HEAD") or not entry.api.shows_docs:
            return None
        match list(entry.segments):
            case [page.DOCS] if request.rel_url.raw_path.endswith("/"):
                # What the page links to is told from where it is.
                return web.Response(status=301, headers={"Location": f"../{page.DOCS}"})
            case [page.DOCS]:
                return web.Response(body=self._pages.of(entry.api), headers=self._pages.headers)
            case [page.DOCS, page.FILE]:
                host = f"{request.scheme}://{request.host}"
                url = url_of(entry.api, public=self._public, asked=host)
                return answers.plain_json(description.public(entry.api, url))
            case _:
                return None

    def _admit(self, request: web.Request, api: Api) -> None:
        """Refuse who has no key, or calls too often. Raises `ApiKeyMissing`, `TooManyRequests`…."""
        key = admission.admitted(api, request.headers.get(api.access.header))
        allowance = admission.allowance(api, key)
        if allowance is not None:
            self._rates.charge(allowance)

    async def _found(self, request: web.Request) -> Entry:
        _, _, _, tenant, *rest = request.rel_url.raw_path.split("/", 4)
        if not _TENANT.fullmatch(tenant):
            raise NoSuchApi
        entry = await self._directory.find(tenant, paths.asked_segments("/" + "".join(rest)))
        if await self._subjects.owner(entry.api.namespace) is None:
            raise NoSuchApi  # whoever had it is gone, or blocked
        return entry


def _called(request: web.Request, leaf: Leaf, access: Access) -> Called:
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
        # A key is between a caller and the gateway.
        untold=NOT_TOLD | {access.header.lower()} if access.needs_key else NOT_TOLD,
    )


def _is_preflight(request: web.Request, entry: Entry, leaf: Leaf | None) -> bool:
    """Tell whether a browser asks what a page may do, and no operation is to answer that."""
    if request.method != "OPTIONS" or not entry.routes.has_cors or leaf is None:
        return False
    return leaf.operation("OPTIONS") is None


def _cors(request: web.Request, leaf: Leaf | None) -> dict[str, str]:
    methods = {"OPTIONS", *(leaf.methods if leaf else ())}
    return cors.of_web(request.headers.get("Access-Control-Request-Headers")) | {
        "Access-Control-Allow-Methods": ", ".join(sorted(methods))
    }


_REMEMBERED: Final = {"Access-Control-Max-Age": str(PREFLIGHT_S)}
