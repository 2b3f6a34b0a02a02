"""The short way of a web action: from the bytes of a plain GET to those of its answer.

Like the short way of an invocation (`shortcut.py`), it knows only how to say yes: whatever might
end in a refusal of the request itself is left to aiohttp and `webactions.py`, which have the words
for it, and nothing has been counted or begun by then. So is a caller with credentials, who may be
somebody. From the moment the owner is charged, both ways run the same code.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from common import codec, metrics
from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.entity.names import QualifiedName, is_legal
from common.errors import BriskError, ResponseNotReady
from common.ids import Namespace
from common.message.activation import ActivationMessage
from common.tracing import PARENT_HEADER
from controller.api.services import Services
from controller.api.shortcut import IDENTITY_S
from controller.api.wait import Wait
from controller.api.webactions import DEFAULT_PACKAGE, NOT_TOLD, SECRET, refused
from controller.edge import answers, content, cors
from controller.edge.hot import PlainRequest, Reply, Spawn
from controller.edge.raw import RawAnswers
from controller.edge.traces import Traces
from controller.edge.transid import TransactionIds
from controller.invoke.invocation import Accepted, Invocation
from controller.invoke.resolve import Resolved
from controller.web.delivery import Hopes, delivered, hopes_of
from controller.web.request import WebRequest, answers_options, arguments, is_web
from controller.web.response import rendered, split_extension

PREFIX: Final = b"/api/v1/web/"
REMEMBERED: Final = 4096
"""Targets, and owners; when there are more, all are forgotten at once."""

_SEGMENT: Final = rb"[A-Za-z0-9_@-][A-Za-z0-9_.@-]*"
_TARGET: Final = re.compile(
    rb"/api/v1/web/(%b)/(%b)/(%b)((?:/%b)*/?)(?:\?([A-Za-z0-9_.~&=-]*))?"
    % (_SEGMENT, _SEGMENT, _SEGMENT, _SEGMENT)
)
"""Addresses that mean what they say: nothing in them is escaped, or goes a step back."""


class _Target(NamedTuple):
    name: QualifiedName
    extension: str
    path: str
    query: str


class _Owner(NamedTuple):
    identity: Identity
    until_s: float


class _Page(NamedTuple):
    """One request that is answered here. See `controller.api.wait.Words`."""

    shortcut: "PageShortcut"
    invocation: Invocation
    extension: str
    accept: str | None
    hopes: Hopes
    cors: Mapping[str, str]

    def ended(self, record: ActivationRecord) -> bytes:
        return self.shortcut.shown(self, record)

    async def promised(self, message: ActivationMessage) -> bytes:
        return await self.shortcut.promised(self, message)


class PageShortcut:
    """Answers plain requests to web actions. One per listener."""

    def __init__(self, services: Services, raw: RawAnswers) -> None:
        self._services = services
        self._raw = raw
        self._transids = TransactionIds()
        self._traces = Traces(services.settings.tracing.sample_share)
        self._wait_ms = services.settings.limits.blocking_wait_ms
        self._targets: dict[bytes, _Target | None] = {}
        self._owners: dict[Namespace, _Owner] = {}

    def begin(self, request: PlainRequest, reply: Reply, spawn: Spawn) -> bool:
        """Begin the call of an action that is at hand, of an owner who is remembered."""
        received_ms = self._services.clock.now_ms()
        target = self._targets.get(request.target)
        owner = self._owners.get(target.name.namespace) if target else None
        if not target or not owner or owner.until_s <= self._services.clock.elapsed_s():
            return False
        try:
            page = self._page(request, target, owner.identity, received_ms)
            if page is None:
                return False
            wait = Wait(page, reply, spawn)
            message = self._services.invoker.try_begin(page.invocation, wait.ended)
        except BriskError:
            return False  # nothing was begun or counted: the other way finds the words
        if message is None:
            return False
        self._services.entitlement.count_invocation(owner.identity)
        wait.limit(message, self._wait_ms / 1000)
        return True

    async def answer(self, request: PlainRequest) -> bytes | None:
        """Return the whole answer, or None when *request* is to go the long way."""
        received_ms = self._services.clock.now_ms()
        target = self._target(request.target)
        if target is None:
            return None
        try:
            owner = await self._owner(target.name.namespace)
            page = self._page(request, target, owner, received_ms) if owner else None
        except BriskError:
            return None
        if owner is None or page is None:
            return None
        self._services.entitlement.count_invocation(owner)
        try:
            outcome = await self._services.invoker.invoke(page.invocation)
        except Exception as error:
            return self._refused(page, error)
        if isinstance(outcome, Accepted):
            return self._refused(page, ResponseNotReady())
        return self.shown(page, outcome.record)

    def shown(self, page: _Page, record: ActivationRecord) -> bytes:
        """Return what the action made of the request, or why that can't be shown."""
        try:
            answer = rendered(record.response, page.extension)
            answer = delivered(answer, page.invocation.meant.action.annotations, page.hopes)
            if answer.content_type is not None:
                content.check_acceptable(page.accept, answer.content_type)
        except Exception as error:
            return self._refused(page, error)
        self._counted(page, answer.status)
        own = (pair for pair in answer.headers if pair[0].lower() != answers.ACTIVATION_HEADER)
        headers = [*own, (answers.ACTIVATION_HEADER, record.activation_id), *page.cors.items()]
        if page.invocation.trace is not None:
            headers.append((PARENT_HEADER, page.invocation.trace.parent))
        if answer.content_type is not None:
            headers.append(("Content-Type", answer.content_type))
        return self._raw.whole(answer.status, headers, answer.body, page.invocation.transid)

    async def promised(self, page: _Page, message: ActivationMessage) -> bytes:
        """Return the answer to who does not wait any more; the activation goes on."""
        try:
            await self._services.invoker.promise(message)
        except Exception as error:
            return self._refused(page, error)
        return self._refused(page, ResponseNotReady())

    def _refused(self, page: _Page, error: Exception) -> bytes:
        transid, name = page.invocation.transid, page.invocation.meant.action.name
        response = refused(error, transid, "GET", str(name), page.cors)
        self._counted(page, response.status)
        return self._raw.of(response, transid)

    def _counted(self, page: _Page, status: int) -> None:
        metrics.count_request("web", status)
        asked = page.invocation
        if asked.trace is not None:
            self._services.spans.request(
                asked.trace,
                method="GET",
                route="web",
                status=status,
                transid=asked.transid,
                received_ms=asked.received_ms,
            )

    def _page(
        self, request: PlainRequest, target: _Target, owner: Identity, received_ms: int
    ) -> _Page | None:
        """Return what is to be done, or None where the long way knows better.

        Raises `BriskError` where *request* is to be refused.
        """
        resolved = self._resolved(owner, target.name)
        if resolved is None or request.authorization:
            return None
        self._services.entitlement.check_invocation(owner)
        asked = _read(request, target)
        invocation = Invocation(
            identity=owner,
            meant=resolved,
            payload=codec.encode(arguments(asked, resolved.action)),
            transid=self._transids.of(request.request_id.decode("latin-1")),
            received_ms=received_ms,
            wait_ms=self._wait_ms,
            trace=self._traces.begun(),
        )
        asked_for = _first(asked, "access-control-request-headers")
        says_itself = answers_options(resolved.action)
        return _Page(
            self,
            invocation,
            target.extension,
            _first(asked, "accept"),
            hopes_of(asked.method, asked.headers),
            {} if says_itself else cors.of_web(asked_for),
        )

    async def _owner(self, namespace: Namespace) -> Identity | None:
        owner = await self._services.subjects.owner(namespace)
        if owner is not None:
            if len(self._owners) >= REMEMBERED:
                self._owners.clear()
            until_s = self._services.clock.elapsed_s() + IDENTITY_S
            self._owners[namespace] = _Owner(owner, until_s)
        return owner

    def _resolved(self, owner: Identity, name: QualifiedName) -> Resolved | None:
        """Return the action if it is at hand and anybody may call it; else None."""
        resolved = self._services.resolver.at_hand(owner.namespace, name)
        if resolved is None or not is_web(resolved.action) or SECRET in resolved.action.annotations:
            return None
        runtime = self._services.manifest.resolve(resolved.action.exec.kind)
        return None if runtime is not None and runtime.deprecated else resolved

    def _target(self, raw: bytes) -> _Target | None:
        if raw in self._targets:
            return self._targets[raw]
        if len(self._targets) >= REMEMBERED:
            self._targets.clear()
        target = self._targets[raw] = _read_target(raw)
        return target


def _read_target(raw: bytes) -> _Target | None:
    found = _TARGET.fullmatch(raw)
    if found is None:
        return None
    namespace, package, segment, path, query = (part.decode() for part in found.groups(b""))
    name, extension = split_extension(segment)
    if not all(map(is_legal, (namespace, package, name))):
        return None
    where = None if package == DEFAULT_PACKAGE else package
    return _Target(QualifiedName(Namespace(namespace), where, name), extension, path, query)


def _read(request: PlainRequest, target: _Target) -> WebRequest:
    headers = [(name.decode(), value.decode().strip(" \t")) for name, value in request.headers]
    return WebRequest(
        method="GET",
        headers=[pair for pair in headers if pair[0].lower() not in NOT_TOLD],
        path=target.path,
        query=target.query,
        body=None,
        user=None,
    )


def _first(asked: WebRequest, name: str) -> str | None:
    """Return the first header *name*, as aiohttp does; the action is given the last."""
    return next((value for key, value in asked.headers if key.lower() == name), None)
