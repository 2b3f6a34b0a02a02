"""Outside for an ordinary user: a process that speaks for one sandbox, as itself.

`slirp4netns` puts an interface into the sandbox's network and makes connections of this host's out
of what comes through it; it needs no right but that of opening /dev/net/tun. It ends with the
descriptor that we hold, so a killed platform takes all of them along.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from typing import Final

PROGRAM: Final = "slirp4netns"
RESOLVER: Final = "10.0.2.3"
"""Where it answers for the resolver of this host, wherever that listens."""
READY_S: Final = 5.0
"""3 to 5 ms are usual."""
END_S: Final = 2.0
_TUNNEL: Final = "/dev/net/tun"
# No way to 127.0.0.1 of this host, and few system calls for itself. A root of its own
# (`--enable-sandbox`) it cannot have: for that, a group 0 would have to exist in the sandbox.
_OPTIONS: Final = (
    *("--configure", "--disable-host-loopback", "--enable-seccomp"),
    "--netns-type=path",
)
# A process in namespaces of its own, until it is hung up on.
_TRIAL: Final = """
import ctypes, os, sys
if ctypes.CDLL(None, use_errno=True).unshare(0x50000000):
    sys.exit(os.strerror(ctypes.get_errno()))
print("ready", flush=True)
sys.stdin.read()
"""


class Slirp:
    """The helper of one sandbox, from `start` to `close`."""

    def __init__(self, process: Process, hold: socket.socket) -> None:
        self._process = process
        self._hold = hold

    def __repr__(self) -> str:
        return f"<Slirp pid={self._process.pid}>"

    @classmethod
    async def start(cls, user_namespace: int, network: int) -> "Slirp":
        """Return a helper that works, for the namespaces of two descriptors. Raises `OSError`."""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as its:
            hold, held = _pair(ours, its)
            ready, readying = _pair(ours, its)
            process = await asyncio.create_subprocess_exec(
                *(PROGRAM, *_OPTIONS, f"--userns-path=/proc/self/fd/{user_namespace}"),
                *(f"--exit-fd={held.fileno()}", f"--ready-fd={readying.fileno()}"),
                *(f"/proc/self/fd/{network}", "tap0"),
                pass_fds=[user_namespace, network, held.fileno(), readying.fileno()],
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=PIPE,
            )
            its.close()
            slirp = cls(process, hold)
            try:
                async with asyncio.timeout(READY_S):
                    word = await asyncio.get_running_loop().sock_recv(ready, 1)
            except BaseException as error:
                slirp.close()
                if isinstance(error, TimeoutError):
                    raise OSError(f"{PROGRAM} was not ready after {READY_S:g} s") from error
                raise
            if not word:
                slirp.close()
                raise OSError(f"{PROGRAM}: {await _last_words(process)}")
            ready.close()
            ours.pop_all()
            return slirp

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self._process.returncode is not None

    def close(self) -> None:
        """Have it end. Idempotent, waits for nothing."""
        if self._hold.fileno() < 0:
            return
        self._hold.close()
        asyncio.get_running_loop().call_later(END_S, self._kill)

    async def wait_gone(self) -> None:
        """Return when it has ended, after `close`."""
        try:
            async with asyncio.timeout(END_S):
                await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()

    def _kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def _pair(
    ours: contextlib.ExitStack, its: contextlib.ExitStack
) -> tuple[socket.socket, socket.socket]:
    near, far = socket.socketpair()
    near.setblocking(False)
    return ours.enter_context(near), its.enter_context(far)


async def _last_words(process: Process) -> str:
    stderr = process.stderr
    text = b"" if stderr is None else await stderr.read(1 << 12)
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"


async def try_out() -> None:
    """Do once what sandboxes need. Raises `OSError` with the reason, and leaves nothing."""
    if shutil.which(PROGRAM) is None:
        raise FileNotFoundError(f"only root can do without {PROGRAM}, which is not installed")
    try:
        os.close(os.open(_TUNNEL, os.O_RDWR))
    except OSError as error:
        raise OSError(f"{_TUNNEL} cannot be opened: {error.strerror}") from error
    async with _somebody() as pid:
        with contextlib.ExitStack() as opened:
            namespaces = []
            for name in ("user", "net"):
                namespaces.append(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY))
                opened.callback(os.close, namespaces[-1])
            slirp = await Slirp.start(*namespaces)
        slirp.close()
        await slirp.wait_gone()


@contextlib.asynccontextmanager
async def _somebody() -> AsyncIterator[int]:
    """Yield the pid of a process in user and network namespaces of its own. Raises `OSError`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-B", "-c", _TRIAL), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(READY_S):
            assert process.stdout
            if await process.stdout.readline() != b"ready\n":
                raise OSError(f"no namespaces could be made: {await _last_words(process)}")
        yield process.pid
    except TimeoutError as error:
        raise OSError(f"namespaces were not made within {READY_S:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
