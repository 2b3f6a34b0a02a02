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
from common.log import logger
from common.store.port import LayoutUnknown, StoreError

PAUSE_S: Final = 1.0
"""Between two attempts to open something."""

Opened = TypeVar("Opened")

log = logger(__name__)


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
    name: str, open_: Callable[[], Awaitable[Opened]], stop: asyncio.Event
) -> Opened:
    """Return what *open_* opens, trying again for as long as it is away.

    name: what is waited for, as an operator calls it.
    Raises `StoppedEarly` when *stop* is set meanwhile; `LayoutUnknown`, for no wait mends that.
    """
    while not stop.is_set():
        try:
            return await open_()
        except LayoutUnknown:
            raise
        except (BusUnavailable, StoreError) as error:
            log.warning("waits_for", dependency=name, why=str(error))
            await _pause(stop)
    raise StoppedEarly


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(PAUSE_S):
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
