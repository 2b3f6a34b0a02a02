"""The platform as providers see it: its public API, with the key of the trigger that it is about.

The only client of HTTP here. Answers are read up to a bound; what is not answered in time counts as
not answered. A key is in no text that could be logged.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from common.codec import MalformedJson, decode, encode

ANSWER_S: Final = 15.0
"""How long an answer may take. A firing is answered when what it started is on a disk."""
MAX_ANSWER_BYTES: Final = 2 << 20
KEY_HEADER: Final = "X-Brisk-Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the platform answered; *status* is None when it did not."""

    status: int | None
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What is wrong, in the platform's words; empty when nothing is."""
        error = self.body.get("error")
        return error if isinstance(error, str) else ""


class Client:
    """The API at one address. Connections are made when they are needed; `close` closes them."""

    def __init__(self, url: str, *, connections: int = 64) -> None:
        self._url = url.rstrip("/")
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<Client of {self._url}>"

    async def trigger(self, namespace: str, name: str, auth: str) -> Reply:
        """Read a trigger."""
        return await self._ask("GET", namespace, "triggers", name, auth)

    async def fire(
        self, namespace: str, name: str, auth: str, payload: Mapping[str, Any], *, key: str
    ) -> Reply:
        """Fire a trigger. *key* names the firing: sent again, it is the same one."""
        return await self._ask(
            "POST", namespace, "triggers", name, auth, body=encode(dict(payload)), key=key
        )

    async def delete(self, namespace: str, collection: str, name: str, auth: str) -> Reply:
        """Delete a trigger or a rule."""
        return await self._ask("DELETE", namespace, collection, name, auth)

    async def close(self) -> None:
        """Let all connections go."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(
        self,
        method: str,
        namespace: str,
        collection: str,
        name: str,
        auth: str,
        *,
        body: bytes | None = None,
        key: str | None = None,
    ) -> Reply:
        path = "/".join(quote(part, safe="") for part in (namespace, collection, name))
        headers = {"Authorization": f"Basic {b64encode(auth.encode()).decode()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers[KEY_HEADER] = key
        try:
            async with self._open().request(
                method, f"{self._url}/api/v1/namespaces/{path}", data=body, headers=headers
            ) as answer:
                return Reply(answer.status, _object(await _read(answer.content)))
        except (aiohttp.ClientError, OSError, TimeoutError):
            return Reply(None)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(total=ANSWER_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return all of an answer; nothing of one that is too long to be one."""
    read = bytearray()
    async for piece in content.iter_any():
        read += piece
        if len(read) > MAX_ANSWER_BYTES:
            return b""
    return bytes(read)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = decode(text)
    except MalformedJson:
        return {}
    return value if isinstance(value, dict) else {}
