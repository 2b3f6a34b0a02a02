"""Who waits until a record that is on its way has arrived."""

import asyncio

from common.store.days import Key


class Arrivals:
    """Belongs to one event loop; whoever writes records tells it of each that has arrived."""

    def __init__(self) -> None:
        self._awaited: dict[Key, asyncio.Event] = {}

    def __repr__(self) -> str:
        return f"<Arrivals awaited={len(self._awaited)}>"

    async def wait(self, key: Key) -> None:
        """Return when `tell` is called for *key*."""
        await self._awaited.setdefault(key, asyncio.Event()).wait()

    def tell(self, key: Key) -> None:
        """Let go of everybody who waits for *key*."""
        event = self._awaited.pop(key, None)
        if event is not None:
            event.set()
