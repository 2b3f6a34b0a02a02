"""A thin client of CouchDB: requests and answers, deadlines, and when to ask again.

Ours, because it must know three things that no library says: whether a request that failed may have
been applied, what of an answer is a lasting refusal, and how an id is written into a path (every
character is escaped, and nobody else builds the path). Two pools of connections: bulks shall not
wait for readers. Nothing is sent before the databases are known to be laid out as we expect.

A read is asked again for `retry_s`, with pauses that double and have full jitter: ten lines, where
a library for retries would have to be told the same rules. A write is sent once; whether it may be
sent again is known to who sends it. When everything has failed for five seconds, reads are tried
once only, so that callers learn soon what everybody knows. After a refused password nothing is
sent for ninety seconds, and then one request alone: CouchDB locks a name after five, for every
process behind this address.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import aiohttp
from yarl import URL

from common import codec, metrics
from common.clock import Clock
from common.entropy import Entropy
from common.settings import CouchdbSettings
from common.store.couch_faults import (
    Ambiguous,
    DatabaseMissing,
    Locked,
    Refused,
    WrongPassword,
    error_of,
    pause_s,
)
from common.store.port import Denied, StoreError, StoreUnavailable

READERS: Final = 16
DEGRADED_AFTER_S: Final = 5.0
_AT_ONCE_BYTES: Final = 1 << 18
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to a request that it accepted."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body as a value. Raises `Ambiguous` for what is no JSON."""
        try:
            return codec.decode(self.body)
        except codec.MalformedJson as error:
            raise Ambiguous("The database answered something that is not JSON.") from error


class _Request(NamedTuple):
    method: str
    url: URL
    body: bytes | None
    headers: Mapping[str, str]
    total_s: float


class CouchHttp:
    """Connections to one server. Belongs to one event loop."""

    def __init__(self, settings: CouchdbSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._entropy = Entropy()
        self._root = settings.url.rstrip("/")
        self._readers = self._session(READERS)
        self._bulks = self._session(settings.bulks_in_flight)
        self._failing_since_s: float | None = None
        self.make: Callable[[str], Awaitable[bool]] | None = None
        """Told the name of a database that is missing; True when it has been made."""
        self.first: Callable[[], Awaitable[None]] | None = None
        """What has to succeed once before anything is sent. It may raise a `StoreError`."""
        self._doing_first: asyncio.Future[None] | None = None
        self._denied: Denied | None = None
        self._denied_until_s = 0.0

    def __repr__(self) -> str:
        return f"<CouchHttp degraded={self.is_degraded}>"

    @property
    def is_degraded(self) -> bool:
        """Whether nothing has succeeded for a while although it was tried."""
        since_s = self._failing_since_s
        return since_s is not None and self._clock.elapsed_s() - since_s > DEGRADED_AFTER_S

    async def read(
        self,
        method: str,
        *path: str,
        query: Mapping[str, Any] | None = None,
        value: Any = None,
    ) -> Answer:
        """Ask something that changes nothing; again, while the database is away for a moment.

        query: values are written as JSON. value: a JSON value to send.
        Raises `Missing`, `DatabaseMissing`, `StoreUnavailable`, `Denied`, `Invalid`.
        """
        body = None if value is None else codec.encode(value)
        asked = {name: codec.encode(each).decode() for name, each in (query or {}).items()}
        give_up_s = self._clock.elapsed_s() + self._settings.retry_s
        failures = 0
        while True:
            try:
                return await self._send(
                    self._readers, method, path, asked, body, _JSON, self._settings.request_s
                )
            except StoreUnavailable:
                failures += 1
                wait_s = pause_s(failures, self.jitter())
                if self.is_degraded or self._clock.elapsed_s() + wait_s >= give_up_s:
                    raise
                metrics.COUCHDB_RETRIES.inc()
            await asyncio.sleep(wait_s)

    async def greet(self, *path: str) -> None:
        """Return when the server answers, asked once: the database *path*, or the server itself.

        Raises `StoreUnavailable`, `Denied`, `Invalid`.
        """
        await self._send(
            self._readers, "GET", path or ("",), None, None, _JSON, self._settings.request_s
        )

    async def write(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Send a change, once.

        Raises `Refused` when nothing was changed, `Ambiguous` when it may have been, `Conflict`,
        `TooLarge`, `Missing`, `DatabaseMissing`, `Denied`, `Invalid`.
        """
        headers = _JSON | {"Content-Type": content_type}
        return await self._send(
            self._readers, method, path, query, body, headers, self._settings.bulk_s
        )

    async def bulk(self, database: str, body: bytes) -> Answer:
        """Send a bulk of documents, once. Raises as `write` does."""
        return await self._send(
            self._bulks,
            "POST",
            (database, "_bulk_docs"),
            None,
            body,
            _JSON,
            self._settings.bulk_s,
        )

    @asynccontextmanager
    async def feed(
        self, *path: str, query: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[AsyncIterable[bytes]]:
        """Open an answer that never ends, and give its lines.

        silence_s: the feed is dead when nothing, not even a heartbeat, came for so long.
        Raises as `read` does, also from the lines.
        """
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._settings.connect_s, sock_read=silence_s
        )
        # gzip would hold lines back until a block is full.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        await self.require_ready()
        self._require_allowed()
        async with self._session(1) as session:
            try:
                async with session.get(
                    self._url(path, query), headers=headers, timeout=timeout
                ) as response:
                    if response.status >= 400:
                        raise self._failed(response.status, await response.read())
                    self._answered()
                    yield response.content
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise self._unanswered(error) from error

    async def require_ready(self) -> None:
        """Return when what is to be done first has succeeded; who comes meanwhile waits for it.

        Raises `Refused` while the server is away, and what else the first thing raises.
        """
        while self.first is not None:
            if self._doing_first is None:
                await self._do_first(self.first)
                return
            # `wait`: who is cancelled here must not cancel what others wait for.
            doing = self._doing_first
            await asyncio.wait((doing,))
            if not doing.cancelled():
                doing.result()

    async def _do_first(self, first: Callable[[], Awaitable[None]]) -> None:
        doing = self._doing_first = asyncio.get_running_loop().create_future()
        try:
            await first()
        except asyncio.CancelledError:
            doing.cancel()
            raise
        except Exception as error:
            if isinstance(error, StoreUnavailable):  # nothing of what is asked has been sent
                error = Refused(str(error))
            doing.set_exception(error)
            doing.exception()  # seen: nobody else may be waiting
            raise error
        else:
            self.first = None
            doing.set_result(None)
        finally:
            self._doing_first = None

    def jitter(self) -> float:
        """Return a uniform number in [0, 1)."""
        return self._entropy.bits(32) / (1 << 32)

    async def close(self) -> None:
        """Let all connections go. Idempotent."""
        await self._readers.close()
        await self._bulks.close()

    def _session(self, connections: int) -> aiohttp.ClientSession:
        settings = self._settings
        headers = {}
        if settings.user is not None and settings.password is not None:
            pair = f"{settings.user}:{settings.password.get_secret_value()}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections), headers=headers, read_bufsize=1 << 18
        )
        # Else it sends a PUT or DELETE again by itself when a connection breaks, and says nothing:
        # a write would meet its own first try as somebody else's. There is no public switch.
        session._retry_connection = False
        return session

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str],
        total_s: float,
    ) -> Answer:
        request = _Request(method, self._url(path, query), body, headers, total_s)
        await self.require_ready()
        try:
            return await self._sent(session, request)
        except DatabaseMissing:
            # The server was away when we began, or somebody has given it a new disk.
            if self.make is None or not await self.make(path[0]):
                raise
        return await self._sent(session, request)

    async def _sent(self, session: aiohttp.ClientSession, asked: "_Request") -> Answer:
        self._require_allowed()
        timeout = aiohttp.ClientTimeout(total=asked.total_s, sock_connect=self._settings.connect_s)
        try:
            async with session.request(
                asked.method,
                asked.url,
                data=_sendable(asked.body),
                headers=asked.headers,
                timeout=timeout,
            ) as response:
                # Whole, also of an error: else the connection cannot be used again.
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unanswered(error) from error
        if response.status >= 400:
            raise self._failed(response.status, content)
        self._answered()
        return Answer(response.status, content)

    def _require_allowed(self) -> None:
        if self._denied is None:
            return
        now_s = self._clock.elapsed_s()
        if now_s < self._denied_until_s:
            raise type(self._denied)(str(self._denied)) from self._denied
        # This request may find out; whoever comes before its answer waits for another turn.
        self._denied_until_s = now_s + self._denied.pause_s

    def _failed(self, status: int, body: bytes) -> StoreError:
        error = error_of(status, body)
        if isinstance(error, StoreUnavailable):
            return self._unanswered(error)
        self._answered()  # it works, and says no
        if isinstance(error, (WrongPassword, Locked)):
            self._denied = error
            self._denied_until_s = self._clock.elapsed_s() + error.pause_s
        return error

    def _answered(self) -> None:
        self._failing_since_s = None
        self._denied = None

    def _unanswered(self, error: Exception) -> StoreUnavailable:
        now_s = self._clock.elapsed_s()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._denied_until_s = now_s  # nobody has looked at the password
        return error if isinstance(error, StoreUnavailable) else _away(error)

    def _url(self, path: tuple[str, ...], query: Mapping[str, str] | None) -> URL:
        text = "/".join((self._root, *(quote(part, safe="") for part in path)))
        if query:
            pairs = (f"{name}={quote(value, safe='')}" for name, value in query.items())
            text += "?" + "&".join(pairs)
        return URL(text, encoded=True)


def _sendable(body: bytes | None) -> bytes | BytesIO | None:
    # A long body at once would hold up everybody; a file is sent piece by piece.
    return BytesIO(body) if body is not None and len(body) > _AT_ONCE_BYTES else body


def _away(error: Exception) -> StoreUnavailable:
    # Before a connection is up, nothing can have been applied.
    never_sent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
    if isinstance(error, never_sent):
        return Refused(f"The database cannot be reached: {error.__class__.__name__}.")
    return Ambiguous(f"The database did not answer: {error.__class__.__name__}.")
