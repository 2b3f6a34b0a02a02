"""The body of a request and the form of its answer: types, bounds and deadlines.

A body is read up to a bound and never buffered beyond it, whatever the client declares. Only JSON
is taken, and only JSON is given.
"""

import asyncio
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from common.codec import MalformedJson, decode
from common.errors import EntityTooBig, MalformedContent
from controller.edge.rejections import (
    ContentMissing,
    ContentTooLarge,
    ContentTooSlow,
    NotAcceptable,
    UnsupportedContentType,
)

JSON: Final = "application/json"
READ_S: Final = 60.0
"""How long a client may take to send a body. 50 MB in this time are 7 Mbit/s."""
MAX_NESTING: Final = 500
"""How deep arrays and objects may be nested. What is read has to be written again, inside of
larger documents, and the writers give up at some 900 levels."""

_UNDECLARED: Final = "application/octet-stream"


async def document(request: web.Request, *, limit_bytes: int) -> Any:
    """Return the JSON of a body that has to be there.

    Raises: `UnsupportedContentType`, `ContentMissing`, `ContentTooLarge`, `ContentTooSlow`,
        `MalformedContent`.
    """
    declared = request.content_length
    if declared is not None and declared > limit_bytes:
        raise ContentTooLarge
    has_type = "Content-Type" in request.headers
    if has_type or request.body_exists:
        _expect_json(request)
    body = await _read(request, limit_bytes)
    if body is None:
        raise ContentTooLarge
    if not body and not has_type:
        raise ContentMissing
    return _parsed(body)


async def optional_object(
    request: web.Request, *, limit_bytes: int
) -> tuple[bytes | None, dict[str, Any]]:
    """Return the body as it was sent and as an object; no body is None and an empty object.

    Raises: `EntityTooBig`, `UnsupportedContentType`, `ContentTooSlow`, `MalformedContent`.
    """
    if not request.body_exists:
        return None, {}
    body = await _read(request, limit_bytes)
    if body is None:
        raise EntityTooBig("Request", limit_bytes + 1, limit_bytes)
    if not body:
        return None, {}
    _expect_json(request)
    value = _parsed(body)
    if not isinstance(value, dict):
        raise MalformedContent("JSON object expected")
    return body, value


async def raw(request: web.Request, *, limit_bytes: int) -> bytes | None:
    """Return the body as it was sent, whatever it is; None when there is none.

    Raises: `EntityTooBig`, `ContentTooSlow`, `MalformedContent`.
    """
    check_length(request, limit_bytes)
    if not request.body_exists:
        return None
    body = await _read(request, limit_bytes)
    if body is None:
        raise EntityTooBig("Request", limit_bytes + 1, limit_bytes)
    return body


def check_length(request: web.Request, limit_bytes: int) -> None:
    """Refuse a body that is declared to be longer. Raises `EntityTooBig`."""
    declared = request.content_length
    if declared is not None and declared > limit_bytes:
        raise EntityTooBig("Request", declared, limit_bytes)


def check_acceptable(accept: str | None, content_type: str = JSON) -> None:
    """Refuse a client that would not read what it gets. Raises `NotAcceptable`.

    accept: the header of that name; None accepts everything.
    """
    if accept is None or accept in ("*/*", content_type):
        return
    kind = content_type.partition(";")[0].strip()
    taken = ("*/*", kind.partition("/")[0] + "/*", kind)
    ranges = (each.partition(";") for each in accept.lower().split(","))
    for media, _, parameters in ranges:
        if media.strip() in taken and not _is_refused(parameters):
            return
    raise NotAcceptable([content_type])


def _is_refused(parameters: str) -> bool:
    """Tell whether a media range is marked `q=0`, in any spelling."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return not value.strip().strip("0.")
    return False


def _expect_json(request: web.Request) -> None:
    header = request.headers.get("Content-Type", _UNDECLARED)
    if header == JSON:
        return
    media, *parameters = (part.strip() for part in header.split(";"))
    if media.lower() == JSON:
        return
    shown = [_parameter(parameter) for parameter in parameters if parameter]
    raise UnsupportedContentType("; ".join([media.lower(), *shown]))


def _parameter(given: str) -> str:
    """Return a parameter of a media type as OpenWhisk prints it: charsets in capitals."""
    name, equals, value = given.partition("=")
    return (
        f"charset={value.strip().upper()}" if name.lower() == "charset" else name + equals + value
    )


def _parsed(body: bytes) -> Any:
    try:
        value = decode(body)
    except MalformedJson as error:
        raise MalformedContent(str(error)) from error
    if may_be_nested_too_deeply(body) and _is_nested_too_deeply(value):
        raise MalformedContent(f"nested more than {MAX_NESTING} levels deep")
    return value


def may_be_nested_too_deeply(body: bytes) -> bool:
    """Tell whether *body* opens enough arrays and objects to be worth a closer look."""
    return len(body) > MAX_NESTING and body.count(b"[") + body.count(b"{") > MAX_NESTING


def _is_nested_too_deeply(value: Any) -> bool:
    """Walk level by level: recursion is what has to be avoided."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_NESTING + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


async def _read(request: web.Request, limit_bytes: int) -> bytes | None:
    """Return the body; None as soon as it is longer than it may be."""
    content = request.content
    try:
        if content.is_eof():  # All of it came with the head: nothing to wait for.
            return await _collect(request, limit_bytes)
        async with asyncio.timeout(READ_S):
            return await _collect(request, limit_bytes)
    except TimeoutError as error:
        raise ContentTooSlow from error
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as error:
        raise MalformedContent("The body could not be read to its end.") from error


async def _collect(request: web.Request, limit_bytes: int) -> bytes | None:
    chunks, size = [], 0
    while chunk := await request.content.readany():
        size += len(chunk)
        if size > limit_bytes:
            return None
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
