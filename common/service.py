"""How a process lives: it opens what it stands on, serves until it is told to stop, and ends.

What it stands on need not be there when it starts: it says what it waits for, and tries again.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import uvloop

from common.bus.port import BusUnavailable
from common.errors import BriskError
from common.health import Health
from common.metrics import Dependency
from common.store.port import StoreError

PAUSE_S: Final = 1.0
"""Between two attempts to open something."""

Opened = TypeVar("Opened")


class StoppedEarly(BriskError):
    """The process was told to stop before it was up."""


def run(serve: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> int:
    """Do *serve* until it ends, and return the exit code of the process.

    serve: is given what SIGTERM and Ctrl-C set; then it has to end.
    """

    async def told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(stop)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(told())
    except StoppedEarly:
        return 0
    except BriskError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  the last words of a failed start
        return 1
    return 0


async def patiently(
    health: Health,
    name: Dependency,
    open_: Callable[[], Awaitable[Opened]],
    stop: asyncio.Event,
    *,
    away: tuple[type[BriskError], ...] = (BusUnavailable, StoreError),
) -> Opened:
    """Return what *open_* opens, trying again for as long as that may help.

    health: is told how the dependency *name* is.
    away: errors that may pass by themselves; of a store's, those that say so.
    Raises `StoppedEarly` when *stop* is set meanwhile, and what *open_* raises when it is no use
    to try again.
    """
    while not stop.is_set():
        try:
            opened = await _unless(stop, open_)
        except away as error:
            if isinstance(error, StoreError) and not error.retryable:
                raise
            health.note(name, str(error))
            asked_s = error.pause_s if isinstance(error, StoreError | BusUnavailable) else None
            await _pause(stop, asked_s or PAUSE_S)
        else:
            health.note(name, "")
            return opened
    raise StoppedEarly


async def _unless(stop: asyncio.Event, open_: Callable[[], Awaitable[Opened]]) -> Opened:
    """Return what *open_* returns; break it off when *stop* is set, and raise `StoppedEarly`."""

    async def tried() -> Opened | BriskError:
        try:
            return await open_()
        except BriskError as error:
            return error

    async with asyncio.TaskGroup() as tasks:
        opening, stopping = tasks.create_task(tried()), tasks.create_task(stop.wait())
        await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        opening.cancel()
        stopping.cancel()
    if opening.cancelled():
        raise StoppedEarly
    found = opening.result()
    if isinstance(found, BriskError):
        raise found
    return found


async def _pause(stop: asyncio.Event, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await stop.wait()
    except TimeoutError:
        return


@asynccontextmanager
async def serving(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Have *work* done beside the block; it is told to end with it, and waited for."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        yield
        task.cancel()
