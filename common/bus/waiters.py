"""Who waits for the next message of a topic, in the order in which they came."""

import asyncio
from collections import deque


class Waiters:
    """Wakes one of those who wait for each message, not all of them. Belongs to one event loop."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Waiters {len(self._waiting)}>"

    async def wait(self) -> None:
        """Return when there may be something to take; who waits longest is woken first."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.wake_one()  # we were woken, and leave: the message is for the next one
            raise

    def wake_one(self) -> None:
        """Wake who has waited longest, if anybody waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def wake_all(self) -> None:
        """Wake everybody."""
        while self._waiting:
            self.wake_one()
