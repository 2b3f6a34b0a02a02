"""Answers as bytes: JSON without a charset, and the two fields of an error."""

from typing import Any, Final

from aiohttp import web

from common import codec
from common.ids import TransId
from controller.edge import auth, cors
from controller.edge.content import JSON
from controller.edge.errors import Answer
from controller.edge.rejections import MethodNotAllowed

_JSON_HEADERS: Final = {"Content-Type": JSON}
_CORS_HEADERS: Final = _JSON_HEADERS | cors.HEADERS


def json(value: Any, *, status: int = 200) -> web.Response:
    """Return an answer of the REST API."""
    return json_text(codec.encode(value), status=status)


def json_text(text: bytes, *, status: int = 200) -> web.Response:
    """Return an answer of the REST API that is JSON already."""
    return web.Response(body=text, status=status, headers=_CORS_HEADERS)


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
