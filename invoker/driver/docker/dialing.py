"""How the platform reaches a server in a container that has no network at all.

A socket keeps the network in which it was made. So a thread enters the network of the container's
first process, makes a socket there, and ends; the socket is then connected like any other, to the
container's own loopback. No address is allotted, no port is published, and no other container has a
way to it. Only root may enter; the platform refuses such containers otherwise, and says so.
"""

import asyncio
import ctypes
import os
import socket
import threading
from concurrent.futures import Future
from typing import Final

_NEW_NET: Final = 0x40000000
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


async def dial(network: int, port: int) -> socket.socket:
    """Return a socket that is connected to *port* on the loopback of *network*.

    Raises `OSError`.
    """
    made: Future[socket.socket] = Future()
    own = os.dup(network)  # *network* may be closed meanwhile
    # A thread of its own, which ends where it went: nobody has to find the way back.
    threading.Thread(target=_make, args=(own, made), name="brisk-dial", daemon=True).start()
    try:
        near = await asyncio.shield(asyncio.wrap_future(made))
    except asyncio.CancelledError:
        made.add_done_callback(_close)
        raise
    try:
        await asyncio.get_running_loop().sock_connect(near, ("127.0.0.1", port))
    except BaseException:
        near.close()
        raise
    return near


def _make(network: int, made: Future[socket.socket]) -> None:
    try:
        if _libc.setns(network, _NEW_NET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        near = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        made.set_exception(error)
    else:
        made.set_result(near)
    finally:
        os.close(network)


def _close(made: Future[socket.socket]) -> None:
    if made.exception() is None:
        made.result().close()
