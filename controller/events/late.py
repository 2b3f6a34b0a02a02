"""The provider of an embedded platform, which comes behind the platform: its start waits for none.

What a provider is made of is imported when the platform is up. Who has a question for it before
that waits for a moment.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from common.clock import Clock
from common.codec import encode
from common.settings import EventsSettings
from common.store.port import DocStore

if TYPE_CHECKING:
    from controller.events.face import Face
    from controller.events.registry import Sealing

COMES_S: Final = 10.0
_AWAY: Final = encode({"error": "The providers of events are not up. Try again."})


class LateEvents:
    """A provider, and its face. Made inside of a running loop."""

    def __init__(
        self,
        settings: EventsSettings,
        docs: DocStore,
        leases: DocStore,
        seal: "Sealing",
        clock: Clock,
        *,
        url: str,
    ) -> None:
        """Take what `controller.events.service.Events` takes."""
        self._made_of = (settings, docs, leases, seal, clock)
        self._url = url
        self._face: asyncio.Future[Face] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<LateEvents {'up' if self._face.done() else 'coming'}>"

    async def feed(self, package: str, feed: str, body: bytes) -> tuple[int, bytes]:
        """Answer a feed action with a status and JSON; never raises."""
        face = await self._come()
        return (503, _AWAY) if face is None else await face.feed(package, feed, body)

    async def hook(
        self, path: tuple[str, str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Answer who calls a hook; never raises. *path*: namespace, trigger and token."""
        face = await self._come()
        return (503, _AWAY) if face is None else await face.hook(path, headers, body)

    async def run(self) -> None:
        """Make events until cancelled."""
        from controller.events.service import Events

        events = Events(*self._made_of, url=self._url)
        self._face.set_result(events.face)
        await events.run()

    async def _come(self) -> "Face | None":
        try:
            async with asyncio.timeout(COMES_S):
                return await asyncio.shield(self._face)
        except TimeoutError:
            return None
