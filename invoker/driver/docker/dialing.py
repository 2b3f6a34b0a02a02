"""How the platform reaches a server in a container without a network, and a container the API.

A socket keeps the network in which it was made. So a thread enters the network of the container's
first process, makes a socket there, and ends; the socket is then used like any other, on the
container's own loopback: connected to what serves there, or listened on, for the platform to pass
on what comes. No address is allotted, no port is published, and no other container has a way to it.
Only root may enter, and only where it sees the engine's processes.
"""

import asyncio
import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

_NEW_NET: Final = 0x40000000
_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 64
_ANSWER_S: Final = 2.0
_libc: Final = ctypes.CDLL(None, use_errno=True)


def network_of(pid: int) -> int:
    """Return a descriptor of the network of *pid*, which the caller closes. Raises `OSError`.

    It outlives the process; a pid may be another's by the time it is used.
    """
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if os.path.samestat(os.fstat(network), os.stat("/proc/self/ns/net")):
        os.close(network)
        raise OSError("the container has no network of its own")
    return network


def sees_processes_of(engine: Path) -> bool:
    """Tell whether the processes of who listens at *engine* are seen here. Blocks; `OSError`.

    The kernel says which process made a socket, in numbers of who asks; 0 is one that is not there.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_ANSWER_S)
        client.connect(str(engine))
        credentials = client.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
        )
    return bool(struct.unpack("3i", credentials)[0])


async def dial(network: int, port: int) -> socket.socket:
    """Return a socket that is connected to *port* on the loopback of *network*.

    Raises `OSError`.
    """
    near = await _made_in(network, _client)
    try:
        await asyncio.get_running_loop().sock_connect(near, (_LOOPBACK, port))
    except BaseException:
        near.close()
        raise
    return near


async def listen(network: int, port: int) -> socket.socket:
    """Return a socket that listens on *port* on the loopback of *network*. Raises `OSError`."""

    def make() -> socket.socket:
        return socket.create_server((_LOOPBACK, port), backlog=_BACKLOG)

    return await _made_in(network, make)


def _client() -> socket.socket:
    near = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near


async def _made_in(network: int, make: Callable[[], socket.socket]) -> socket.socket:
    made: Future[socket.socket] = Future()
    own = os.dup(network)  # *network* may be closed meanwhile
    # A thread of its own, which ends where it went: nobody has to find the way back.
    threading.Thread(target=_enter, args=(own, make, made), name="brisk-dial", daemon=True).start()
    try:
        return await asyncio.shield(asyncio.wrap_future(made))
    except asyncio.CancelledError:
        made.add_done_callback(_close)
        raise


def _enter(network: int, make: Callable[[], socket.socket], made: Future[socket.socket]) -> None:
    try:
        if _libc.setns(network, _NEW_NET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        there = make()
    except OSError as error:
        made.set_exception(error)
    else:
        made.set_result(there)
    finally:
        os.close(network)


def _close(made: Future[socket.socket]) -> None:
    if made.exception() is None:
        made.result().close()
