"""From a fresh clone to a confined process: mounts, limits, privileges, descriptors, in this order.

The order matters. Ids come before mounts, because a tmpfs belongs to who mounts it; mounts come
before capabilities are dropped; the system call filter is next to last, because it refuses most of
what happens here; and descriptors are closed last, because a failure is reported through one.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from invoker.driver.process.inside import kernel

USER = 1000
"""The user id of a function, as it sees it itself."""
_FIRST_UNUSED = 4
_OPEN_FILES = 1024
_BACKLOG = 64
_SET_BY_US = (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
_PRIVATE_TMPFS = kernel.NO_SETUID | kernel.NO_DEVICES
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41


def attach(cgroup_files: Sequence[int]) -> None:
    """Move this process into cgroups (v1) through their opened `tasks` files.

    A thread that moves itself needs no lock on its thread group: 0.05 ms for four hierarchies,
    where another process that writes our pid waits 5 to 15 ms for an RCU grace period.
    """
    for fd in cgroup_files:
        os.write(fd, b"0")


def take_user(uid: int) -> None:
    """Become *uid* with every id this process has."""
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def make_private(request: Mapping[str, Any]) -> None:
    """Mount what is the sandbox's own, and name it."""
    tmp = "mode=1777,size={tmp_mb}m,nr_inodes={tmp_inodes}".format_map(request)
    kernel.mount("tmpfs", "/tmp", "tmpfs", _PRIVATE_TMPFS, tmp)
    # As /dev/shm has it on every host; its pages count as memory of the sandbox like /tmp's.
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", _PRIVATE_TMPFS | kernel.NO_EXEC, tmp)
    kernel.mount("proc", "/proc", "proc", _PRIVATE_TMPFS | kernel.NO_EXEC)
    socket.sethostname("action")
    if request["network"] == "none":
        _raise_loopback()


def _raise_loopback() -> None:
    """Let code that serves and calls itself on 127.0.0.1 do so: a new namespace has it down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP_RUNNING))


def set_routes(messages: Sequence[str]) -> None:
    """Send the kernel *messages* of rtnetlink, encoded by the platform, about our own network."""
    if not messages:
        return
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        for message in messages:
            kernel.send(bytes.fromhex(message))
            (code,) = struct.unpack_from("i", kernel.recv(4096), 16)
            if code:
                raise OSError(-code, "a route was not set: " + os.strerror(-code))


def listen(port: int) -> socket.socket:
    """Return a socket that listens on the sandbox's loopback, for the platform to accept on."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", port))
    listener.listen(_BACKLOG)
    return listener


def limits(request: Mapping[str, Any]) -> dict[int, int]:
    """Return the limits that each process has for itself."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: request["tmp_mb"] << 20,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        # Counted per user namespace, so it is a limit of this sandbox.
        resource.RLIMIT_NPROC: request["pids"],
    }
    if request["data_mb"]:
        wanted[resource.RLIMIT_DATA] = request["data_mb"] << 20
    bounds = {}
    for which, bound in wanted.items():
        hard = resource.getrlimit(which)[1]
        bounds[which] = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    return bounds


def limit(request: Mapping[str, Any]) -> None:
    """Set them."""
    for which, bound in limits(request).items():
        resource.setrlimit(which, (bound, bound))


def give_up_privileges() -> None:
    """Drop what makes a process more than an ordinary one; there is no way back."""
    kernel.drop_capabilities()
    kernel.forbid_new_privileges()
    kernel.set_dumpable(False)


def arrange_descriptors(channel: int, stdout: int, stderr: int) -> None:
    """Put /dev/null, the two pipes and the channel at 0 to 3."""
    null = os.open("/dev/null", os.O_RDONLY)
    # Copies above the targets first: a source may be one of the targets of another.
    safe = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in (null, stdout, stderr, channel)]
    for target, fd in enumerate(safe):
        os.dup2(fd, target, inheritable=True)


def close_the_rest() -> None:
    """Close every descriptor but the four."""
    kernel.close_from(_FIRST_UNUSED)


def keep_nothing_open() -> None:
    """Let go of the four: the first process of a sandbox must not hold its pipes open."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(_FIRST_UNUSED):
        if fd != null:
            os.dup2(null, fd)
    kernel.close_from(_FIRST_UNUSED)


def replace_environment(variables: Mapping[str, str]) -> None:
    """Leave nothing of the zygote's environment and set *variables*."""
    environment = os.environ  # noqa: TID251 - the sandbox's own, no setting of ours
    environment.clear()
    environment.update(variables)


def default_signals() -> None:
    """Undo what the interpreter set, so that children of the function begin as usual."""
    signal.set_wakeup_fd(-1)
    for number in _SET_BY_US:
        signal.signal(number, signal.SIG_DFL)
