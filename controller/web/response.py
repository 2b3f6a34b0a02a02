"""What a client gets of a web action's result. Pure.

The extension of the URL says how a result becomes an answer. What the action calls an error (its
application error) is rendered by the same rules as its result. Source: OpenWhisk's
`WhiskWebActionsApi`.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from common.codec import decode
from common.entity.activation import Response, Status
from common.entity.exec_request import looks_binary
from common.errors import (
    ErrorProcessingRequest,
    InvalidMedia,
    PropertyNotFound,
    ResponseTypeMismatch,
    ResponseTypeUnknown,
)
from controller.web.media import JSON, MediaType, media_type

HTTP: Final = ".http"
_HTTP_MEDIA: Final = "message/http"
_TEXT: Final = "text/plain; charset=UTF-8"
_MEDIA: Final = {".html": "text/html", ".svg": "image/svg+xml"}
_CONTENT_TYPE: Final = {".html": "text/html; charset=UTF-8", ".svg": "image/svg+xml"}
_TRANSPORT: Final = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that are the server's to say, whatever an action says: they frame its answer."""
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
EXTENSIONS: Final = (HTTP, ".json", ".html", ".svg", ".text")


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """One answer. *content_type* is None where there is no body at all."""

    status: int
    content_type: str | None
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def split_extension(segment: str) -> tuple[str, str]:
    """Return the name of the action in a segment of a path, and the extension behind it."""
    for extension in EXTENSIONS:
        if segment.endswith(extension):
            return segment.removesuffix(extension), extension
    return segment, HTTP


def rendered(response: Response, extension: str) -> WebAnswer:
    """Return the answer to a client.

    Raises `ErrorProcessingRequest`, `InvalidMedia`, `PropertyNotFound`, `ResponseTypeMismatch`,
        `ResponseTypeUnknown`.
    """
    if response.status not in (Status.SUCCESS, Status.APPLICATION_ERROR):
        raise ErrorProcessingRequest
    result = decode(response.result)
    if response.status is Status.APPLICATION_ERROR and isinstance(result, dict):
        result = result.get("error", result)
    if extension == HTTP:
        return _http(result)
    if extension == ".json":
        if not isinstance(result, dict | list):
            raise InvalidMedia(JSON)
        return WebAnswer(200, JSON, _pretty(result))
    if extension == ".text":
        return WebAnswer(200, _TEXT, _as_text(_chosen(result, extension)))
    chosen = _field(result, extension)
    if not isinstance(chosen, str):
        raise InvalidMedia(_MEDIA[extension])
    return WebAnswer(200, _CONTENT_TYPE[extension], chosen.encode())


def _field(result: Any, extension: str) -> Any:
    """Return what of *result* is shown: `body`, or what is called like the extension."""
    if not isinstance(result, dict):
        return result
    return result.get("body", result.get(extension[1:]))


def _chosen(result: Any, extension: str) -> Any:
    if isinstance(result, dict) and not ({"body", extension[1:]} & result.keys()):
        raise PropertyNotFound
    return _field(result, extension)


def _as_text(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return _pretty(value)


def _http(result: Any) -> WebAnswer:
    if not isinstance(result, dict):
        raise InvalidMedia(_HTTP_MEDIA)
    headers = _headers(result.get("headers", {}))
    status = _status(result.get("statusCode"))
    body = result.get("body")
    kind = _declared(headers)
    others = tuple(pair for pair in headers if pair[0].lower() != "content-type")
    if body is None or body == "":
        return WebAnswer(status or 204, None, b"", others)
    if isinstance(body, str):
        kind = kind or MediaType("text/html")
        return WebAnswer(status or 200, kind.header, _string_body(body, kind), others)
    kind = kind or MediaType(JSON)
    if not kind.is_json:
        raise ResponseTypeMismatch
    return WebAnswer(status or 200, kind.header, _pretty(body), others)


def _headers(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        raise InvalidMedia(_HTTP_MEDIA)
    pairs: list[tuple[str, str]] = []
    for name, given in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidMedia(_HTTP_MEDIA)
        if name.lower() in _TRANSPORT:
            continue
        values = given if isinstance(given, list) else [given]
        pairs += [(name, _header_value(each)) for each in values]
    return pairs


def _header_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise InvalidMedia(_HTTP_MEDIA)
    text = str(value)
    if any(character in text for character in "\r\n\0"):
        raise InvalidMedia(_HTTP_MEDIA)  # a second header must not come out of the value of one
    return text


def _status(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 999:
        raise InvalidMedia(_HTTP_MEDIA)
    return value


def _declared(headers: list[tuple[str, str]]) -> MediaType | None:
    given = [value for name, value in headers if name.lower() == "content-type"]
    if not given:
        return None
    kind = media_type(given[-1])
    if kind is None:
        raise ResponseTypeUnknown
    return kind


def _string_body(body: str, kind: MediaType) -> bytes:
    if kind.is_json:
        return base64.b64decode(body) if looks_binary(body) else body.encode()
    if not kind.is_binary:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ResponseTypeMismatch from error


def _pretty(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
