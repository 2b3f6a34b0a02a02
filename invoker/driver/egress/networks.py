"""Namespaces that are ready before a sandbox needs one.

Making one costs some milliseconds, entering one a tenth of one. So a few are kept ready, made one
after the other by the thread of their bridge; whoever takes one has the next made, a moment later
while others are left: the sandbox that took it is being made just then, and the processor is its.
Nothing is set up before the first is asked for.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from common.log import logger
from invoker.driver.egress import links, plan
from invoker.driver.egress.bridge import Bridge
from invoker.driver.egress.plan import Site

REFILL_S: Final = 0.1
"""How long after one was taken the next is made, while others are ready."""

_log: Final = logger(__name__)


class Network:
    """One namespace; whoever took it closes it when the sandbox is gone."""

    def __init__(self, number: int, descriptor: int, give_back: Callable[[int], None]) -> None:
        self.number = number
        self.descriptor = descriptor
        self._give_back = give_back

    def __repr__(self) -> str:
        return f"<Network {self.number} {'open' if self.descriptor >= 0 else 'closed'}>"

    def close(self) -> None:
        """Let go of it. Idempotent."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
            self._give_back(self.number)


class Networks:
    """The networks of one installation. Safe to use from one event loop."""

    def __init__(self, site: Site, wanted: int) -> None:
        self.site = site
        self._wanted = wanted
        self._bridge = Bridge(site)
        # The number that has been free for longest is next: its last user's traces are gone.
        self._free = deque(range(plan.FIRST, plan.LAST + 1))
        self._ready: deque[Network] = deque()
        self._waiting: deque[asyncio.Future[Network]] = deque()
        self._making = 0
        self._refilling: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Networks {self.site.bridge} ready={len(self._ready)} free={len(self._free)}>"

    @property
    def ready(self) -> int:
        """How many can be had at once."""
        return len(self._ready)

    async def take(self) -> Network:
        """Return a namespace of the caller's own. Raises `OSError`."""
        await self._bridge.up()
        if self._ready:
            network = self._ready.popleft()
            self._refill_soon()
            return network
        if not self._free and not self._making:
            raise OSError(f"{plan.LAST - plan.FIRST + 1} sandboxes have a network already")
        waiter: asyncio.Future[Network] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._refill()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                waiter.result().close()  # it came in the same turn of the loop
            raise

    async def remove_leftovers(self) -> list[str]:
        """Remove what crashed platforms left; return the names. Raises `OSError`."""
        return await self._bridge.remove_leftovers()

    async def close(self) -> None:
        """Remove everything; namespaces that were taken stay their takers'. Idempotent."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(OSError("the networks are closed"))
        if self._refilling is not None:
            self._refilling.cancel()
            self._refilling = None
        await self._bridge.close()
        for network in self._ready:
            network.close()
        self._ready.clear()

    def _refill_soon(self) -> None:
        if not self._ready:
            self._refill()
        elif self._refilling is None:
            self._refilling = asyncio.get_running_loop().call_later(REFILL_S, self._refill)

    def _refill(self) -> None:
        if self._refilling is not None:
            self._refilling.cancel()
            self._refilling = None
        wanted = self._wanted + sum(not each.done() for each in self._waiting)
        while (
            self._free and not self._bridge.is_closed and len(self._ready) + self._making < wanted
        ):
            number = self._free.popleft()
            self._making += 1
            made = self._bridge.begin(links.make_namespace, self.site, number)
            made.add_done_callback(partial(self._on_made, number))

    def _on_made(self, number: int, made: asyncio.Future[int]) -> None:
        self._making -= 1
        error = None if made.cancelled() else made.exception()
        if made.cancelled() or error is not None:
            self._free.append(number)
            _log.warning("network_not_made", bridge=self.site.bridge, why=str(error))
            # Who waits may still get one of those that are being made.
            waiting = sum(not each.done() for each in self._waiting)
            if waiting > self._making and (waiter := self._next_waiter()):
                waiter.set_exception(OSError(f"no network could be made: {error}"))
            return
        network = Network(number, made.result(), self._free.append)
        if self._bridge.is_closed:
            network.close()
        elif waiter := self._next_waiter():
            waiter.set_result(network)
        else:
            self._ready.append(network)

    def _next_waiter(self) -> asyncio.Future[Network] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None
