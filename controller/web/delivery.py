"""How the answer of a web action travels: not at all where the client has it, or made small. Pure.

Both are the action's to ask for. An `ETag` among its headers says that its answers can be told
apart, and the annotation `web-etag` has one made of the body. The annotation `web-compress` lets
text travel as gzip. It is off unless asked for, because the length of what is compressed tells of
what is in it: a page that repeats what a visitor sent beside a secret gives the secret away,
letter by letter (the attack is known as BREACH). Only who wrote the action knows that there is no
secret in it.

Source: RFC 9110, §8.8, §12.5.3 and §13.1.2.
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

from controller.web.response import WebAnswer

COMPRESS: Final = "web-compress"
TAG: Final = "web-etag"
LEAST_BYTES: Final = 1024
"""What is smaller fits into one packet as it is."""
FAST_ABOVE_BYTES: Final = 64 << 10
"""What is larger is compressed less well: others wait meanwhile. A megabyte takes some 10 ms."""

_TEXT: Final = re.compile(
    r"text/.+|image/svg\+xml|application/(?:.+\+)?(?:json|xml)|application/(?:x-)?javascript"
)
_GZIP: Final = 16 + zlib.MAX_WBITS
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_TAGS: Final = re.compile(r'(?:W/)?"[^"]*"')

Headers = tuple[tuple[str, str], ...]


class Hopes(NamedTuple):
    """What a request says of how it wants to be answered."""

    reads: bool
    """Whether it is a GET or a HEAD."""
    has: str | None
    """`If-None-Match`."""
    takes: str | None
    """`Accept-Encoding`."""


def hopes_of(method: str, headers: Iterable[tuple[str, str]]) -> Hopes:
    """Return what *headers* say; several of one name are read as one."""
    has, takes = list[str](), list[str]()
    for name, value in headers:
        if name.lower() == "if-none-match":
            has.append(value)
        elif name.lower() == "accept-encoding":
            takes.append(value)
    joined = (", ".join(values) if values else None for values in (has, takes))
    return Hopes(method in ("GET", "HEAD"), *joined)


def delivered(answer: WebAnswer, annotations: Mapping[str, Any], hopes: Hopes) -> WebAnswer:
    """Return *answer* as it is sent to who has these *hopes*."""
    if annotations.get(TAG) is True and hopes.reads:
        answer = _tagged(answer)
    if annotations.get(COMPRESS) is True:
        answer = _compressed(answer, hopes.takes)
    tag = _header(answer, "etag")
    if hopes.reads and answer.status == _OK and tag is not None and _is_among(tag, hopes.has):
        return _not_modified(answer)
    return answer


def _tagged(answer: WebAnswer) -> WebAnswer:
    if answer.status != _OK or not answer.body or _header(answer, "etag") is not None:
        return answer
    digest = sha256(f"{answer.content_type}\n".encode() + answer.body).hexdigest()[:32]
    return replace(answer, headers=(*answer.headers, ("ETag", f'"{digest}"')))


def _is_among(tag: str, known: str | None) -> bool:
    """Tell whether *tag* is one of those in `If-None-Match`, weak or not."""
    if known is None:
        return False
    wanted = tag.strip().removeprefix("W/")
    return known.strip() == "*" or any(
        each.removeprefix("W/") == wanted for each in _TAGS.findall(known)
    )


def _not_modified(answer: WebAnswer) -> WebAnswer:
    """Return that the client has it; of what it has, nothing is said once more."""
    kept = tuple(
        (name, value)
        for name, value in answer.headers
        if not name.lower().startswith("content-") or name.lower() == "content-location"
    )
    return WebAnswer(_NOT_MODIFIED, None, b"", kept)


def _compressed(answer: WebAnswer, takes: str | None) -> WebAnswer:
    if not _may_be_compressed(answer):
        return answer
    answer = replace(answer, headers=_varied(answer.headers))
    if not _takes_gzip(takes):
        return answer
    level = 1 if len(answer.body) > FAST_ABOVE_BYTES else 6
    small = zlib.compress(answer.body, level, wbits=_GZIP)
    if len(small) >= len(answer.body):
        return answer
    # It is the same page in other bytes: a tag that stood for bytes stands for the page from here.
    headers = tuple(
        (name, f"W/{value}" if name.lower() == "etag" and value.startswith('"') else value)
        for name, value in answer.headers
    )
    return replace(answer, body=small, headers=(*headers, ("Content-Encoding", "gzip")))


def _may_be_compressed(answer: WebAnswer) -> bool:
    kind = (answer.content_type or "").partition(";")[0].strip().lower()
    is_text = _TEXT.fullmatch(kind) is not None
    is_whole = 200 <= answer.status < 600 and answer.status not in (204, 205, 206, _NOT_MODIFIED)
    is_as_it_was_made = _header(answer, "content-encoding") is None
    may_change = "no-transform" not in (_header(answer, "cache-control") or "").lower()
    return (
        is_text and is_whole and is_as_it_was_made and may_change
        and len(answer.body) >= LEAST_BYTES
    )  # fmt: skip


def _takes_gzip(takes: str | None) -> bool:
    """Tell whether `Accept-Encoding` names gzip, or anything, and does not refuse it."""
    weights: dict[str, bool] = {}
    for each in (takes or "").lower().split(","):
        coding, _, parameters = each.partition(";")
        name, _, weight = parameters.partition("=")
        is_refused = name.strip() == "q" and not weight.strip().strip("0.")
        weights[coding.strip()] = not is_refused
    for name in ("gzip", "x-gzip", "*"):
        if name in weights:
            return weights[name]
    return False


def _varied(headers: Headers) -> Headers:
    """Return *headers*, and that the answer differs by what a client takes."""
    said = ", ".join(value for name, value in headers if name.lower() == "vary")
    names = [name.strip().lower() for name in said.split(",")]
    if "*" in names or "accept-encoding" in names:
        return headers
    rest = tuple(pair for pair in headers if pair[0].lower() != "vary")
    return (*rest, ("Vary", f"{said}, Accept-Encoding" if said else "Accept-Encoding"))


def _header(answer: WebAnswer, wanted: str) -> str | None:
    """Return the last value of one header; None where there is none."""
    values = [value for name, value in answer.headers if name.lower() == wanted]
    return values[-1] if values else None
