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
MAX_ANSWER_BYTES: Final = 2 << 20
_AWAY: Final = encode({"error": "The providers of events do not answer. Try again."})


class RemoteFace:
    """The face of providers at one address. Made inside of a running loop."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def __repr__(self) -> str:
        return f"<RemoteFace {self._url}>"

    async def feed(self, package: str, feed: str, body: bytes) -> tuple[int, bytes]:
        """Answer a feed action with a status and JSON; never raises."""
        path = f"/feeds/{quote(package, safe='')}/{quote(feed, safe='')}"
        return await self._ask(path, body, {"Content-Type": "application/json"})

    async def _ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        # A connection for each: feeds are made now and then, and nothing is left to be closed.
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url + path, data=body, headers=headers) as answer,
            ):
                text = await answer.content.readexactly(
                    min(answer.content_length or 0, MAX_ANSWER_BYTES)
                )
                return answer.status, text
        except (aiohttp.ClientError, OSError, TimeoutError, EOFError):
            return 503, _AWAY
