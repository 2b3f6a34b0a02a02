"""What a process stands on and whether it serves: what `/healthz` shows, and since when.

Each dependency is asked every second and has two to answer. A change is kept with its moment, and
logged once. A process is `starting` until everything that it needs has been there once. What goes
away after that leaves it `degraded`: it serves what it has at hand, so whoever restarts processes
that are not well, or sends nobody to them, should leave it alone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from common import metrics
from common.clock import Clock
from common.errors import BriskError
from common.log import logger
from common.metrics import Dependency

EVERY_S: Final = 1.0
ANSWER_S: Final = 2.0
"""How long a dependency may take to answer before it counts as away."""

State: TypeAlias = Literal["starting", "healthy", "degraded", "stopping"]
Check: TypeAlias = Callable[[], Awaitable[None]]
"""Returns when a dependency serves. Raises `BriskError` with the reason when it does not."""

_NOT_ASKED: Final = "It has not been asked yet."

log = logger(__name__)


class Condition(NamedTuple):
    """How one dependency is."""

    why: str
    """Why it does not serve; empty while it does."""
    since_ms: int


class Health:
    """What one process knows of itself. Belongs to one event loop."""

    def __init__(self, clock: Clock, *dependencies: Dependency) -> None:
        """Begin with *dependencies* of which nothing is known yet."""
        self._clock = clock
        self._conditions = {name: Condition(_NOT_ASKED, clock.now_ms()) for name in dependencies}
        self._phase: Literal["starting", "serving", "stopping"] = "starting"
        self._shown: State = "starting"
        self._since_ms = clock.now_ms()

    def __repr__(self) -> str:
        return f"<Health {self.state} {self.complaints}>"

    @property
    def state(self) -> State:
        """What the process is, all in all."""
        if self._phase == "serving":
            return "degraded" if self.complaints else "healthy"
        return self._phase

    @property
    def serves(self) -> bool:
        """Whether requests should be sent here. A process that is degraded serves."""
        return self._phase == "serving"

    @property
    def complaints(self) -> dict[Dependency, str]:
        """Why each dependency that does not serve does not."""
        return {name: each.why for name, each in self._conditions.items() if each.why}

    @property
    def waits_for(self) -> str:
        """What is missing of what was asked for, in a sentence for a client."""
        known = {name: why for name, why in self.complaints.items() if why != _NOT_ASKED}
        return " ".join(f"It waits for {name}: {why}" for name, why in known.items())

    def note(self, name: Dependency, why: str) -> None:
        """Remember how a dependency is; an empty *why* says that it serves."""
        before = self._conditions[name]
        if before.why == why:
            return
        if bool(before.why) == bool(why):  # as before, for another reason
            self._conditions[name] = Condition(why, before.since_ms)
        else:
            self._conditions[name] = Condition(why, self._clock.now_ms())
        if not why:
            if before.why != _NOT_ASKED:
                after_ms = self._clock.now_ms() - before.since_ms
                log.warning("dependency_serves", dependency=name, after_ms=after_ms)
        elif self._phase == "starting":
            log.warning("waits_for", dependency=name, why=why)
        else:
            log.warning("dependency_fails", dependency=name, why=why)
        self._settle()

    def begin(self) -> None:
        """Say that the process serves from now on."""
        self._phase = "serving"
        self._settle()

    def stop(self) -> None:
        """Say that the process stops, and takes no more requests."""
        self._phase = "stopping"
        self._settle()

    def document(self) -> dict[str, Any]:
        """Return what `/healthz` shows."""
        return {
            "state": self.state,
            "since": _text(self._since_ms),
            "dependencies": {
                name: {
                    "state": "degraded" if each.why else "healthy",
                    "since": _text(each.since_ms),
                    "why": each.why,
                }
                for name, each in self._conditions.items()
            },
        }

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Have the gauges show what is degraded, while inside."""
        with metrics.shown(
            {metrics.DEGRADED[name]: partial(self._is_degraded, name) for name in self._conditions}
        ):
            yield

    @asynccontextmanager
    async def watched(self, checks: Mapping[Dependency, Check]) -> AsyncIterator[None]:
        """Ask all dependencies of *checks* now, and again and again while inside."""
        async with asyncio.TaskGroup() as first:
            for name, check in checks.items():
                first.create_task(self._ask(name, check))
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(self._follow(name, check)) for name, check in checks.items()
            ]
            try:
                yield
            finally:
                for task in watching:
                    task.cancel()

    async def _follow(self, name: Dependency, check: Check) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self._ask(name, check)

    async def _ask(self, name: Dependency, check: Check) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await check()
        except TimeoutError:
            self.note(name, f"It did not answer within {ANSWER_S:g} s.")
        except BriskError as error:
            self.note(name, str(error))
        except Exception as error:  # a mistake of ours must not end the watching of the rest
            log.exception("check_broke", dependency=name)
            self.note(name, f"It cannot be asked: {error!r}.")
        else:
            self.note(name, "")

    def _is_degraded(self, name: Dependency) -> bool:
        return bool(self._conditions[name].why)

    def _settle(self) -> None:
        if self._shown != self.state:
            self._shown = self.state
            self._since_ms = self._clock.now_ms()


def _text(moment_ms: int) -> str:
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
