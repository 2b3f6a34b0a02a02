"""The short way of a plain invocation: from bytes to bytes, past aiohttp.

It knows only how to say yes. Whatever might end in a refusal of the request itself (its address,
its credentials, its query, its body) is left to the long way, which has the words for it; nothing
has been counted or begun by then. From the moment a namespace is charged, both ways run the same
code, and an error is put into words by the same table.

What follows from text alone is remembered: who a header stands for (for a second, so that a blocked
subject is soon out), and what a target means.
"""

import secrets
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from common import metrics
from common.codec import MalformedJson, decode
from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.entity.names import QualifiedName, is_legal
from common.errors import BriskError
from common.message.activation import ActivationMessage
from common.tracing import PARENT_HEADER
from controller.api.bounds import payload_bytes
from controller.api.invocations import (
    Asked,
    Call,
    CallAnswer,
    Invocations,
    finished,
    told_accepted,
)
from controller.api.services import Services
from controller.api.wait import Wait
from controller.edge import address, answers, auth, content, cors
from controller.edge.gate import SERVER, refusal
from controller.edge.hot import PlainRequest, Reply, Spawn
from controller.edge.raw import RawAnswers
from controller.edge.traces import Traces
from controller.edge.transid import HEADER, TransactionIds

PREFIX: Final = b"/api/v1/namespaces/"
REMEMBERED: Final = 4096
"""Headers, and targets; when there are more, all are forgotten at once."""
IDENTITY_S: Final = 1.0

_SEGMENTS: Final = (7, 8)
"""Of `/api/v1/namespaces/NS/actions/[PACKAGE/]NAME`, split at its slashes."""
_STATUS_LINES: Final = {
    200: b"HTTP/1.1 200 OK\r\n",
    202: b"HTTP/1.1 202 Accepted\r\n",
    500: b"HTTP/1.1 500 Internal Server Error\r\n",
    502: b"HTTP/1.1 502 Bad Gateway\r\n",
}
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

    def __init__(self, services: Services, invocations: Invocations, raw: RawAnswers) -> None:
        self._raw = raw
        self._services = services
        self._invocations = invocations
        self._transids = TransactionIds()
        self._traces = Traces(services.settings.tracing.sample_share)
        self._salt = secrets.token_bytes(32)
        self._known: dict[bytes, _Known] = {}
        self._targets: dict[bytes, _Target | None] = {}

    def begin(self, request: PlainRequest, reply: Reply, spawn: Spawn) -> bool:
        """Begin a blocking invocation whose caller, target and action are remembered."""
        received_ms = self._services.clock.now_ms()
        target = self._targets.get(request.target)
        identity = self._remembered(request.authorization)
        if target is None or identity is None or not target.asked.blocking:
            return False
        call = self._call(request, target, identity, received_ms)
        resolver = self._services.resolver
        resolved = resolver.at_hand(identity.namespace, call.name) if call else None
        if call is None or resolved is None:
            return False
        wait = Wait(_Words(self, call), reply, spawn)
        try:
            self._invocations.check(resolved.action, call.given)
            self._services.entitlement.check_invocation(identity)
            message = self._services.invoker.try_begin(call.invocation(resolved), wait.ended)
        except BriskError:
            return False  # nothing was begun or counted: the other way finds the words
        if message is None:
            return False
        self._services.entitlement.count_invocation(identity)
        wait.limit(message, target.asked.wait_ms / 1000)
        return True

    async def answer(self, request: PlainRequest) -> bytes | None:
        """Return the whole answer, or None when *request* is to go the long way."""
        received_ms = self._services.clock.now_ms()
        target = self._target(request.target)
        identity = await self._identity(request.authorization) if target else None
        if target is None or identity is None:
            return None
        call = self._call(request, target, identity, received_ms)
        if call is None:
            return None
        try:
            self._services.entitlement.charge_invocation(identity)
            return self.written(call, await self._invocations.run(call))
        except Exception as error:
            return self.refused(call, error)

    async def promised(self, call: Call, message: ActivationMessage) -> bytes:
        """Return the answer to a caller whose wait is over."""
        try:
            accepted = await self._services.invoker.promise(message)
        except Exception as error:
            return self.refused(call, error)
        return self.written(call, told_accepted(accepted.activation_id))

    def _call(
        self, request: PlainRequest, target: _Target, identity: Identity, received_ms: int
    ) -> Call | None:
        """Return what *request* asks for, or None where the long way has words for it."""
        if target.namespace not in (address.OWN, identity.namespace):
            return None
        if len(request.body) > payload_bytes(self._services.settings.limits, identity.own):
            return None
        try:
            given = decode(request.body) if request.body else {}
        except MalformedJson:
            return None
        if not isinstance(given, dict) or content.may_be_nested_too_deeply(request.body):
            return None
        return Call(
            identity,
            QualifiedName(identity.namespace, target.package, target.name),
            target.asked,
            request.body or None,
            given,
            self._transids.of(request.request_id.decode("latin-1")),
            received_ms,
            self._traces.begun(),
        )

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

    def _remembered(self, header: bytes) -> Identity | None:
        known = self._known.get(self._digest(header))
        if known is None or known.until_s <= self._services.clock.elapsed_s():
            return None
        return known.identity

    async def _identity(self, header: bytes) -> Identity | None:
        identity = self._remembered(header)
        if identity is not None:
            return identity
        try:
            text = header.decode("latin-1") or None
            identity = await auth.authenticate(text, self._services.subjects)
        except BriskError:
            return None
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        until_s = self._services.clock.elapsed_s() + IDENTITY_S
        self._known[self._digest(header)] = _Known(identity, until_s)
        return identity

    def _digest(self, header: bytes) -> bytes:
        # A keyed digest: how long its look-up takes tells nothing about any header.
        return blake2b(header, digest_size=16, key=self._salt).digest()

    def written(self, call: Call, ended: CallAnswer) -> bytes:
        """Return the bytes of the answer to an invocation that was begun."""
        self._counted(call, ended.status)
        traced = f"{PARENT_HEADER}: {call.trace.parent}\r\n" if call.trace else ""
        head = (
            f"{traced}{HEADER}: {call.transid}\r\n"
            f"{answers.ACTIVATION_HEADER}: {ended.activation_id}\r\n"
            f"Content-Length: {len(ended.text)}\r\n\r\n"
        )
        return b"".join(
            (_STATUS_LINES[ended.status], _FIXED, self._raw.dated(), head.encode(), ended.text)
        )

    def refused(self, call: Call, error: Exception) -> bytes:
        """Return the bytes of the answer to an invocation that was not begun."""
        refused = refusal(error, call.transid, method="POST", path=f"actions/{call.name.name}")
        self._counted(call, refused.status)
        return self._raw.of(refused, call.transid)

    def _counted(self, call: Call, status: int) -> None:
        metrics.count_request("invoke", status)
        if call.trace is not None:
            self._services.spans.request(
                call.trace,
                method="POST",
                route="invoke",
                status=status,
                transid=call.transid,
                received_ms=call.received_ms,
            )


class _Words(NamedTuple):
    """See `controller.api.wait.Words`."""

    shortcut: Shortcut
    call: Call

    def ended(self, record: ActivationRecord) -> bytes:
        answer = finished(record, as_result=self.call.asked.as_result)
        return self.shortcut.written(self.call, answer)

    async def promised(self, message: ActivationMessage) -> bytes:
        return await self.shortcut.promised(self.call, message)
