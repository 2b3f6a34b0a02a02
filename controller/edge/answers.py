"""Answers as bytes: JSON without a charset, and the two fields of an error."""

from typing import Any, Final

from aiohttp import web

from common import codec
from common.ids import ActivationId, TransId
from controller.edge import auth, cors
from controller.edge.content import JSON
from controller.edge.errors import Answer
from controller.edge.rejections import MethodNotAllowed

ACTIVATION_HEADER: Final = "x-openwhisk-activation-id"

_JSON_HEADERS: Final = {"Content-Type": JSON}
_CORS_HEADERS: Final = _JSON_HEADERS | cors.HEADERS


def json(value: Any) -> web.Response:
    """Return an answer of the REST API."""
    return web.Response(body=codec.encode(value), headers=_CORS_HEADERS)


def activation(activation_id: ActivationId, text: bytes, status: int) -> web.Response:
    """Return the answer to an invocation; *text* is JSON already."""
    headers = _CORS_HEADERS | {ACTIVATION_HEADER: activation_id}
    return web.Response(body=text, status=status, headers=headers)


def plain_json(value: Any, *, status: int = 200) -> web.Response:
    """Return an answer outside of the REST API: no page of a browser reads it."""
    return web.Response(body=codec.encode(value), status=status, headers=_JSON_HEADERS)


def error(answer: Answer, problem: BaseException, transid: TransId) -> web.Response:
    """Return `{"error", "code"}` for *problem*."""
    body = {"error": answer.text or str(problem), "code": transid}
    headers = dict(_CORS_HEADERS if answer.with_cors else _JSON_HEADERS)
    if answer.status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = auth.CHALLENGE
    if isinstance(problem, MethodNotAllowed):
        headers["Allow"] = problem.allow
    return web.Response(body=codec.encode(body), status=answer.status, headers=headers)
