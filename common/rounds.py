"""Group commit: who comes while the disk is busy shares the next round.

A disk takes about as long for one synced write as for a hundred. So work for it is done in rounds,
one at a time, in one thread: each round takes everything that has gathered while the round before
it ran. Nobody waits for a timer, and nobody waits alone. No task is involved: a round that ends
begins the next one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeAlias, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Work: TypeAlias = Callable[[Sequence[Item]], Sequence[Result | Exception]]


class RoundsFull(Exception):
    """As many callers wait for the disk already as are allowed to."""


class RoundsClosed(Exception):
    """The disk has been let go."""


class Rounds(Generic[Item, Result]):
    """Runs *work* over what has gathered; belongs to one event loop, and owns one thread.

    work: runs in the thread; returns one result, or one error to raise, for each item in order. If
        it raises, everybody in the round is told so.
    at_once: items of one round at most.
    most_waiting: items that may wait for a round.
    """

    def __init__(
        self, work: Work[Item, Result], *, name: str, at_once: int, most_waiting: int
    ) -> None:
        self._work = work
        self._at_once = at_once
        self._most_waiting = most_waiting
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "idle" if self._idle.is_set() else "busy"
        return f"<Rounds {state} waiting={len(self._waiting)}>"

    def post(self, item: Item) -> "asyncio.Future[Result]":
        """Put *item* into the next round and return its outcome; a cancelled one is left out.

        Raises `RoundsFull`, `RoundsClosed`.
        """
        if self._is_closed:
            raise RoundsClosed
        if len(self._waiting) >= self._most_waiting:
            raise RoundsFull
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, outcome))
        if self._idle.is_set():
            self._idle.clear()
            # Not at once: what else this iteration of the loop posts joins the round.
            loop.call_soon(self._begin)
        return outcome

    async def close(self) -> None:
        """Refuse what comes, finish what has been posted, and let the thread go. Idempotent."""
        self._is_closed = True
        await self._idle.wait()
        self._thread.shutdown(wait=False)

    def _begin(self) -> None:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._at_once:
            item, outcome = self._waiting.popleft()
            if not outcome.cancelled():
                batch.append((item, outcome))
        if not batch:
            self._idle.set()
            return
        items = [item for item, _ in batch]
        loop = asyncio.get_running_loop()
        round_ = loop.run_in_executor(self._thread, self._work, items)
        round_.add_done_callback(partial(self._end, [outcome for _, outcome in batch]))

    def _end(
        self,
        outcomes: Sequence["asyncio.Future[Result]"],
        round_: "asyncio.Future[Sequence[Result | Exception]]",
    ) -> None:
        error = round_.exception()
        results = [error] * len(outcomes) if error is not None else round_.result()
        for outcome, result in zip(outcomes, results, strict=True):
            _tell(outcome, result)
        self._begin()


def _tell(outcome: "asyncio.Future[Result]", result: Result | BaseException) -> None:
    if outcome.cancelled():
        return
    if isinstance(result, BaseException):
        outcome.set_exception(result)
        outcome.exception()  # Who does not wait for it any more needs no warning about it.
    else:
        outcome.set_result(result)
