"""What a web action is given of an HTTP request. Pure.

Order, the later wins: what is bound < the platform's own (`__ow_…`) < query < body. An action that
is marked `raw-http` gets the query and the body as they came, and nothing is taken out of them.
Source: OpenWhisk's `WebActions.scala`.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from common.codec import MalformedJson, decode
from common.entity.action import Action
from common.entity.parameters import overridden
from common.errors import MalformedContent, ParametersNotAllowed
from controller.web.media import MediaType, media_type

RAW: Final = "raw-http"
FINAL: Final = "final"
WEB_EXPORT: Final = "web-export"
CUSTOM_OPTIONS: Final = "web-custom-options"
NO_BODY: Final = ""
RESERVED: Final = frozenset(
    {"__ow_method", "__ow_headers", "__ow_path", "__ow_user", "__ow_query", "__ow_body"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """One request to a web action."""

    method: str
    headers: Sequence[tuple[str, str]]
    """As they came; of equal names the last counts."""
    path: str
    """What follows the name of the action, with its slash; empty when nothing does."""
    query: str
    """Without its question mark, still encoded."""
    body: bytes | None
    """None where there is none."""
    user: str | None
    """The namespace of a caller who sent credentials that are valid."""

    def header(self, name: str) -> str | None:
        """Return the last header *name*, given in lower case."""
        found = [value for key, value in self.headers if key.lower() == name]
        return found[-1] if found else None


def is_web(action: Action) -> bool:
    """Tell whether *action* may be called by its URL."""
    return action.annotations.get(WEB_EXPORT) is True


def answers_options(action: Action) -> bool:
    """Tell whether *action* answers `OPTIONS`, and sets its own headers of CORS."""
    return action.annotations.get(CUSTOM_OPTIONS) is True


def arguments(request: WebRequest, action: Action) -> dict[str, Any]:
    """Return what *action* is called with, over its bound parameters.

    Raises `MalformedContent`; `ParametersNotAllowed` for names that are the platform's, or final.
    """
    context = _context(request)
    if action.annotations.get(RAW) is True:
        return context | _raw(request)
    query: dict[str, Any] = dict(parse_qsl(request.query, keep_blank_values=True))
    fields, opaque = _body(request)
    given = query | fields
    if not RESERVED.isdisjoint(given):
        raise ParametersNotAllowed
    if action.annotations.get(FINAL) is True and overridden(action.parameters, given):
        raise ParametersNotAllowed
    return context | given | opaque


def _context(request: WebRequest) -> dict[str, Any]:
    context: dict[str, Any] = {
        "__ow_method": request.method.lower(),
        "__ow_headers": {name.lower(): value for name, value in request.headers},
        "__ow_path": request.path,
    }
    return context if request.user is None else context | {"__ow_user": request.user}


def _raw(request: WebRequest) -> dict[str, Any]:
    pairs = parse_qsl(request.query, keep_blank_values=True)
    body = request.body
    kind = _kind(request)
    if not body:
        text = NO_BODY
    elif kind.name == "application/json" or (kind.is_binary and not kind.is_known_json):
        text = base64.b64encode(body).decode()
    else:
        text = body.decode("utf-8", "replace")
    return {"__ow_query": urlencode(pairs), "__ow_body": text}


def _body(request: WebRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that the body names, and the body where it names none."""
    body = request.body
    if not body:
        return {}, {}
    kind = _kind(request)
    if kind.is_json:
        value = _json(body)
        return (value, {}) if isinstance(value, dict) else ({}, {"__ow_body": value})
    if kind.is_form:
        return _form(body), {}
    if kind.is_binary:
        return {}, {"__ow_body": base64.b64encode(body).decode()}
    return {}, {"__ow_body": body.decode("utf-8", "replace")}


def _kind(request: WebRequest) -> MediaType:
    """Return the type of the body; what has none is opaque."""
    found = media_type(request.header("content-type") or "")
    return found or MediaType("application/octet-stream")


def _json(body: bytes) -> Any:
    try:
        return decode(body)
    except MalformedJson as error:
        raise MalformedContent(str(error)) from error


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
