"""Namespaces that are ready before a sandbox needs one, and the bridge and rules they stand on.

Making one costs some milliseconds, entering one a tenth of one. So a few are kept ready, made one
after the other by a thread of their own; whoever takes one has the next made. Nothing is set up
before the first is asked for.
"""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Network
from typing import Final

from common.log import logger
from invoker.driver.egress import firewall, links, plan
from invoker.driver.egress.plan import Site

_MOST_DEAD: Final = 10
"""Of other installations, removed at one start: each takes 50 ms."""
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
        self._thread = ThreadPoolExecutor(1, "brisk-network")
        # The number that has been free for longest is next: its last user's traces are gone.
        self._free = deque(range(plan.FIRST, plan.LAST + 1))
        self._ready: deque[Network] = deque()
        self._waiting: deque[asyncio.Future[Network]] = deque()
        self._making = 0
        self._setting_up: asyncio.Future[None] | None = None
        self._claim: socket.socket | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Networks {self.site.bridge} ready={len(self._ready)} free={len(self._free)}>"

    @property
    def ready(self) -> int:
        """How many can be had at once."""
        return len(self._ready)

    async def take(self) -> Network:
        """Return a namespace of the caller's own. Raises `OSError`."""
        await self._set_up()
        if self._is_closed:
            raise OSError("the networks are closed")
        if self._ready:
            network = self._ready.popleft()
            self._refill()
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
        self._claim = self._claim or links.claim(self.site.tag)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _remove_dead, self.site)

    async def close(self) -> None:
        """Remove everything; namespaces that were taken stay their takers'. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(OSError("the networks are closed"))
        if self._setting_up is not None:
            # After everything that is still being made: there is one thread.
            loop = asyncio.get_running_loop()
            with contextlib.suppress(OSError):
                await loop.run_in_executor(self._thread, _remove, self.site)
        for network in self._ready:
            network.close()
        self._ready.clear()
        self._thread.shutdown(wait=False)
        if self._claim is not None:
            self._claim.close()

    async def _set_up(self) -> None:
        if self._setting_up is None:
            self._claim = self._claim or links.claim(self.site.tag)
            loop = asyncio.get_running_loop()
            self._setting_up = loop.run_in_executor(self._thread, _set_up, self.site)
            self._setting_up.add_done_callback(self._on_set_up)
        await asyncio.shield(self._setting_up)

    def _on_set_up(self, setting_up: asyncio.Future[None]) -> None:
        if setting_up.cancelled() or setting_up.exception() is not None:
            self._setting_up = None  # whoever comes next tries again

    def _refill(self) -> None:
        wanted = self._wanted + sum(not each.done() for each in self._waiting)
        while self._free and not self._is_closed and len(self._ready) + self._making < wanted:
            number = self._free.popleft()
            self._making += 1
            loop = asyncio.get_running_loop()
            made = loop.run_in_executor(self._thread, links.make_namespace, self.site, number)
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
        if self._is_closed:
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


def _set_up(site: Site) -> None:
    _remove(site)
    firewall.install(site)
    links.make_bridge(site)


def _remove(site: Site) -> list[str]:
    """Remove the link first: no packet finds its way while there are no rules for it."""
    removed = [f"bridge {site.bridge}"] if links.remove_bridge(site.bridge) else []
    return removed + ([f"rules of {site.tag}"] if firewall.remove(site.tag) else [])


def _remove_dead(site: Site) -> list[str]:
    """Remove what is left of *site*, and of other installations that nobody claims."""
    removed = _remove(site)
    for tag in links.idle_bridges()[:_MOST_DEAD]:
        if claim := links.claim(tag):
            with claim:
                removed += _remove(Site(tag, IPv4Network(0)))
    return removed


def remove_if_there(tag: str) -> list[str]:
    """Remove what is left of the installation *tag*, if its bridge is; return the names."""
    site = Site(tag, IPv4Network(0))
    return _remove(site) if links.is_there(site.bridge) else []
