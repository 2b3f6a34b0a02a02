"""The platform's end of a zygote: starts it, asks it for clones, and hears how they ended.

All the talk is one SOCK_SEQPACKET socket, read by the event loop. A clone is known by a number
that is chosen here, so that it can be told to end before its pid has come back, and so that a
signal never goes to a pid that is somebody else's by now.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from typing import Any, Final

from common.errors import BriskError
from common.log import logger
from invoker.driver.process.host import CODE_ROOT

_log: Final = logger(__name__)

BOOT_S: Final = 10.0
"""How long a zygote may take to import everything; 60 to 300 ms is usual."""
STOP_S: Final = 2.0
EXIT_S: Final = 1.0
"""How long the news of a death may lag behind the end of the channel."""
ORPHANED: Final = "the zygote ended"
"""How a clone ended whose zygote died under it; none outlives its zygote."""
_MESSAGE_BYTES: Final = 1 << 16
_STDERR_BYTES: Final = 4096
_MOST_DESCRIPTORS: Final = 3
# The path of our code comes with the first message: a function can read its process's arguments.
_BOOT: Final = (
    "import json,socket,sys;"
    "control=socket.socket(fileno=int(sys.argv[1]));"
    f"configuration=json.loads(control.recv({_MESSAGE_BYTES}));"
    "sys.path.insert(0,configuration['code']);"
    "from invoker.driver.process.inside import zygote;"
    "zygote.main(control,configuration)"
)
_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


class ZygoteFailed(BriskError):
    """The zygote cannot do what it was asked for."""


class Clone:
    """One sandbox process as its zygote knows it. All futures are resolved in the end."""

    def __init__(self, zygote: "Zygote", number: int) -> None:
        loop = asyncio.get_running_loop()
        self._zygote = zygote
        self._number = number
        self.started: asyncio.Future[int] = loop.create_future()
        """Its pid on this host; `ZygoteFailed` if it could not be made."""
        self.ended: asyncio.Future[str] = loop.create_future()
        """How it ended: `exit 1`, `signal 9`, or why it never began."""
        self.handed_over: asyncio.Future[list[int]] = loop.create_future()
        """Of its network; cancelled if nothing came, closed in the end if nobody took it."""
        self.fixed: asyncio.Future[None] = loop.create_future()
        """Of a template: it was stopped for good. `ZygoteFailed` if it could not be."""
        self.copied: asyncio.Future[int] = loop.create_future()
        """Of a sandbox: a copy of a template is its runtime now, of this pid; or `ZygoteFailed`."""

    def signal(self, number: int) -> None:
        """Send it a signal; nothing happens when it has ended, or its zygote has."""
        self._zygote.signal(self._number, number)

    async def take_over(self, patience_s: float) -> list[int]:
        """Return the descriptors of its network, now the caller's; none if it ended, or is late."""
        await asyncio.wait({self.handed_over}, timeout=patience_s)
        if not self.handed_over.done() or self.handed_over.cancelled():
            return []
        descriptors = list(self.handed_over.result())
        self.handed_over.result().clear()
        return descriptors

    @property
    def was_killed(self) -> bool:
        """Whether it was ended by what cannot be caught, and that is known by now."""
        return self.ended.done() and self.ended.result() == f"signal {signal.SIGKILL}"

    async def reason(self, error: BriskError) -> ZygoteFailed:
        """Return what *error* says, and what is known about the end of this, which says more."""
        await asyncio.wait({self.ended}, timeout=EXIT_S)
        how = self.ended.result() if self.ended.done() else "its process goes on"
        return ZygoteFailed(f"{error}: {how}")

    NEWS_OF_TEMPLATES: Final = frozenset({"fixed", "copy", "not_copied"})

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take what is told of a template, or of what becomes a copy of one."""
        if "not_copied" in message:
            _give_up(self.copied, message["not_copied"])
        elif "copy" in message and not self.copied.done():
            self.copied.set_result(message["copy"])
        elif "fixed" in message and not self.fixed.done():
            self.fixed.set_result(None)

    def fail(self, why: str) -> None:
        """Note that it will not come up."""
        _give_up(self.started, why)
        self.end(why)

    def end(self, how: str) -> None:
        """Note how it ended; the first word counts."""
        if not self.ended.done():
            self.ended.set_result(how)
        for each in (self.fixed, self.copied):
            _give_up(each, how)
        if not self.handed_over.cancel() and not self.handed_over.cancelled():
            _close_all(self.handed_over.result())


class Zygote:
    """One zygote process. After `stop`, or its own death, it makes no more clones."""

    def __init__(self, process: Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._clones: dict[int, Clone] = {}
        self._numbers = itertools.count(1)
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_alive = True
        asyncio.get_running_loop().add_reader(control.fileno(), self._on_readable)

    @property
    def pid(self) -> int:
        """Its process on this host."""
        return self._process.pid

    def __repr__(self) -> str:
        state = "alive" if self.is_alive else "dead"
        return f"<Zygote pid={self.pid} {state} clones={len(self._clones)}>"

    @classmethod
    async def start(cls, executable: str, configuration: Mapping[str, Any]) -> "Zygote":
        """Return a zygote that is ready. Raises `ZygoteFailed`, and then leaves no process."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with its:
            try:
                process = await asyncio.create_subprocess_exec(
                    # -I, -S: nothing of the user's or of what is installed beside the interpreter.
                    *(executable, "-I", "-S", "-B", "-c", _BOOT, str(its.fileno())),
                    pass_fds=[its.fileno()],
                    env=_ENVIRONMENT,
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    stderr=PIPE,
                )
            except BaseException as error:
                ours.close()
                if isinstance(error, OSError):
                    raise ZygoteFailed(f"{executable}: {error}") from error
                raise
        zygote = cls(process, ours)
        try:
            ours.send(json.dumps({**configuration, "code": str(CODE_ROOT)}).encode())
            async with asyncio.timeout(BOOT_S):
                await zygote._ready
        except (OSError, TimeoutError, ZygoteFailed) as error:
            await zygote.stop()
            raise ZygoteFailed(await zygote._last_words() or str(error) or "no answer") from error
        except BaseException:
            zygote.kill()
            raise
        return zygote

    def clone(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> Clone:
        """Ask for a clone. *descriptors* may be closed as soon as this returns.

        request: what the inside knows; with `do` as `cast` it is a template that is made.
        """
        clone = Clone(self, next(self._numbers))
        message = json.dumps({"do": "spawn", **request, "child": clone._number}).encode()
        try:
            if not self.is_alive:
                raise BrokenPipeError("the zygote has died")
            socket.send_fds(self._control, [message], descriptors)
        except OSError as error:
            clone.fail(str(error))
        else:
            self._clones[clone._number] = clone
        return clone

    def signal(self, number: int, signal_number: int) -> None:
        """Send a signal to the clone *number*, if it is still there."""
        if number not in self._clones:
            return
        message = {"do": "signal", "child": number, "signal": signal_number}
        try:
            self._control.send(json.dumps(message).encode())
        except BlockingIOError:
            # Hundreds of requests are waiting: it hangs. Its clones die with it.
            self.kill()
        except OSError:
            self._on_death()

    def fix(self, template: Clone) -> None:
        """Have *template* stopped for good; `fixed` tells."""
        self._ask_keeper(template.fixed, {"do": "fix", "template": template._number}, ())

    def graft(self, template: Clone, clone: Clone, doors: Sequence[int]) -> None:
        """Have *clone* become a copy of *template*; `copied` tells.

        doors: descriptors through which the copy enters the cgroups of *clone*; may be closed now.
        """
        message = {"do": "graft", "template": template._number, "child": clone._number}
        self._ask_keeper(clone.copied, message, doors)

    def _ask_keeper(
        self, told: asyncio.Future[Any], message: Mapping[str, Any], doors: Sequence[int]
    ) -> None:
        try:
            if not self.is_alive:
                raise BrokenPipeError("the zygote has died")
            socket.send_fds(self._control, [json.dumps(message).encode()], doors)
        except OSError as error:
            _give_up(told, str(error))

    def kill(self) -> None:
        """End the process and all its clones at once."""
        self._on_death()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self) -> None:
        """End the process and all its clones; return when it is gone. Idempotent."""
        self._on_death()  # it leaves when it is hung up on, and takes its clones with it
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    async def _last_words(self) -> str:
        stderr = self._process.stderr
        text = b"" if stderr is None else await stderr.read(_STDERR_BYTES)
        return text.decode(errors="replace").strip()

    def _on_readable(self) -> None:
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(
                    self._control, _MESSAGE_BYTES, _MOST_DESCRIPTORS
                )
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self._on_death()
                return
            self._on_message(json.loads(message), descriptors)

    def _on_message(self, message: Mapping[str, Any], descriptors: list[int]) -> None:
        clone = self._clones.get(message.get("child", 0))
        if descriptors:
            if clone is None or clone.handed_over.done():
                _close_all(descriptors)
            else:
                clone.handed_over.set_result(descriptors)
        elif clone is None:
            self._on_own_message(message)
        elif "pid" in message:
            if not clone.started.done():
                clone.started.set_result(message["pid"])
        elif message.keys() & clone.NEWS_OF_TEMPLATES:
            clone.hear(message)
        elif "failed" in message:
            clone.fail(message["failed"])
        else:
            del self._clones[clone._number]
            how = _describe(message["exit"])
            clone.fail(how) if not clone.started.done() else clone.end(how)

    def _on_own_message(self, message: Mapping[str, Any]) -> None:
        if self._ready.done():
            return
        if "failed" in message:
            self._ready.set_exception(ZygoteFailed(message["failed"]))
        else:
            if why := message.get("not_preloaded"):
                _log.warning("modules_not_preloaded", why=why)
            self._ready.set_result(None)

    def _on_death(self) -> None:
        if not self.is_alive:
            return
        self.is_alive = False
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        if not self._ready.done():
            self._ready.set_exception(ZygoteFailed("it ended while it started"))
        for clone in self._clones.values():
            clone.fail(ORPHANED)
        self._clones.clear()


def _describe(status: int) -> str:
    """Return in words how a sandbox's first process ended; it passes its runtime's end on."""
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    code = os.WEXITSTATUS(status)
    return f"signal {code - 128}" if 128 < code <= 128 + signal.NSIG else f"exit {code}"


def _give_up(told: asyncio.Future[Any], why: str) -> None:
    if not told.done():
        told.set_exception(ZygoteFailed(why))
        told.exception()  # whoever was cancelled will not retrieve it


def _close_all(descriptors: list[int]) -> None:
    for each in descriptors:
        os.close(each)
    descriptors.clear()
