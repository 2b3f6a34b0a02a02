"""Changes of a database: each is one firing, in their order, from where a feed has come to.

A change is named by its document and revision, so one that the database tells again is done once.
Where a feed has come to is written down behind what it has fired. The words are those of
OpenWhisk's package `cloudant`.
"""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final, Literal
from urllib.parse import quote

import aiohttp

from common.clock import Clock
from common.codec import MalformedJson, decode, encode
from controller.events import sources
from controller.events.consumers import SourceAway
from controller.events.feed import Feed, disabled
from controller.events.firing import Firer
from controller.events.provider import Order, Refused
from controller.events.registry import Registry, Sealing
from controller.events.retrying import Accepted, Stopped

CHANGES: Final = "changes"
MOST_CHANGES: Final = 100
"""That are asked for at a time."""
MAX_ANSWER_BYTES: Final = 8 << 20
WAIT_S: Final = 30.0
"""How long the database is to wait for a change before it answers that there is none."""
ANSWER_S: Final = 20.0
"""How long it may take beyond that."""
MAX_QUERY_BYTES: Final = 8_000
_PORTS: Final = {"https": 443, "http": 80}
_REFUSED: Final = frozenset({401, 403, 404})
_OK: Final = 200


class Databases:
    """The provider of changes: the life of its feeds, and what they read."""

    feeds = (CHANGES,)

    def __init__(
        self, registry: Registry, seal: Sealing, firer: Firer, clock: Clock, *, allowed: str
    ) -> None:
        """Read from where it is *allowed*; see `controller.events.sources`."""
        self._registry = registry
        self._seal = seal
        self._firer = firer
        self._clock = clock
        self._allowed = allowed

    def __repr__(self) -> str:
        return "<Databases>"

    async def created(self, feed: str, given: Mapping[str, Any], now_ms: int) -> Order:
        """Return what a new feed is to do: tell of changes from now on. Raises `Refused`."""
        config = _new_config(given)
        sources.require(self._allowed, config["host"], config["port"])
        auth = _auth_in(given)
        try:
            status, about = await self._ask("GET", config, auth, "", {})
        except SourceAway as error:
            raise Refused(f"error connecting to database {config['dbname']}: {error}") from error
        if status != _OK:
            said = about.get("reason") or about.get("error") or f"it answers {status}"
            raise Refused(f"error connecting to database {config['dbname']}: {said}")
        since = config["since"]
        # What changes from now on is what changes behind this place, whenever reading begins.
        progress = {
            "since": about.get("update_seq", 0) if since == "now" else since,
            "auth": auth and self._seal.encrypt(auth, owner=_owner(config)),
        }
        return Order(config, {}, progress)

    async def updated(
        self, feed: str, before: Order, given: Mapping[str, Any], now_ms: int
    ) -> Order:
        """Return what a feed is to do from now on. Raises `Refused`."""
        if not given.get("filter") and not given.get("query_params"):
            raise Refused("At least one of filter or query_params parameters must be supplied")
        config = dict(before.config) | _filter_in(dict(before.config) | dict(given))
        return Order(config, before.payload, before.progress)

    def resumed(self, before: Order, now_ms: int) -> Order:
        """Return what a feed is to do that was paused: tell also of what has changed since."""
        return before

    def shown(self, feed: Feed) -> dict[str, Any]:
        """Return what READ shows; of passwords nothing."""
        return {"name": feed.trigger, "namespace": feed.namespace} | dict(feed.config)

    def answer(self, feed: Feed) -> dict[str, Any]:
        """Return what CREATE says beside that it went well: nothing."""
        return {}

    async def follow(self, feed: Feed) -> None:
        """Fire for each change, until the feed is to end. Raises `SourceAway`, `NotKnown`."""
        found: Feed | None = await self._registry.get(feed.doc_id)
        while found is not None and found.status.active and found.uid == feed.uid:
            found = await self._fired(found, await self._changes(found))

    async def _changes(self, feed: Feed) -> Mapping[str, Any]:
        """Return some changes, or after a while none. Raises `SourceAway`."""
        config = feed.config
        query: dict[str, str] = {
            "feed": "longpoll",
            "since": _text(feed.progress["since"]),
            "limit": str(MOST_CHANGES),
            "timeout": str(int(WAIT_S * 1000)),
        }
        if config.get("filter"):
            told = config.get("query_params") or {}
            query = {name: _text(value) for name, value in told.items()} | query
            query["filter"] = config["filter"]
        sealed = feed.progress.get("auth")
        auth = self._seal.decrypt(sealed, owner=_owner(config)) if sealed else ""
        status, found = await self._ask("GET", config, auth, "/_changes", query)
        if status == _OK:
            return found
        said = found.get("reason") or found.get("error") or ""
        if status in _REFUSED:
            return {"stop": f"Automatically disabled: the database answers {status}: {said}"}
        raise SourceAway(f"The database answers {status}: {said}")

    async def _fired(self, feed: Feed, found: Mapping[str, Any]) -> Feed | None:
        """Fire for what was found, and return the feed behind that; None when it is gone."""
        if "stop" in found:
            return await self._stop(feed, found["stop"])
        count = feed.progress.get("fired", 0)
        most = feed.config.get("maxTriggers", -1)
        for each in found.get("results", ()):
            if 0 <= most <= count:
                break
            outcome = await self._firer.fire(feed, _name(each), _payload(feed, each))
            if isinstance(outcome, Stopped):
                return await self._stop(feed, outcome.message, outcome.status_code)
            count += isinstance(outcome, Accepted)
        since, now_ms = found.get("last_seq", feed.progress["since"]), self._clock.now_ms()

        def change(newest: Feed) -> Feed:
            progress = dict(newest.progress) | {"since": since, "fired": count}
            after = replace(newest, progress=progress)
            if 0 <= most <= count:
                said = "Automatically disabled after reaching max triggers."
                return disabled(after, now_ms, said)
            return after

        if since == feed.progress["since"] and count == feed.progress.get("fired", 0):
            return await self._registry.get(feed.doc_id)
        return await self._registry.change(feed.doc_id, feed.uid, change)

    async def _stop(self, feed: Feed, said: str, status: int | None = None) -> Feed | None:
        now_ms = self._clock.now_ms()
        return await self._registry.change(
            feed.doc_id,
            feed.uid,
            lambda newest: disabled(newest, now_ms, said, status_code=status),
        )

    async def _ask(
        self,
        method: Literal["GET"],
        config: Mapping[str, Any],
        auth: str,
        path: str,
        query: Mapping[str, str],
    ) -> tuple[int, dict[str, Any]]:
        sources.require(self._allowed, config["host"], config["port"])
        root = f"{config['protocol']}://{config['host']}:{config['port']}"
        url = f"{root}/{quote(config['dbname'], safe='')}{path}"
        login = aiohttp.BasicAuth(*auth.split(":", 1)) if auth else None
        timeout = aiohttp.ClientTimeout(total=WAIT_S + ANSWER_S, sock_connect=ANSWER_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auth=login) as session,
                # Not to where the database would send it: that is nowhere that was allowed.
                session.request(method, url, params=query, allow_redirects=False) as answer,
            ):
                return answer.status, _object(await _read(answer.content))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SourceAway(
                f"{root} does not answer: {str(error) or type(error).__name__}"
            ) from error


async def _read(content: aiohttp.StreamReader) -> bytes:
    read = bytearray()
    async for piece in content.iter_any():
        read += piece
        if len(read) > MAX_ANSWER_BYTES:
            raise SourceAway(f"The database answers with more than {MAX_ANSWER_BYTES} bytes.")
    return bytes(read)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = decode(text)
    except MalformedJson:
        return {}
    return value if isinstance(value, dict) else {}


def _new_config(given: Mapping[str, Any]) -> dict[str, Any]:
    if not given.get("dbname"):
        raise Refused("cloudant trigger feed: missing dbname parameter")
    if not given.get("host"):
        raise Refused("cloudant trigger feed: missing host parameter")
    if given.get("iamApiKey"):
        raise Refused("cloudant trigger feed: iamApiKey is not known here; give username, password")
    protocol = str(given.get("protocol") or "https")
    if protocol not in _PORTS:
        raise Refused(f"protocol parameter must be one of [{', '.join(_PORTS)}].")
    try:
        most = int(given.get("maxTriggers") or -1)
    except (TypeError, ValueError) as error:
        raise Refused("maxTriggers parameter must be an integer") from error
    config = {
        "host": sources.host_in(given["host"], "host"),
        "port": sources.port_in(given.get("port") or _PORTS[protocol], "port"),
        "protocol": protocol,
        "dbname": str(given["dbname"]),
        "username": str(given.get("username") or ""),
        "since": given.get("since") or "now",
        "maxTriggers": most,
    }
    return config | _filter_in(given)


def _filter_in(given: Mapping[str, Any]) -> dict[str, Any]:
    found, query = given.get("filter"), given.get("query_params")
    if not found:
        if query:
            raise Refused(
                "The query_params parameter is only allowed if the filter parameter is defined"
            )
        return {}
    if isinstance(query, str):
        try:
            query = decode(query)
        except MalformedJson as error:
            raise Refused(
                "The query_params parameter cannot be parsed. Ensure it is valid JSON."
            ) from error
    if query is not None and not isinstance(query, dict):
        raise Refused("The query_params parameter is not a valid JSON Object")
    if len(encode(query or {})) + len(str(found)) > MAX_QUERY_BYTES:
        raise Refused(f"filter and query_params have {MAX_QUERY_BYTES} bytes at most")
    return {"filter": str(found), "query_params": query or {}}


def _auth_in(given: Mapping[str, Any]) -> str:
    user, password = given.get("username") or "", given.get("password") or ""
    if bool(user) != bool(password) or ":" in str(user):
        raise Refused("cloudant trigger feed: Must specify parameter/s of username/password")
    return f"{user}:{password}" if user else ""


def _owner(config: Mapping[str, Any]) -> str:
    return f"{config['host']}:{config['port']}/{config['dbname']}"


def _payload(feed: Feed, change: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: change[name] for name in ("id", "seq", "changes", "deleted") if name in change}
    return shown | {"dbname": feed.config["dbname"]}


def _name(change: Mapping[str, Any]) -> str:
    told = encode([change.get("id"), change.get("changes"), change.get("deleted")])
    return blake2b(told, digest_size=16).hexdigest()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()
