"""Web actions: actions that are called by their URL, by anybody, and answer as they like.

An activation belongs to the owner of the action, whoever calls. The order of the checks is
OpenWhisk's: owner, action, whether it is exported, rate, size, `OPTIONS`, credentials, body.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from aiohttp import web

from common import codec
from common.entity.action import Action
from common.entity.identity import Identity
from common.entity.names import QualifiedName, is_legal
from common.errors import (
    MalformedContent,
    NoSuchResource,
    ResponseNotReady,
    RuntimeDeprecated,
    WebCredentialsMissing,
)
from common.ids import Namespace, TransId
from controller.api.bounds import payload_bytes
from controller.api.route import Method, Route
from controller.api.services import Services
from controller.edge import answers, auth, content, cors
from controller.edge.gate import refusal
from controller.edge.traces import TRACE
from controller.edge.transid import TRANSID
from controller.invoke.invocation import Accepted, Invocation
from controller.invoke.resolve import Resolved
from controller.web.delivery import delivered, hopes_of
from controller.web.request import WebRequest, answers_options, arguments, is_web
from controller.web.response import WebAnswer, rendered, split_extension

DEFAULT_PACKAGE: Final = "default"
SECRET: Final = "require-whisk-auth"
SECRET_HEADER: Final = "X-Require-Whisk-Auth"
NOT_TOLD: Final = frozenset({"content-length", "transfer-encoding"})
"""Headers of the transport: a body is given decoded, and whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """Which web action a request is for, and what it is told besides the request itself."""

    name: QualifiedName
    extension: str
    path: str
    """What the action is given as `__ow_path`."""
    secret: str | None
    """What was sent for a secret of the action."""
    untold: frozenset[str] = NOT_TOLD
    """Headers that the action is not given, in lower case."""


class WebActions:
    """Serves web actions."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._limits = services.settings.limits

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        methods: tuple[Method, ...] = get_args(Method)
        return tuple(
            Route(
                method=method,
                path="/api/v1/web/{namespace}/{package}/{name}",
                handler=self.serve,
                may_answer=True,
                summary="Call a web action, `default` being no package",
                kind="web",
                body="Whatever the action takes." if method in ("PUT", "POST", "PATCH") else None,
                answers={
                    200: "What the action answers; it may choose another status.",
                    202: "The action has not ended in time.",
                    400: "The action answered what cannot be shown, or its arguments are reserved.",
                    401: "The action asks for credentials.",
                    404: "There is no such web action.",
                    413: "The body is too large.",
                    429: "The namespace of the action has been called too often.",
                },
                is_open=True,
                may_go_on=True,
            )
            for method in methods
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Call one web action."""
        received_ms = self._services.clock.now_ms()
        headers: Mapping[str, str] = {}
        try:
            called = _called(request)
            owner, resolved = await self._found(called.name)
            action = resolved.action
            if not answers_options(action):
                headers = cors.of_web(request.headers.get("Access-Control-Request-Headers"))
            self._charge(request, owner)
            if request.method == "OPTIONS" and not answers_options(action):
                return web.Response(headers=headers)
            answer = await self._answered(request, owner, resolved, called, received_ms)
        except Exception as error:
            return refused(error, request[TRANSID], request.method, request.path, headers)
        answer.headers.extend(headers)
        return answer

    async def call(self, request: web.Request, called: Called) -> web.Response:
        """Return what the action says to *request*, which came to another address than its own.

        Raises what a refusal is told of.
        """
        received_ms = self._services.clock.now_ms()
        owner, resolved = await self._found(called.name)
        self._charge(request, owner)
        return await self._answered(request, owner, resolved, called, received_ms)

    def _charge(self, request: web.Request, owner: Identity) -> None:
        self._services.entitlement.charge_invocation(owner)
        content.check_length(request, payload_bytes(self._limits, owner.own))

    async def _answered(
        self,
        request: web.Request,
        owner: Identity,
        resolved: Resolved,
        called: Called,
        received_ms: int,
    ) -> web.Response:
        caller = await self._caller(request)
        _check_credentials(resolved.action, caller, called.secret)
        asked = await _read(request, called, caller, payload_bytes(self._limits, owner.own))
        return await self._run(request, owner, resolved, asked, called.extension, received_ms)

    async def _found(self, name: QualifiedName) -> tuple[Identity, Resolved]:
        """Return the owner and the action. Raises `NoSuchResource`, and as the resolver does."""
        owner = await self._services.subjects.owner(name.namespace)
        if owner is None:
            raise NoSuchResource
        resolved = await self._services.resolver.resolve(owner, name)
        if not is_web(resolved.action):
            raise NoSuchResource
        runtime = self._services.manifest.resolve(resolved.action.exec.kind)
        if runtime is not None and runtime.deprecated:
            raise RuntimeDeprecated(resolved.action.exec.kind)
        return owner, resolved

    async def _caller(self, request: web.Request) -> Identity | None:
        """Return who calls; credentials that are not valid are as good as none."""
        try:
            header = request.headers.get("Authorization")
            return await auth.authenticate(header, self._services.subjects)
        except auth.REFUSED:
            return None

    async def _run(
        self,
        request: web.Request,
        owner: Identity,
        resolved: Resolved,
        asked: WebRequest,
        extension: str,
        received_ms: int,
    ) -> web.Response:
        outcome = await self._services.invoker.invoke(
            Invocation(
                identity=owner,
                meant=resolved,
                payload=codec.encode(arguments(asked, resolved.action)),
                transid=request[TRANSID],
                received_ms=received_ms,
                wait_ms=self._limits.blocking_wait_ms,
                trace=request.get(TRACE),
            )
        )
        if isinstance(outcome, Accepted):
            raise ResponseNotReady
        answer = rendered(outcome.record.response, extension)
        hopes = hopes_of(asked.method, asked.headers)
        answer = delivered(answer, resolved.action.annotations, hopes)
        if answer.content_type is not None:
            content.check_acceptable(request.headers.get("Accept"), answer.content_type)
        shown = _shown(answer)
        shown.headers[answers.ACTIVATION_HEADER] = outcome.record.activation_id
        return shown


def _called(request: web.Request) -> Called:
    """Return the action in the path, and what follows it. Raises `NoSuchResource`."""
    given = request.match_info
    name, extension = split_extension(given["name"])
    package = None if given["package"] == DEFAULT_PACKAGE else given["package"]
    if not all(map(is_legal, (given["namespace"], package or name, name))):
        raise NoSuchResource
    return Called(
        name=QualifiedName(Namespace(given["namespace"]), package, name),
        extension=extension,
        path=given["rest"],
        secret=request.headers.get(SECRET_HEADER),
    )


def _check_credentials(action: Action, caller: Identity | None, secret: str | None) -> None:
    """Refuse who lacks what *action* asks for. Raises `WebCredentialsMissing`.

    secret: what the caller sent for one.
    """
    if SECRET not in action.annotations:
        return
    wanted = action.annotations[SECRET]
    if wanted is False or (wanted is True and caller is not None):
        return
    is_secret = isinstance(wanted, str | int | float) and not isinstance(wanted, bool)
    if is_secret and hmac.compare_digest(str(wanted).encode(), (secret or "").encode()):
        return
    raise WebCredentialsMissing


async def _read(
    request: web.Request, called: Called, caller: Identity | None, most_bytes: int
) -> WebRequest:
    return WebRequest(
        method=request.method,
        headers=[pair for pair in request.headers.items() if pair[0].lower() not in called.untold],
        path=called.path,
        query=request.rel_url.raw_query_string,
        body=await content.raw(request, limit_bytes=most_bytes),
        user=None if caller is None else caller.namespace,
    )


def _shown(answer: WebAnswer) -> web.Response:
    response = web.Response(status=answer.status, body=answer.body or None)
    for name, value in answer.headers:
        response.headers.add(name, value)
    if answer.content_type is None:
        response.headers.popall("Content-Type", None)
    else:
        response.headers["Content-Type"] = answer.content_type
    return response


def refused(
    error: Exception, transid: TransId, method: str, path: str, headers: Mapping[str, str]
) -> web.Response:
    """Return the answer to *error*, for people who look at it in a browser.

    headers: what an answer says of CORS.
    """
    response = refusal(error, transid, method=method, path=path)
    assert isinstance(response.body, bytes), "an error is told in JSON"
    told: Any = codec.decode(response.body)
    response.body = json.dumps(told, indent=2, ensure_ascii=False).encode()
    for name in cors.HEADERS:
        response.headers.popall(name, None)
    if isinstance(error, WebCredentialsMissing):
        response.headers.popall("WWW-Authenticate", None)
    if not isinstance(error, MalformedContent):
        response.headers.extend(headers)
    return response
