"""One container, as the port promises it, whatever speaks inside."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Protocol, TypeVar

from common.ids import ContainerId
from common.log import logger
from invoker.driver.docker import dialing
from invoker.driver.docker.engine import Engine, EngineFailed, EngineUnreachable
from invoker.driver.docker.flags import HTTP_PORT
from invoker.driver.docker.outside import Way
from invoker.driver.docker.presence import Presence
from invoker.driver.port import CannotStart, Died, Expired, LogSink, Operation, Reply
from invoker.driver.process import cgroup

_T = TypeVar("_T")
_log: Final = logger(__name__)

EXIT_S: Final = 2.0
"""How long the engine's news of a death may lag behind the end of the channel."""
OOM_NEWS_S: Final = 0.3
"""How long its news of the reason may lag behind the death."""
DESTROY_S: Final = 4.5
ENGINE: Final = "container engine"
"""What holds a container, in the words that a caller reads."""
_POLL_S: Final = 0.02
_SIGNALLED: Final = 128
_KILLED: Final = "signal 9"


class Voice(Protocol):
    """How a container is talked to."""

    async def call(
        self,
        operation: Operation,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Send the body of `/init` or `/run` and return what came of it."""
        ...

    async def wait_closed(self) -> str:
        """Return how the container stopped talking, once it has."""
        ...

    def rest(self) -> None:
        """Prepare for a pause."""
        ...

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        ...


class DockerSandbox:
    """One container; owned by who asked the driver for it, until `destroy`."""

    def __init__(
        self,
        container_id: ContainerId,
        container: str,
        engine: Engine,
        threads: ThreadPoolExecutor,
        clean_up: Callable[["DockerSandbox"], None],
        presence: Presence,
        *,
        is_entered: bool,
    ) -> None:
        """Take over the engine's *container*.

        clean_up: called once it is gone.
        is_entered: whether its network is entered, to `dial` it or to lead it outside.
        """
        self._is_entered = is_entered
        self._container_id = container_id
        self._container = container
        self._engine = engine
        self._threads = threads
        self._clean_up = clean_up
        self._presence = presence
        self._outages = presence.outages
        self._began_in_outage = False
        self._voice: Voice | None = None
        self._group: cgroup.Group | None = None
        self._removing = asyncio.Lock()
        self._is_ending = False
        self._is_gone = False
        self._network = -1
        self.way = Way()
        """What leads it outside; gone with it."""

    def __repr__(self) -> str:
        state = "gone" if self._is_gone else "here"
        return f"<DockerSandbox {self._container_id} {self._container[:12]} {state}>"

    @property
    def container_id(self) -> ContainerId:
        """The id that was asked for."""
        return self._container_id

    @property
    def container(self) -> str:
        """The engine's id of it."""
        return self._container

    @property
    def network(self) -> int:
        """A descriptor of its network; negative where that is not entered, or it ended at once."""
        return self._network

    async def begin(self) -> None:
        """Learn where it runs on this host. Raises `EngineFailed`, `OSError`."""
        pid = (await self._engine.state(self._container)).pid
        with contextlib.suppress(OSError):  # then the engine freezes, and tells of memory
            self._group = cgroup.of_process(pid)
        if self._is_entered:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # One that ended at once is dialled in vain, and its call says how it ended.
                self._network = dialing.network_of(pid)

    async def dial(self) -> socket.socket:
        """Return a socket connected to the server in the container. Raises `OSError`."""
        return await dialing.dial(self._network, HTTP_PORT)

    def speak(self, voice: Voice) -> None:
        """Take over *voice*."""
        self._voice = voice

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
        assert self._voice is not None
        self._outages, self._began_in_outage = self._presence.outages, self._presence.is_away
        reply = await self._voice.call(
            operation,
            payload,
            timeout_s=timeout_s,
            answer_limit_bytes=answer_limit_bytes,
            logs=logs,
        )
        match reply:
            case Died(how):
                ended_ns = time.monotonic_ns()
                died = await self.explain(how)
                return replace(died, extra_ns=time.monotonic_ns() - ended_ns)
            case Expired() if await self._in_group(cgroup.Group.has_killed_for_memory):
                # A child was killed for it, and the runtime waits for that child.
                return Died("stuck after a process was killed for memory", memory_exhausted=True)
        return reply

    async def wait_death(self) -> Died:
        """Return when the container has ended by itself."""
        assert self._voice is not None
        return await self.explain(await self._voice.wait_closed())

    async def pause(self) -> None:
        """Stop all its processes: by the freezer itself, 100 times faster than by the engine."""
        if self._voice is not None:
            self._voice.rest()
        if self._is_gone or await self._in_group(_freeze):
            return
        try:
            await self._engine.pause(self._container)
        except EngineFailed as error:
            raise CannotStart(f"the container was not paused: {error}") from error

    async def resume(self) -> None:
        """Let them go on."""
        if self._is_gone or await self._in_group(_thaw):
            return
        try:
            await self._engine.unpause(self._container)
        except EngineFailed as error:
            _log.warning("container_not_resumed", container=self._container_id, why=str(error))

    async def destroy(self) -> None:
        """End it and remove what it left. Idempotent, never raises."""
        self._is_ending = True
        if self._voice is not None:
            self._voice.close()
        if self._network >= 0:
            os.close(self._network)
            self._network = -1
        try:
            async with asyncio.timeout(DESTROY_S), self._removing:
                if self._is_gone:
                    return
                await self._in_group(_thaw)  # what is frozen does not die
                await self._engine.remove(self._container)
                self._is_gone = True
        except (EngineFailed, TimeoutError) as error:
            await self._in_group(_kill)  # it must not go on until the engine is back
            # The next start, or the end of an outage, finds it by its label.
            _log.warning("container_not_removed", container=self._container_id, why=str(error))
        self.way.close()
        self._clean_up(self)

    async def explain(self, how: str) -> Died:
        """Add to *how* it stopped talking what the engine and the kernel tell."""
        # An engine that comes back ends what runs, or leaves it be; it does not say which it did.
        is_lost = self._began_in_outage or self._presence.outages != self._outages
        if self._is_ending:  # perhaps because its death was noticed elsewhere first
            return Died(how, lost_with=ENGINE if is_lost else None)
        exhausted = await self._in_group(cgroup.Group.has_killed_for_memory)
        # A broken frame says it all, and its process may go on for ever.
        if "frame" in how:
            return Died(how, memory_exhausted=exhausted)
        try:
            code = await self._engine.wait(self._container, EXIT_S)
            if code is not None:
                how = f"signal {code - _SIGNALLED}" if code > _SIGNALLED else f"exit {code}"
            exhausted = exhausted or await self._was_killed_for_memory(how)
        except EngineFailed as error:
            is_lost = is_lost or isinstance(error, EngineUnreachable)
            _log.warning("death_not_explained", container=self._container_id, why=str(error))
        is_lost = is_lost and not exhausted
        return Died(how, memory_exhausted=exhausted, lost_with=ENGINE if is_lost else None)

    async def _was_killed_for_memory(self, how: str) -> bool:
        until_s = time.monotonic() + (OOM_NEWS_S if how == _KILLED else 0)
        while True:
            if (await self._engine.state(self._container)).memory_exhausted:
                return True
            if time.monotonic() >= until_s:
                return False
            await asyncio.sleep(_POLL_S)

    async def _in_group(self, ask: Callable[[cgroup.Group], bool]) -> bool:
        """Return what *ask* says of its cgroup; False if that can't be asked."""
        group = self._group
        if group is None or self._is_gone:
            return False
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: ask(group)
            )
        except OSError:
            return False


def _freeze(group: cgroup.Group) -> bool:
    group.freeze()
    return True


def _kill(group: cgroup.Group) -> bool:
    cgroup.kill_members(group.folders["memory"])
    return True


def _thaw(group: cgroup.Group) -> bool:
    group.thaw()
    return True
