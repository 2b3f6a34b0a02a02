"""Cables into network namespaces that somebody else has made: those of an engine's containers.

The engine makes a container's namespace and ends it; what leads outside is plugged in by the
platform, with the same bridge, rules and routes as sandboxes of processes have.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from common.log import logger
from invoker.driver.egress import links, plan
from invoker.driver.egress.bridge import Bridge

_log: Final = logger(__name__)


class Cable:
    """One of them; whoever had it plugged in closes it when the container is gone."""

    def __init__(self, number: int, unplug: Callable[[int], None]) -> None:
        self.number = number
        self._unplug: Callable[[int], None] | None = unplug

    def __repr__(self) -> str:
        return f"<Cable {self.number} {'plugged in' if self._unplug else 'gone'}>"

    def close(self) -> None:
        """Take it out. Idempotent, waits for nothing."""
        unplug, self._unplug = self._unplug, None
        if unplug is not None:
            unplug(self.number)


class Cables:
    """The cables of one installation. Safe to use from one event loop."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        # The number that has been free for longest is next: its last user's traces are gone.
        self._free = deque(range(plan.FIRST, plan.LAST + 1))
        self._unplugging: set[asyncio.Future[None]] = set()

    def __repr__(self) -> str:
        return f"<Cables {self._bridge.site.bridge} free={len(self._free)}>"

    async def plug(self, namespace: int) -> Cable:
        """Lead *namespace* outside. Raises `OSError`."""
        await self._bridge.up()
        if not self._free:
            raise OSError(f"{plan.LAST - plan.FIRST + 1} sandboxes have a network already")
        number = self._free.popleft()
        own = os.dup(namespace)  # *namespace* may be closed meanwhile
        plugging = self._bridge.begin(links.plug, self._bridge.site, number, own)
        plugging.add_done_callback(lambda _: os.close(own))
        try:
            await asyncio.shield(plugging)
        except BaseException:
            self._unplug(number)  # after it was plugged in: there is one thread
            raise
        return Cable(number, self._unplug)

    async def close(self) -> None:
        """Return when all that were closed are out. Idempotent."""
        if self._unplugging:
            await asyncio.wait(self._unplugging)

    def _unplug(self, number: int) -> None:
        if self._bridge.is_closed:
            return  # and every cable with it
        unplugging = self._bridge.begin(links.unplug, self._bridge.site, number)
        self._unplugging.add(unplugging)
        unplugging.add_done_callback(lambda done: self._on_unplugged(number, done))

    def _on_unplugged(self, number: int, unplugging: asyncio.Future[None]) -> None:
        self._unplugging.discard(unplugging)
        if not unplugging.cancelled() and (error := unplugging.exception()) is not None:
            # Its number is not given to another: the name may still be taken.
            _log.warning("cable_not_removed", number=number, why=str(error))
        else:
            self._free.append(number)
