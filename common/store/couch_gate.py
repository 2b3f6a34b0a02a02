"""Two sides that are never inside together: bulks that write, and questions that count.

A sum over the database and over the records that are on their way there is only exact while none
arrives. So a question waits until the bulks under way have ended, and new ones wait until it is
answered. On each side many are inside at a time; the sides take turns, so neither waits for ever.
Who runs code is never held up: its record is in the spool.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

from common.store.port import StoreUnavailable

Side: TypeAlias = Literal["write", "ask"]


class Gate:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._side: Side = "write"
        self._inside = 0
        self._waiting: dict[Side, deque[asyncio.Future[None]]] = {"write": deque(), "ask": deque()}

    def __repr__(self) -> str:
        return f"<Gate {self._inside} {self._side}>"

    @asynccontextmanager
    async def enter(self, side: Side) -> AsyncIterator[None]:
        """Be inside with others of *side* only. Waits for the other side to leave."""
        await self._admitted(side)
        try:
            yield
        finally:
            self._leave()

    @asynccontextmanager
    async def quiet(self, longest_s: float) -> AsyncIterator[None]:
        """Keep bulks out while inside, for a bounded time. Raises `StoreUnavailable`."""
        try:
            async with asyncio.timeout(longest_s), self.enter("ask"):
                yield
        except TimeoutError as error:
            raise StoreUnavailable("The database is too slow to count just now.") from error

    async def _admitted(self, side: Side) -> None:
        is_free = self._inside == 0 or (self._side == side and not self._waits(_other(side)))
        if is_free:
            self._side = side
            self._inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[side].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting[side].remove(turn)
                self._let_in()
            else:
                self._leave()
            raise

    def _leave(self) -> None:
        self._inside -= 1
        self._let_in()

    def _let_in(self) -> None:
        other = _other(self._side)
        if self._inside == 0:
            self._admit(other if self._waits(other) else self._side)
        elif not self._waits(other):
            # The other side has given up, for whose turn this one had stopped entering.
            self._admit(self._side)

    def _waits(self, side: Side) -> bool:
        return any(not turn.done() for turn in self._waiting[side])

    def _admit(self, side: Side) -> None:
        self._side = side
        for turn in [turn for turn in self._waiting[side] if not turn.done()]:
            self._waiting[side].remove(turn)
            self._inside += 1
            turn.set_result(None)


def _other(side: Side) -> Side:
    return "ask" if side == "write" else "write"
