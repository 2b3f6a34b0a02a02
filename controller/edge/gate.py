"""The gate that every request passes: it gets a transaction id, and always an answer.

Three things happen here and nowhere else. A request gets its transaction id, which the answer, the
log and an error's `code` carry. What a handler raises becomes an answer by the table of errors; a
fault that nobody foresaw becomes a fixed sentence for the client and one line with its traceback in
the log. And an address that no route matches is refused as OpenWhisk's route tree refuses it:

| address | answer |
|---|---|
| `OPTIONS` below `/api/v1` | 200 `OK`, whatever the path |
| below `/api/v1`, no valid credentials | 401 |
| below `/api/v1`, an illegal namespace, name or id where a legal one is needed | 400 |
| below `/api/v1`, everything else, wrong methods too | 404 |
| elsewhere, known path, wrong method | 405 with what it takes, and `OPTIONS` |
| elsewhere | 405 `Allow: OPTIONS`; 404 for `OPTIONS` itself |
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from common import metrics, tracing
from common.clock import Clock
from common.ids import TransId
from common.log import logger
from common.metrics import RouteClass
from common.telemetry.spans import Spans
from common.tracing import PARENT_HEADER, STATE_HEADER, Trace
from controller.edge import address, answers, auth, cors
from controller.edge.auth import IDENTITY, Subjects
from controller.edge.content import JSON, check_acceptable
from controller.edge.errors import answer_to, is_fault
from controller.edge.rejections import MethodNotAllowed, NoSuchRoute
from controller.edge.traces import TRACE, Traces
from controller.edge.transid import HEADER, TRANSID, TransactionIds

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

API: Final = "/api/v1"
OWN_API: Final = "/api/brisk/v1"
"""What OpenWhisk has no words for."""

_ENTITY_METHODS: Final = ("GET", "PUT", "POST", "DELETE")
_ENTITY_COLLECTIONS: Final = ("actions", "packages", "triggers", "rules")
SERVER: Final = "Brisk"

log = logger(__name__)


class Gate:
    """Lets requests in. One per application."""

    def __init__(self, subjects: Subjects, sample_share: float, spans: Spans, clock: Clock) -> None:
        """Let in who is among *subjects*; *sample_share* as `Traces` has it.

        spans: told of each request that is traced.
        """
        self._spans = spans
        self._clock = clock
        self._subjects = subjects
        self._transids = TransactionIds()
        self._traces = Traces(sample_share)
        self._kinds: dict[object, RouteClass] = {}

    def open(self, handler: Handler, kind: RouteClass) -> Handler:
        """Return *handler* for everybody.

        kind: what its requests are counted as.
        """
        self._kinds[handler] = kind
        return handler

    def authenticated(self, handler: Handler, kind: RouteClass, produces: str = JSON) -> Handler:
        """Return *handler* for clients with valid credentials that read what it *produces*.

        kind: what its requests are counted as.
        """

        async def admit(request: web.Request) -> web.StreamResponse:
            await self._identify(request)
            check_acceptable(request.headers.get("Accept"), produces)
            return await handler(request)

        return self.open(admit, kind)

    def middleware(self) -> Middleware:
        """Return what aiohttp runs around every request."""

        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            transid = self._transids.of(request.headers.get(HEADER))
            request[TRANSID] = transid
            traced = self._traces.of(
                request.headers.get(PARENT_HEADER), request.headers.get(STATE_HEADER)
            )
            received_ms = 0
            if traced is not None:
                request[TRACE] = traced
                received_ms = self._clock.now_ms()
            try:
                unmatched = request.match_info.http_exception
                answer = await (
                    handler(request) if unmatched is None else self._lost(request, unmatched)
                )
            except Exception as error:
                path = request.rel_url.raw_path
                answer = refusal(error, transid, method=request.method, path=path)
            if not answer.prepared:  # one that goes on for long has been begun by then
                answer.headers[HEADER] = transid
                answer.headers["Server"] = SERVER
                if traced is not None:
                    answer.headers[PARENT_HEADER] = traced.parent
            kind = self._kinds.get(request.match_info.handler, "other")
            metrics.count_request(kind, answer.status)
            if traced is not None and self._spans.is_on:
                self._tell(request, traced, kind, answer.status, received_ms)
            return answer

        return gate

    def _tell(
        self, request: web.Request, traced: Trace, kind: RouteClass, status: int, received_ms: int
    ) -> None:
        brought = tracing.read(request.headers.get(PARENT_HEADER, ""))
        self._spans.request(
            traced,
            method=request.method,
            route=kind,
            status=status,
            transid=request[TRANSID],
            received_ms=received_ms,
            parent=brought.step if brought else None,
        )

    async def _identify(self, request: web.Request) -> None:
        header = request.headers.get("Authorization")
        request[IDENTITY] = await auth.authenticate(header, self._subjects)

    async def _lost(self, request: web.Request, unmatched: web.HTTPException) -> web.StreamResponse:
        """Answer a request that no route matches."""
        path = request.rel_url.path_safe
        if _is_below(path, API) or _is_below(path, OWN_API):
            if request.method == "OPTIONS":
                return web.Response(
                    text="OK",
                    headers=cors.HEADERS | {"Content-Type": "text/plain; charset=UTF-8"},
                )
            await self._identify(request)
            _check_names(request.method, path)
            raise NoSuchRoute
        if isinstance(unmatched, web.HTTPMethodNotAllowed):
            raise MethodNotAllowed([*sorted(unmatched.allowed_methods), "OPTIONS"])
        if request.method == "OPTIONS":
            raise NoSuchRoute
        raise MethodNotAllowed(["OPTIONS"])


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")


def _check_names(method: str, path: str) -> None:
    """Refuse illegal names in a path that leads nowhere: they are looked at on the way."""
    parts = [part.replace("%2F", "/").replace("%25", "%") for part in path.split("/")]
    match parts:
        case ["", "api", "v1", "namespaces", str(namespace), str(collection), *rest]:
            if collection in (*_ENTITY_COLLECTIONS, "activations", "limits"):
                if namespace != address.OWN:
                    address.legal_namespace(namespace)
                _check_entity(method, collection, rest)
        case _:
            return


def _check_entity(method: str, collection: str, rest: list[str]) -> None:
    if not rest or not rest[0]:
        return
    if collection == "activations" and method == "GET":
        address.legal_activation_id(rest[0])
    if collection in _ENTITY_COLLECTIONS and method in _ENTITY_METHODS:
        address.legal_name(rest[0])


def refusal(error: Exception, transid: TransId, *, method: str, path: str) -> web.Response:
    """Return the answer to *error*; a fault that nobody foresaw leaves a line in the log, too."""
    answer = answer_to(error)
    if is_fault(answer):
        log.error("request failed", transid=transid, method=method, path=path, exc_info=error)
    return answers.error(answer, error, transid)
