"""Whether the engine is there: asked every second, and known by all who need it.

An engine that goes away for a moment, to be restarted or updated, should cost no activation that
has not begun. So who makes a container waits for it to come back, but not for longer than an outage
may last: after that everybody is told at once. What ended while it was away did so by no fault of
its own. What counts as an outage, and as its end, is the table in `outage.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from common.errors import BriskError
from common.log import logger
from invoker.driver.docker import outage
from invoker.driver.docker.engine import EngineUnreachable
from invoker.driver.docker.outage import Command, News, Outlook

REMEDY: Final = (
    "start the engine, or name its socket in BRISK_DOCKER__SOCKET; nothing else has to be done"
)

TRIES: Final = 3
"""How often something is begun that outages break off."""

Result = TypeVar("Result")

_log: Final = logger(__name__)


class Presence:
    """What is known of one engine. Belongs to one event loop."""

    def __init__(self, patience_s: float, clean_up: Callable[[], Awaitable[object]]) -> None:
        """Begin with an engine that is there.

        patience_s: how long an outage may last before nobody waits for its end.
        clean_up: removes what the engine has and nobody knows.
        """
        self._patience_s = patience_s
        self._clean_up = clean_up
        self._away_since_s: float | None = None
        self._is_there = asyncio.Event()
        self._is_there.set()
        self._outlook = Outlook.THERE
        self.outages = 0
        """How often it went away."""

    def __repr__(self) -> str:
        return f"<Presence {self._outlook.name.lower()} outages={self.outages}>"

    @property
    def is_away(self) -> bool:
        """Whether it does not answer, or has just come back."""
        return self._outlook is Outlook.AWAY

    def lost(self, why: str) -> None:
        """Note that it did not answer."""
        self._hear(News.LOST, why)

    def silent(self, why: str) -> None:
        """Note that it did not answer in time: it may be busy, unless that happens again."""
        self._hear(News.SILENT, why)

    def answered(self) -> bool:
        """Note that it answered; tell whether it has been away, and is still to be `found`."""
        return self._hear(News.ANSWERED) is Command.CLEAN_UP

    async def found(self) -> None:
        """End an outage: clean up, then let everybody go on. Raises `EngineFailed`."""
        if self.is_away:
            await self._clean_up()
            self._hear(News.CLEANED_UP)

    def _hear(self, news: News, why: str = "") -> Command | None:
        self._outlook, command, _ = outage.after(self._outlook, news)
        if command is Command.HOLD:
            self._is_there.clear()
            self._away_since_s = asyncio.get_running_loop().time()
            self.outages += 1
            _log.error("engine_is_away", why=why, remedy=REMEDY)
        elif command is Command.LET_GO:
            self._is_there.set()
            self._away_since_s = None
            _log.warning("engine_is_back")
        return command

    async def wait(self) -> None:
        """Return when it is there. Raises `EngineUnreachable` if its outage lasts too long."""
        if not self.is_away or self._away_since_s is None:
            return
        left_s = self._away_since_s + self._patience_s - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(left_s):
                await self._is_there.wait()
        except TimeoutError as error:
            why = f"the engine has been away for more than {self._patience_s:g} s"
            raise EngineUnreachable(why) from error

    async def through(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Return what *work* does, begun anew when an outage breaks it off.

        Raises what it raises, and `EngineUnreachable` if an outage lasts too long.
        """
        for _ in range(TRIES - 1):
            await self.wait()
            outages = self.outages
            try:
                return await work()
            except (BriskError, OSError) as error:
                is_noticed = self.outages != outages
                if not is_noticed and _is_of_an_outage(error):
                    self.lost(str(error.__cause__ or error))
                elif not is_noticed:
                    raise
                _log.warning("broken_off", why=str(error.__cause__ or error))
        await self.wait()
        return await work()


def _is_of_an_outage(error: Exception) -> bool:
    return any(isinstance(each, EngineUnreachable) for each in (error, error.__cause__))
