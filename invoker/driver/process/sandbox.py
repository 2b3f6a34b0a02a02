"""One sandbox of the process driver: its channel, its process, and what the host says of both."""

import asyncio
from typing import Final

from common.ids import ContainerId
from invoker.driver.channel import Channel, Said
from invoker.driver.port import Died, Expired, LogSink, Operation, Reply
from invoker.driver.process import stopping
from invoker.driver.process.cgroup import Group
from invoker.driver.process.inside import init
from invoker.driver.process.lease import Lease, end_signal
from invoker.driver.process.zygote import EXIT_S, ORPHANED

DESTROY_S: Final = 2.0
"""After this a zygote that does not answer is killed; with the second wait, within 5 s."""
ZYGOTE: Final = "process that sandboxes are cloned from"
"""What holds a sandbox, in words for a caller."""


class ProcessSandbox:
    """One sandbox; owned by who asked the driver for it, until `destroy`."""

    def __init__(
        self, container_id: ContainerId, channel: Channel, lease: Lease, *, is_isolated: bool
    ) -> None:
        self._container_id = container_id
        self._channel = channel
        self.lease = lease
        """What it holds of this host."""
        self._is_isolated = is_isolated

    def __repr__(self) -> str:
        return f"<ProcessSandbox {self._container_id} {self._channel!r} {self.lease!r}>"

    @property
    def container_id(self) -> ContainerId:
        """The id that was asked for."""
        return self._container_id

    async def call(
        self,
        operation: Operation,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Send the body of `/init` or `/run`; see the port."""
        return await self.tell(
            operation,
            payload,
            timeout_s=timeout_s,
            answer_limit_bytes=answer_limit_bytes,
            logs=logs,
        )

    async def tell(
        self,
        operation: Said,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Do as `call`; the runtime may be told more."""
        reply = await self._channel.call(
            operation,
            payload,
            timeout_s=timeout_s,
            answer_limit_bytes=answer_limit_bytes,
            logs=logs,
        )
        match reply:
            case Died(how):
                return await self._explain(how)
            case Expired() if await self._has_run_out_of_memory():
                # A child was killed for it, and the runtime waits for that child.
                return Died("stuck after a process was killed for memory", memory_exhausted=True)
        return reply

    async def wait_death(self) -> Died:
        """Return when the sandbox has ended by itself."""
        return await self._explain(await self._channel.wait_closed())

    async def pause(self) -> None:
        """Stop all its processes."""
        if await self.lease.with_group(_freeze, otherwise=False):
            return
        pid = self._signal_init(init.STOP)
        if pid is not None:
            await self.lease.in_thread(lambda: stopping.wait_stopped(pid, *self._copies()))

    async def resume(self) -> None:
        """Let them go on."""
        if not await self.lease.with_group(_thaw, otherwise=False):
            self._signal_init(init.CONTINUE)

    async def destroy(self) -> None:
        """End it and remove what it left. Idempotent, never raises."""
        self._channel.close()
        self.lease.release(end_signal(self._is_isolated))
        if not await self.lease.wait_gone(DESTROY_S):
            self.lease.kill_zygote()
            await self.lease.wait_gone(DESTROY_S)

    def _signal_init(self, number: int) -> int | None:
        """Tell the first process to stop or continue the others; return its pid if it could be."""
        clone = self.lease.clone
        if not self._is_isolated or clone is None or clone.ended.done():
            return None
        clone.signal(number)
        return clone.started.result()

    def _copies(self) -> list[int]:
        """Return the pid of the copy that is the runtime, if it is one."""
        clone = self.lease.clone
        is_copy = clone is not None and clone.copied.done() and not clone.copied.exception()
        return [clone.copied.result()] if clone is not None and is_copy else []

    async def _explain(self, how: str) -> Died:
        """Add to *how* the channel ended what its process and its cgroup tell."""
        clone = self.lease.clone
        # A broken frame says it all, and its process may go on for ever.
        if clone is not None and "frame" not in how:
            await asyncio.wait({clone.ended}, timeout=EXIT_S)
            if clone.ended.done():
                how = clone.ended.result()
        exhausted = await self._has_run_out_of_memory()
        is_lost = how == ORPHANED and not exhausted
        return Died(how, memory_exhausted=exhausted, lost_with=ZYGOTE if is_lost else None)

    async def _has_run_out_of_memory(self) -> bool:
        return await self.lease.with_group(Group.has_killed_for_memory, otherwise=False)


def _freeze(group: Group) -> bool:
    group.freeze()
    return True


def _thaw(group: Group) -> bool:
    group.thaw()
    return True
