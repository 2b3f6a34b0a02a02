"""Hooks: addresses that others call when something happens, each with a trigger behind it.

A hook's address has a token that nobody guesses, and who calls has to sign what they say. The
secret is kept encrypted, and shown to nobody. A call is answered when the platform has the firing;
while it can't have it, the sender is asked to come again. Senders do, and what they send a second
time is the same firing: its name is what was signed.
"""

import hmac
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from common import metrics
from common.clock import Clock
from common.codec import MalformedJson, decode, encode
from common.entity.names import is_legal
from common.ids import DocId, Namespace
from common.log import logger
from controller.events.client import Reply
from controller.events.feed import Feed, disabled, doc_id
from controller.events.provider import Answer, NotKnown, Order, Refused
from controller.events.registry import Registry, Sealing
from controller.events.retrying import Accepted, Stopped, verdict
from controller.events.signatures import KINDS, WINDOW_S, Scheme, Unsigned, check

WEBHOOKS: Final = "webhooks"
HOOK: Final = "hook"
HEADERS: Final = "__hook"
"""The parameter in which a trigger is given the headers of a call."""
MAX_SECRET_CHARACTERS: Final = 1_000
MAX_WINDOW_S: Final = 3_600
_TOKEN_BYTES: Final = 20
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_WITHHELD: Final = frozenset({"authorization", "cookie", "proxy-authorization", "host"})
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 1_000
_log: Final = logger(__name__)


class Triggers(Protocol):
    """Where triggers are fired."""

    async def fire(
        self, namespace: str, name: str, auth: str, payload: Mapping[str, Any], *, key: str
    ) -> Reply:
        """Fire a trigger. *key* names the firing: sent again, it is the same one."""
        ...


class Webhooks:
    """The provider of hooks: their life, and their calls."""

    feeds = (HOOK,)

    def __init__(
        self, registry: Registry, seal: Sealing, triggers: Triggers, clock: Clock, *, url: str
    ) -> None:
        """Serve hooks.

        url: of the API, which calls come by.
        """
        self._registry = registry
        self._seal = seal
        self._triggers = triggers
        self._clock = clock
        self._url = url.rstrip("/")

    def __repr__(self) -> str:
        return "<Webhooks>"

    async def created(self, feed: str, given: Mapping[str, Any], now_ms: int) -> Order:
        """Return what a new hook is to do. Raises `Refused`."""
        token = secrets.token_hex(_TOKEN_BYTES)
        sealed = self._seal.encrypt(_secret_in(given), owner=_owner(token))
        return Order(_config({}, given), {}, {"token": token, "secret": sealed})

    async def updated(
        self, feed: str, before: Order, given: Mapping[str, Any], now_ms: int
    ) -> Order:
        """Return what a hook is to do from now on; its address stays. Raises `Refused`."""
        if not any(given.get(name) for name in ("secret", *_PARAMETERS)):
            raise Refused("no updatable parameters were specified")
        progress = dict(before.progress)
        if given.get("secret"):
            token = str(progress["token"])
            progress["secret"] = self._seal.encrypt(_secret_in(given), owner=_owner(token))
        return Order(_config(before.config, given), {}, progress)

    def resumed(self, before: Order, now_ms: int) -> Order:
        """Return what a hook is to do that was paused: the same."""
        return before

    def shown(self, feed: Feed) -> dict[str, Any]:
        """Return what READ shows; of the secret nothing."""
        about = {"name": feed.trigger, "namespace": feed.namespace}
        return about | dict(feed.config) | self.answer(feed)

    def answer(self, feed: Feed) -> dict[str, Any]:
        """Return where the hook is called."""
        token = feed.progress["token"]
        path = f"/api/brisk/v1/hooks/{feed.namespace}/{feed.trigger}/{token}"
        return {"url": self._url + path}

    def hold(self, feed: Feed) -> None:
        """Nothing has to be done for a hook before it is called."""

    def drop(self, name: DocId) -> None:
        """Nor behind its end."""

    async def called(
        self, path: tuple[str, str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer a call. *path*: namespace, trigger and token. Raises `StoreUnavailable`."""
        feed = await self._found(*path)
        if feed is None:
            return _said(404, "There is no such hook.")
        if not feed.status.active:
            return _said(409, "The hook is stopped: its owner sees why with `trigger get`.")
        scheme = _scheme(feed.config)
        secret = self._seal.decrypt(feed.progress["secret"], owner=_owner(path[2]))
        found = check(scheme, secret.encode(), headers, body, self._clock.now_ms() // 1000)
        if isinstance(found, Unsigned):
            return _said(401, found.why)
        payload = event_of(headers, body, without=scheme.signature_header)
        if scheme.kind == "slack" and payload.get("type") == "url_verification":
            return Answer(200, encode({"challenge": payload.get("challenge")}))
        return await self._fire(feed, found.name, payload)

    async def _found(self, namespace: str, trigger: str, token: str) -> Feed | None:
        if not (is_legal(namespace) and is_legal(trigger)):
            return None
        try:
            feed = await self._registry.get(doc_id(Namespace(namespace), trigger))
        except NotKnown:
            return None
        known = str(feed.progress.get("token", "")) if feed.source.provider == WEBHOOKS else ""
        is_it = hmac.compare_digest(known.encode(), token.encode()) and bool(known)
        return feed if is_it else None

    async def _fire(self, feed: Feed, name: str, payload: dict[str, Any]) -> Answer:
        reply = await self._triggers.fire(
            feed.namespace,
            feed.trigger,
            self._registry.auth(feed),
            payload,
            key=f"{feed.uid}/{name}",
        )
        found = verdict(reply.status, 1, text=reply.text)
        if isinstance(found, Accepted):
            metrics.FIRINGS["accepted"].inc()
            return _said(202, "")
        if isinstance(found, Stopped):
            metrics.FIRINGS["refused"].inc()
            await self._stop(feed, found)
            return _said(409, found.message)
        metrics.FIRINGS["again"].inc()
        if reply.status is None or reply.status >= 500:
            return _said(503, "The platform is away. Send it again.")
        return _said(reply.status, reply.text or "Not now. Send it again.")

    async def _stop(self, feed: Feed, found: Stopped) -> None:
        # An event that is too large says nothing of the next one.
        if found.status_code in (400, 413):
            return
        now_ms = self._clock.now_ms()
        _log.warning("feed_stopped", feed=feed.address, why=found.message)
        await self._registry.change(
            feed.doc_id,
            feed.uid,
            lambda newest: disabled(newest, now_ms, found.message, status_code=found.status_code),
        )


def event_of(headers: Mapping[str, str], body: bytes, *, without: str) -> dict[str, Any]:
    """Return what a trigger is given of a call: what its body says, and its headers.

    without: a header that is left out, beside credentials.
    """
    shown = {name.lower(): value for name, value in headers.items()}
    left_out = _WITHHELD | {without.lower()}
    told: dict[str, Any] = {
        "headers": {name: value for name, value in shown.items() if name not in left_out}
    }
    if shown.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
            return dict(fields) | {HEADERS: told}
        except ValueError:
            pass  # neither text nor a form: it is given as it came
    try:
        value = decode(body) if body else {}
    except MalformedJson:
        try:
            value = body.decode()
        except UnicodeDecodeError:
            value, told["encoding"] = b64encode(body).decode(), "base64"
    return (value if isinstance(value, dict) else {"payload": value}) | {HEADERS: told}


_PARAMETERS: Final = ("kind", "header", "timestampHeader", "window")


def _config(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    config = dict(before) | {name: given[name] for name in _PARAMETERS if given.get(name)}
    kind = str(config.get("kind", "generic")).strip().lower()
    if kind not in KINDS:
        raise Refused(f"kind parameter must be one of [{', '.join(KINDS)}].")
    for name in ("header", "timestampHeader"):
        if name in config and _HEADER.fullmatch(str(config[name])) is None:
            raise Refused(f"{name} parameter '{config[name]}' is no name of a header")
        if name in config and kind != "generic":
            raise Refused(f"{name} parameter is for hooks of the kind generic")
    try:
        window_s = int(config.get("window", WINDOW_S))
    except (TypeError, ValueError):
        window_s = 0
    if not 1 <= window_s <= MAX_WINDOW_S:
        raise Refused(f"window parameter must be an integer from 1 to {MAX_WINDOW_S}")
    return config | {"kind": kind, "window": window_s}


def _secret_in(given: Mapping[str, Any]) -> str:
    secret = given.get("secret")
    if not isinstance(secret, str) or not 0 < len(secret) <= MAX_SECRET_CHARACTERS:
        raise Refused("webhooks trigger feed is missing the secret parameter, a text")
    return secret


def _scheme(config: Mapping[str, Any]) -> Scheme:
    return Scheme(
        kind=config["kind"],
        header=str(config.get("header", "")),
        time_header=str(config.get("timestampHeader", "")),
        window_s=config["window"],
    )


def _owner(token: str) -> str:
    return f"hook/{token}"


def _said(status: int, why: str) -> Answer:
    return Answer(status, encode({"error": why} if why else {}))
