"""A platform on which triggers are fired, each name once, and providers that are killed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from common.clock import Clock
from controller.events.alarm_clock import AlarmClock
from controller.events.alarms import Alarms
from controller.events.cleaning import Cleaner
from controller.events.client import Reply
from controller.events.firing import Firer
from controller.events.keeper import Keeper
from controller.events.lifecycle import Lifecycle
from controller.events.registry import Registry
from controller.events.sharing import Sharing
from tests.fakes.running_api import MemoryDocs

AUTH = "a-uuid:a-key"


class LoopClock:
    """Shows the time of the event loop, from some day on; for tests in virtual time."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms

    def now_ms(self) -> int:
        return self._start_ms + round(asyncio.get_running_loop().time() * 1000)

    def now_ns(self) -> int:
        return self.now_ms() * 1_000_000

    def elapsed_s(self) -> float:
        return asyncio.get_running_loop().time()

    def elapsed_ns(self) -> int:
        return round(self.elapsed_s() * 1e9)


class OpenSeal:
    """Encrypts nothing; still, what it gives belongs to one owner."""

    def encrypt(self, text: str, *, owner: str) -> str:
        return f"{owner}={text}"

    def decrypt(self, sealed: str, *, owner: str) -> str:
        assert sealed.startswith(f"{owner}=")
        return sealed.removeprefix(f"{owner}=")


class FakePlatform:
    """Fires triggers: each name once. Says 404 for triggers that are not in *triggers*."""

    def __init__(self, *triggers: str, takes_s: float = 0.0) -> None:
        self.triggers: dict[str, list[str]] = {name: [] for name in triggers}
        """The rules of each."""
        self.done: dict[str, Mapping[str, Any]] = {}
        """What was fired, by its name."""
        self.asked: list[str] = []
        self.status: int | None = 202
        """What is answered; None is no answer."""
        self.loses_answers = 0
        """How many of the next firings are done, and not answered."""
        self.tries: Counter[str] = Counter()
        self._takes_s = takes_s

    async def fire(
        self, namespace: str, name: str, auth: str, payload: Mapping[str, Any], *, key: str
    ) -> Reply:
        assert auth == AUTH
        self.tries[key] += 1
        if self._takes_s:
            await asyncio.sleep(random.uniform(0, self._takes_s))
        if f"{namespace}/{name}" not in self.triggers:
            return Reply(404, {"error": "The requested resource does not exist."})
        if self.status == 202:
            self.done.setdefault(key, payload)
            if self._takes_s:
                await asyncio.sleep(random.uniform(0, self._takes_s))
            if self.loses_answers:
                self.loses_answers -= 1
                return Reply(None)
        return Reply(self.status, {} if self.status == 202 else {"error": "Not now."})

    async def trigger(self, namespace: str, name: str, auth: str) -> Reply:
        rules = self.triggers.get(f"{namespace}/{name}")
        if rules is None:
            return Reply(404, {"error": "The requested resource does not exist."})
        return Reply(200, {"rules": {rule: {} for rule in rules}})

    async def delete(self, namespace: str, collection: str, name: str, auth: str) -> Reply:
        self.asked.append(f"DELETE {namespace}/{collection}/{name}")
        if collection == "triggers":
            self.triggers.pop(f"{namespace}/{name}", None)
        return Reply(200)

    def times(self, uid: str | None = None) -> list[int]:
        """Return when what was fired was due, in order; *uid* is of one feed."""
        named = (key.rpartition("/") for key in self.done)
        return sorted(int(due) for of, _, due in named if uid in (None, of))


class FakeProvider:
    """One provider over *docs*, as a process would be one: it can be killed at any moment."""

    def __init__(
        self,
        docs: MemoryDocs,
        platform: FakePlatform,
        clock: Clock,
        *,
        number: int = 0,
        count: int = 1,
        holder: str = "",
        look_s: float = 3_600.0,
        round_s: float = 3.0,
    ) -> None:
        self.registry = Registry(docs, OpenSeal())
        firer = Firer(self.registry, platform, at_once=16)
        self.alarms = AlarmClock(
            self.registry, firer, Cleaner(self.registry, platform), clock, look_s=look_s
        )
        self.sharing = Sharing(
            docs, clock, number=number, count=count, holder=holder or f"provider{number}"
        )
        self.keeper = Keeper(
            self.registry, self.sharing, {"alarms": self.alarms}, clock, round_s=round_s
        )
        self.lifecycle = Lifecycle(
            self.registry, {"alarms": Alarms()}, self.keeper, platform, clock
        )

    @asynccontextmanager
    async def running(self, *, says_goodbye: bool = False) -> AsyncIterator[None]:
        """Run while inside. At the end it is gone, as by `kill -9`, unless it *says_goodbye*."""
        async with AsyncExitStack() as stack:
            if says_goodbye:
                stack.push_async_callback(self.keeper.leave)
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self.keeper.run()),
                    tasks.create_task(self.alarms.run()),
                ]
                yield
                for task in running:
                    task.cancel()
