"""Providers in processes of their own, as a controller reaches them: by HTTP.

A way for what comes from clients, no more: it is bounded, and what does not answer is said to be
away.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import aiohttp

from common.codec import encode

ANSWER_S: Final = 30.0
CONNECT_S: Final = 3.0
MAX_ANSWER_BYTES: Final = 2 << 20
_OF_THE_HOP: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "content-encoding", "expect"}
)
"""Headers of a connection: this one has its own."""
_AWAY: Final = encode({"error": "The providers of events do not answer. Try again."})


class RemoteFace:
    """The face of providers at one or several addresses, with commas between."""

    def __init__(self, urls: str) -> None:
        self._urls = [url.strip().rstrip("/") for url in urls.split(",") if url.strip()]

    def __repr__(self) -> str:
        return f"<RemoteFace {self._urls}>"

    async def feed(self, package: str, feed: str, body: bytes) -> tuple[int, bytes]:
        """Answer a feed action with a status and JSON; never raises."""
        path = f"/feeds/{quote(package, safe='')}/{quote(feed, safe='')}"
        return await self._ask(path, body, {"Content-Type": "application/json"})

    async def hook(
        self, path: tuple[str, str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Answer who calls a hook; never raises. *path*: namespace, trigger and token."""
        kept = {name: value for name, value in headers.items() if name.lower() not in _OF_THE_HOP}
        named = "/".join(quote(part, safe="") for part in path)
        return await self._ask(f"/hooks/{named}", body, kept)

    async def _ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Ask the first one that can be reached; none is asked that another may have heard."""
        # A connection for each: feeds are made now and then, and nothing is left to be closed.
        timeout = aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for url in self._urls:
                try:
                    async with session.post(url + path, data=body, headers=headers) as answer:
                        return answer.status, await _read(answer.content)
                except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
                    continue
                except (aiohttp.ClientError, OSError, TimeoutError):
                    break
        return 503, _AWAY


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return all of an answer, which is none if it is too long. Raises `ClientPayloadError`."""
    read = bytearray()
    async for piece in content.iter_any():
        read += piece
        if len(read) > MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("too long")
    return bytes(read)
