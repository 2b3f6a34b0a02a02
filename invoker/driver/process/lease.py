"""What one sandbox holds of this host: a slot, a cgroup, a network, a process; and its return.

Giving back is one plain call, `release`, which starts everything and waits for nothing: it can be
made from an `except` clause of a cancelled task, twice, and while the sandbox is still being made.
What has to happen later hangs on the futures of the process and of the thread pool, in this order:
the process ends, its cgroup is removed, the slot (and with it the host's user) and the network are
free again.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from common.log import logger
from invoker.driver.process.cgroup import Allowance, Group, Hierarchy
from invoker.driver.process.inside import init
from invoker.driver.process.outside import Way
from invoker.driver.process.relay import Relay
from invoker.driver.process.zygote import Clone, Zygote, ZygoteFailed

_T = TypeVar("_T")
_log: Final = logger(__name__)


class Slots:
    """Numbers of sandboxes that exist at the same time; the lowest free one is next."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: set[int] = set()

    def __repr__(self) -> str:
        return f"<Slots {len(self._taken)} of {self._count}>"

    @property
    def taken(self) -> int:
        """How many are in use."""
        return len(self._taken)

    def take(self) -> int:
        """Return a free slot. Raises `OSError` when there is none."""
        if len(self._taken) == self._count:
            raise OSError(f"{self._count} sandboxes exist already")
        slot = next(each for each in range(self._count) if each not in self._taken)
        self._taken.add(slot)
        return slot

    def give_back(self, slot: int) -> None:
        """Make *slot* free."""
        self._taken.remove(slot)


class Lease:
    """One sandbox's part of the host, from the moment its slot is taken."""

    def __init__(self, name: str, slots: Slots, threads: ThreadPoolExecutor) -> None:
        self.name = name
        self.slot = slots.take()
        self.clone: Clone | None = None
        self.way: Way | None = None
        self.relay: Relay | None = None
        self._slots = slots
        self._threads = threads
        self._zygote: Zygote | None = None
        self._group: Future[Group] | None = None
        self._is_released = False
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        state = "gone" if self._gone.done() else "released" if self._is_released else "held"
        return f"<Lease {self.name} slot={self.slot} {state}>"

    async def make_group(self, hierarchy: Hierarchy, allowance: Allowance) -> Group:
        """Make the cgroup. Raises `OSError`."""
        self._group = self._threads.submit(hierarchy.make, self.name, allowance)
        return await asyncio.wrap_future(self._group)

    def start(
        self, zygote: Zygote, request: Mapping[str, Any], descriptors: Sequence[int]
    ) -> Clone:
        """Have *zygote* make the process."""
        self._zygote = zygote
        self.clone = zygote.clone(request, descriptors)
        return self.clone

    async def graft(self, template: "Lease", timeout_s: float) -> None:
        """Have the process become a copy of the one of *template*. Raises `ZygoteFailed`."""
        clone, original = self.clone, template.clone
        if self._is_released or clone is None or original is None:
            raise ZygoteFailed("the sandbox is not there any more")
        if self._zygote is not template._zygote:
            raise ZygoteFailed("the template is of another process that sandboxes are cloned from")
        # Not in a thread: who is cancelled meanwhile would not hear what was opened.
        doors = [] if self._group is None else self._group.result().doors()
        try:
            if self._zygote is not None:
                self._zygote.graft(original, clone, doors)
        finally:
            for fd in doors:
                os.close(fd)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(clone.copied)
        except TimeoutError:
            raise ZygoteFailed("the copy took too long") from None

    async def fix(self, timeout_s: float) -> None:
        """Stop the process, a template, for good. Raises `ZygoteFailed`."""
        if self.clone is None or self._zygote is None:
            raise ZygoteFailed("there is no template")
        self._zygote.fix(self.clone)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self.clone.fixed)
        except TimeoutError:
            raise ZygoteFailed("the template could not be stopped in time") from None

    async def with_group(self, ask: Callable[[Group], _T], otherwise: _T) -> _T:
        """Return what *ask* says of the cgroup; *otherwise* if there is none, or none any more."""
        if self._group is None or self._is_released:
            return otherwise
        group = self._group.result()
        try:
            return await self.in_thread(lambda: ask(group))
        except OSError:
            return otherwise

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Return what *work*, which blocks, returns."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def release(self, end_signal: int = signal.SIGKILL) -> None:
        """Begin to give everything back. Idempotent, never raises, waits for nothing."""
        if self._is_released:
            return
        self._is_released = True
        if self.relay is not None:
            self.relay.close()
        if self.clone is None:
            self._remove_group()
            return
        self.clone.signal(end_signal)
        if self._group is not None:
            # What is frozen does not die.
            self._threads.submit(_thaw, self._group)
        self.clone.ended.add_done_callback(lambda _: self._remove_group())

    async def wait_gone(self, timeout_s: float) -> bool:
        """Tell whether everything was given back within *timeout_s*."""
        done, _ = await asyncio.wait({self._gone}, timeout=timeout_s)
        return bool(done)

    def when_gone(self, tell: Callable[["Lease"], object]) -> None:
        """Call *tell* with this lease once everything was given back."""
        self._gone.add_done_callback(lambda _: tell(self))

    def kill_zygote(self) -> None:
        """End the zygote, which does not answer, and everything it made."""
        if self._zygote is not None:
            self._zygote.kill()

    def _remove_group(self) -> None:
        if self._group is None:
            self._finish()
            return
        # Cancelled or not, a group that is being made will be there: the thread waits for it.
        removal = asyncio.wrap_future(self._threads.submit(_remove, self._group))
        removal.add_done_callback(self._on_removed)

    def _on_removed(self, removal: asyncio.Future[None]) -> None:
        if not removal.cancelled() and (error := removal.exception()) is not None:
            _log.warning("cgroup_not_removed", container_id=self.name, error=str(error))
        self._finish()

    def _finish(self) -> None:
        self._slots.give_back(self.slot)
        if self.way is not None:
            self.way.close()
        if not self._gone.done():
            self._gone.set_result(None)


def end_signal(is_isolated: bool) -> int:
    """Return what ends a sandbox: where the kernel does not take the rest along, we have to ask."""
    return signal.SIGKILL if is_isolated else init.END


def _thaw(making: Future[Group]) -> None:
    with contextlib.suppress(OSError):  # never made, or gone
        making.result().thaw()


def _remove(making: Future[Group]) -> None:
    if making.cancelled() or making.exception() is not None:
        return
    making.result().remove()
