"""The short way of a plain invocation: from bytes to bytes, past aiohttp.

It knows only how to say yes. Whatever might end in a refusal of the request itself (its address,
its credentials, its query, its body) is left to the long way, which has the words for it; nothing
has been counted or begun by then. From the moment a namespace is charged, both ways run the same
code, and an error is put into words by the same table.

What follows from text alone is remembered: who a header stands for (for a few seconds, so that a
blocked subject is soon out), and what a target means.
"""

import secrets
from collections.abc import Mapping
from email.utils import formatdate
from hashlib import blake2b
from typing import Final, NamedTuple

from aiohttp import web

from common import metrics
from common.codec import MalformedJson, decode
from common.entity.identity import Identity
from common.entity.names import QualifiedName, is_legal
from common.errors import BriskError
from controller.api.invocations import Asked, Call, CallAnswer, Invocations
from controller.api.services import Services
from controller.edge import address, answers, auth, content, cors
from controller.edge.gate import SERVER, refusal
from controller.edge.hot import PlainRequest
from controller.edge.transid import HEADER, TransactionIds

PREFIX: Final = b"/api/v1/namespaces/"
REMEMBERED: Final = 4096
"""Headers, and targets; when there are more, all are forgotten at once."""
IDENTITY_S: Final = 5.0

_SEGMENTS: Final = (7, 8)
"""Of `/api/v1/namespaces/NS/actions/[PACKAGE/]NAME`, split at its slashes."""
_REASONS: Final = {200: b"OK", 202: b"Accepted", 500: b"Internal Server Error", 502: b"Bad Gateway"}
_FIXED: Final = "".join(
    f"{name}: {value}\r\n"
    for name, value in ({"Content-Type": content.JSON, "Server": SERVER} | cors.HEADERS).items()
).encode()


class _Known(NamedTuple):
    identity: Identity
    until_s: float


class _Target(NamedTuple):
    namespace: str
    package: str | None
    name: str
    asked: Asked


class Shortcut:
    """Answers plain invocations. One per listener."""

    def __init__(self, services: Services, invocations: Invocations) -> None:
        self._services = services
        self._invocations = invocations
        self._transids = TransactionIds()
        self._salt = secrets.token_bytes(32)
        self._known: dict[bytes, _Known] = {}
        self._targets: dict[bytes, _Target | None] = {}
        self._date = (0, b"")

    async def answer(self, request: PlainRequest) -> bytes | None:
        """Return the whole answer, or None when *request* is to go the long way."""
        received_ms = self._services.clock.now_ms()
        target = self._target(request.target)
        identity = await self._identity(request.authorization) if target else None
        if target is None or identity is None:
            return None
        if target.namespace not in (address.OWN, identity.namespace):
            return None
        try:
            given = decode(request.body) if request.body else {}
        except MalformedJson:
            return None
        if not isinstance(given, dict) or content.may_be_nested_too_deeply(request.body):
            return None
        transid = self._transids.of(request.request_id.decode("latin-1"))
        call = Call(
            identity=identity,
            name=QualifiedName(identity.namespace, target.package, target.name),
            asked=target.asked,
            payload=request.body or None,
            given=given,
            transid=transid,
            received_ms=received_ms,
        )
        try:
            self._services.entitlement.charge_invocation(identity)
            ended = await self._invocations.run(call)
        except Exception as error:
            path = request.target.decode("latin-1")
            refused = refusal(error, transid, method="POST", path=path)
            metrics.count_request("invoke", refused.status)
            return self._rendered(refused, transid)
        metrics.count_request("invoke", ended.status)
        return self._written(ended, transid)

    def _target(self, raw: bytes) -> _Target | None:
        if raw in self._targets:
            return self._targets[raw]
        if len(self._targets) >= REMEMBERED:
            self._targets.clear()
        target = self._targets[raw] = self._read_target(raw)
        return target

    def _read_target(self, raw: bytes) -> _Target | None:
        """Return what *raw* means; None where that takes more than splitting it."""
        if not raw.isascii() or b"%" in raw or b"+" in raw or b"#" in raw:
            return None
        path, _, query = raw.decode().partition("?")
        parts = path.split("/")
        if len(parts) not in _SEGMENTS or parts[5] != "actions":
            return None
        namespace, *names = parts[4], *parts[6:]
        if not all(map(is_legal, (namespace, *names))):
            return None
        pairs = [pair.partition("=") for pair in query.split("&")] if query else []
        given: Mapping[str, str] = {name: value for name, _, value in reversed(pairs)}
        try:
            asked = self._invocations.asked(given)
        except BriskError:
            return None
        return _Target(namespace, names[0] if len(names) > 1 else None, names[-1], asked)

    async def _identity(self, header: bytes) -> Identity | None:
        # By a keyed digest: how long the look-up takes tells nothing about any header.
        digest = blake2b(header, digest_size=16, key=self._salt).digest()
        now_s = self._services.clock.elapsed_s()
        known = self._known.get(digest)
        if known is not None and known.until_s > now_s:
            return known.identity
        try:
            text = header.decode("latin-1") or None
            identity = await auth.authenticate(text, self._services.subjects)
        except BriskError:
            return None
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[digest] = _Known(identity, now_s + IDENTITY_S)
        return identity

    def _written(self, ended: CallAnswer, transid: str) -> bytes:
        head = (
            f"{HEADER}: {transid}\r\n{answers.ACTIVATION_HEADER}: {ended.activation_id}\r\n"
            f"Content-Length: {len(ended.text)}\r\n\r\n"
        )
        status = b"HTTP/1.1 %d %b\r\n" % (ended.status, _REASONS[ended.status])
        return status + _FIXED + self._dated() + head.encode() + ended.text

    def _rendered(self, refused: web.Response, transid: str) -> bytes:
        body = refused.body
        assert isinstance(body, bytes)
        headers = {
            **refused.headers,
            HEADER: transid,
            "Server": SERVER,
            "Content-Length": len(body),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {refused.status} {refused.reason}\r\n{lines}".encode()
        return head + self._dated() + b"\r\n" + body

    def _dated(self) -> bytes:
        second = self._services.clock.now_ms() // 1000
        if self._date[0] != second:
            self._date = (second, f"Date: {formatdate(second, usegmt=True)}\r\n".encode())
        return self._date[1]
