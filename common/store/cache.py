"""What was read from a store and is read again soon: one load for many, and something at hand.

An entry is fresh for a while; then it is loaded anew, by the first who asks. Who has an older value
at hand waits for nobody else's load, and while the store is away goes on with the old one, for a
bounded time: so what is warm stays warm without its database. What is known to have changed is
forgotten and never used again, also not then.

A load that was overtaken by a change is handed to those who wait for it, but not kept: else an old
value would outlive the new one here. That something is not there is remembered for a moment only.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from common import metrics
from common.clock import Clock
from common.store.port import Denied, Missing, StoreUnavailable

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

REFRESH_S: Final = 1.0
"""How long who has an old value at hand waits for a new one."""
ASK_AGAIN_S: Final = 5.0
"""How long the store is left alone after that."""
_MOST_ABSENT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long what was read is used."""

    fresh_s: float
    """Without a question."""
    stale_s: float = 0.0
    """After that, while the store is away."""
    absent_s: float = 0.0
    """That there was nothing."""


@dataclass(slots=True)
class _Entry(Generic[Value]):
    value: Value
    fresh_until_s: float
    usable_until_s: float


class Cache(Generic[Key, Value]):
    """Belongs to one event loop; owns no task: who asks, loads."""

    def __init__(
        self,
        load: Callable[[Key], Awaitable[Value]],
        clock: Clock,
        *,
        capacity: int,
        lifetimes: Lifetimes,
    ) -> None:
        """Keep what *load* returns, of at most *capacity* keys: those that were used last.

        load: raises `Missing` for what is not there.
        """
        self._load = load
        self._clock = clock
        self._capacity = capacity
        self._lifetimes = lifetimes
        self._entries: OrderedDict[Key, _Entry[Value]] = OrderedDict()
        self._absent_until_s: OrderedDict[Key, float] = OrderedDict()
        self._loads: dict[Key, asyncio.Future[Value]] = {}

    def __repr__(self) -> str:
        """Return how much is cached and under way."""
        return f"[{len(self._entries)} cached, {len(self._loads)} loading]"

    def fresh(self, key: Key) -> Value | None:
        """Return the value of *key* if nobody has to be asked for it, else None."""
        entry = self._entries.get(key)
        if entry is None or self._clock.elapsed_s() >= entry.fresh_until_s:
            return None
        self._entries.move_to_end(key)
        return entry.value

    def kept(self, key: Key) -> Value | None:
        """Return the value of *key* however old it is, None if there is none."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    async def get(self, key: Key) -> Value:
        """Return the value of *key*; without yielding to the loop while it is fresh.

        Raises what the load raises.
        """
        while True:
            value = self.fresh(key)
            if value is not None:
                return value
            now_s = self._clock.elapsed_s()
            if now_s < self._absent_until_s.get(key, now_s):
                raise Missing
            load = self._loads.get(key)
            stale = self._usable(key)
            if load is None:
                return await self._lead(key, stale)
            if stale is not None:
                return stale.value
            # `wait`, not `await load`: who is cancelled here must not cancel the load.
            await asyncio.wait((load,))
            if not load.cancelled():
                return load.result()

    async def reload(self, key: Key) -> Value:
        """Return what the store says now of *key*, whatever is at hand or being loaded.

        Raises what the load raises; then what is at hand stays.
        """
        return await self._lead(key, None)

    def keep(self, key: Key, value: Value) -> None:
        """Remember what *key* is now; a load of it that is under way is not kept."""
        self._loads.pop(key, None)
        self._keep(key, value)

    def expire(self, key: Key) -> None:
        """Load *key* anew when it is asked for next, and go on with what is at hand if need be."""
        self._absent_until_s.pop(key, None)
        self._loads.pop(key, None)
        if (entry := self._entries.get(key)) is not None:
            entry.fresh_until_s = self._clock.elapsed_s()

    def forget(self, key: Key) -> None:
        """Load *key* anew when it is asked for next."""
        self._entries.pop(key, None)
        self._absent_until_s.pop(key, None)
        self._loads.pop(key, None)

    def forget_where(self, is_changed: Callable[[Value], bool]) -> None:
        """Forget every value of which *is_changed*; what is being loaded is not kept either."""
        for key in [key for key, entry in self._entries.items() if is_changed(entry.value)]:
            del self._entries[key]
        self._loads.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._absent_until_s.clear()
        self._loads.clear()

    def _usable(self, key: Key) -> _Entry[Value] | None:
        entry = self._entries.get(key)
        is_usable = entry is not None and self._clock.elapsed_s() < entry.usable_until_s
        return entry if is_usable else None

    async def _lead(self, key: Key, stale: _Entry[Value] | None) -> Value:
        """Load for all who ask meanwhile; they see the same outcome, but not a cancellation."""
        load: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._loads[key] = load
        try:
            value = await self._loaded(key, stale)
        except asyncio.CancelledError:
            load.cancel()
            raise
        except Exception as error:
            if isinstance(error, Missing) and self._loads.get(key) is load:
                self._note_absent(key)
            load.set_exception(error)
            load.exception()  # Seen: nobody else may be waiting.
            raise
        else:
            load.set_result(value)
            if self._loads.get(key) is load and (stale is None or value is not stale.value):
                self._keep(key, value)
            return value
        finally:
            if self._loads.get(key) is load:
                del self._loads[key]

    async def _loaded(self, key: Key, stale: _Entry[Value] | None) -> Value:
        if stale is None:
            return await self._load(key)
        try:
            async with asyncio.timeout(REFRESH_S):
                return await self._load(key)
        except (StoreUnavailable, Denied, TimeoutError):
            metrics.STALE_READS.inc()
            stale.fresh_until_s = min(self._clock.elapsed_s() + ASK_AGAIN_S, stale.usable_until_s)
            return stale.value

    def _keep(self, key: Key, value: Value) -> None:
        fresh_until_s = self._clock.elapsed_s() + self._lifetimes.fresh_s
        self._entries[key] = _Entry(value, fresh_until_s, fresh_until_s + self._lifetimes.stale_s)
        self._entries.move_to_end(key)
        self._absent_until_s.pop(key, None)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def _note_absent(self, key: Key) -> None:
        self._entries.pop(key, None)
        if not self._lifetimes.absent_s:
            return
        self._absent_until_s[key] = self._clock.elapsed_s() + self._lifetimes.absent_s
        self._absent_until_s.move_to_end(key)
        if len(self._absent_until_s) > _MOST_ABSENT:
            self._absent_until_s.popitem(last=False)
