"""Reads descriptors as they become readable, and never one of them all the time.

Whoever writes without end would have the loop read without end: so after a turn that left more to
be read, a descriptor is left alone for a multiple of the time that its turn took. Its writer waits
meanwhile, and calls of everybody else are served.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeAlias

REST: Final = 3
"""How many times as long a descriptor rests as it was read: its share of the loop is a quarter."""

Take: TypeAlias = Callable[[], bool]
"""Reads once; tells whether there was more than is read at once, of what nobody waits for."""


class Readers:
    """The descriptors that one channel reads. Belongs to one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._takes: dict[int, Take] = {}
        self._resting: dict[int, asyncio.TimerHandle] = {}

    def watch(self, fd: int, take: Take) -> None:
        """Call *take* whenever *fd* can be read and has rested."""
        self._takes[fd] = take
        self._loop.add_reader(fd, self._turn, fd, take)

    def forget(self, fd: int) -> None:
        """Read *fd* no more."""
        self._takes.pop(fd, None)
        resting = self._resting.pop(fd, None)
        if resting is not None:
            resting.cancel()
        else:
            self._loop.remove_reader(fd)

    def _turn(self, fd: int, take: Take) -> None:
        began_s = time.monotonic()
        # It may have been forgotten in its turn, and even be another's by now.
        if take() and self._takes.get(fd) is take:
            rest_s = REST * (time.monotonic() - began_s)
            self._loop.remove_reader(fd)
            self._resting[fd] = self._loop.call_later(rest_s, self._go_on, fd, take)

    def _go_on(self, fd: int, take: Take) -> None:
        del self._resting[fd]
        self._loop.add_reader(fd, self._turn, fd, take)
