"""Answers as bytes: JSON without a charset, and the two fields of an error."""

from typing import Any, Final

from aiohttp import web

from common import codec
from common.errors import BriskError
from common.ids import ActivationId, TransId
from controller.edge import auth, cors
from controller.edge.content import JSON
from controller.edge.errors import Answer
from controller.edge.rejections import MethodNotAllowed

ACTIVATION_HEADER: Final = "x-openwhisk-activation-id"
RETRY_AFTER: Final = "Retry-After"
LIMIT_HEADER: Final = "X-Brisk-Limit"
"""Which limit an answer of 429 or 503 comes from: the words of its body are OpenWhisk's."""
BUSY_S: Final = 1
"""When to come again where a part of the platform is full or away: a queue empties in a moment."""

_MOST_BYTES: Final = 1000
"""Of an error that is no JSON."""
_TEXT: Final = "text/plain; charset=UTF-8"
_JSON_HEADERS: Final = {"Content-Type": JSON}
_CORS_HEADERS: Final = _JSON_HEADERS | cors.HEADERS


def json(value: Any) -> web.Response:
    """Return an answer of the REST API."""
    return web.Response(body=codec.encode(value), headers=_CORS_HEADERS)


def activation(activation_id: ActivationId, text: bytes, status: int) -> web.Response:
    """Return the answer to an invocation; *text* is JSON already."""
    headers = _CORS_HEADERS | {ACTIVATION_HEADER: activation_id}
    return web.Response(body=text, status=status, headers=headers)


def done() -> web.Response:
    """Return the answer to a change that has nothing to show."""
    return web.Response(text="OK", headers=cors.HEADERS | {"Content-Type": _TEXT})


def nothing() -> web.Response:
    """Return the answer to what was taken and had no effect."""
    return web.Response(status=204, headers=cors.HEADERS)


def plain_json(value: Any, *, status: int = 200) -> web.Response:
    """Return an answer outside of the REST API: no page of a browser reads it."""
    return web.Response(body=codec.encode(value), status=status, headers=_JSON_HEADERS)


def passed_on(status: int, text: bytes, transid: TransId, **headers: str) -> web.Response:
    """Return what a part behind the API answered, JSON; its errors get their code here."""
    if status >= web.HTTPBadRequest.status_code:
        try:
            told = codec.decode(text)
        except codec.MalformedJson:
            told = text[:_MOST_BYTES].decode(errors="replace")  # of whoever stands in between
        error = told.get("error", told) if isinstance(told, dict) else told
        text = codec.encode({"error": error, "code": transid})
    return web.Response(body=text, status=status, headers=_JSON_HEADERS | headers)


def error(answer: Answer, problem: BaseException, transid: TransId) -> web.Response:
    """Return `{"error", "code"}` for *problem*."""
    body = {"error": answer.text or str(problem), "code": transid}
    headers = dict(_CORS_HEADERS if answer.with_cors else _JSON_HEADERS)
    if answer.status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = auth.CHALLENGE
    if isinstance(problem, MethodNotAllowed):
        headers["Allow"] = problem.allow
    if isinstance(problem, BriskError) and problem.limit:
        headers[LIMIT_HEADER] = problem.limit
    retry_after_s = _retry_after_s(answer, problem)
    if retry_after_s is not None:
        headers[RETRY_AFTER] = str(retry_after_s)
    return web.Response(body=codec.encode(body), status=answer.status, headers=headers)


def _retry_after_s(answer: Answer, problem: BaseException) -> int | None:
    """Return after how long the same request may be answered otherwise; None is not known."""
    known = problem.retry_after_s if isinstance(problem, BriskError) else None
    if known is None and answer.status == web.HTTPServiceUnavailable.status_code:
        return BUSY_S
    return known
