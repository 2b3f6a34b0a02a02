"""The system calls that the standard library does not offer, as functions that raise `OSError`.

`ctypes.PyDLL` and not `CDLL`: the calls here are short, and a raw `clone` must not happen with the
interpreter's lock given away. `clone` is raw because one call then makes the child and all its
namespaces, and the child is the first process of the new process namespace; `os.fork` with
`unshare` would need two children.
"""

from __future__ import annotations

import ctypes
import os
import platform
import select
import struct

_libc = ctypes.PyDLL(None, use_errno=True)
_long = ctypes.c_long

NEW_MOUNT, NEW_UTS, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PID, NEW_NET = 0x10000000, 0x20000000, 0x40000000
CLONE_VM, CLONE_PARENT = 0x100, 0x8000

READ_ONLY, NO_SETUID, NO_DEVICES, NO_EXEC = 1, 2, 4, 8
REMOUNT, BIND, RECURSIVE, PRIVATE = 32, 4096, 0x4000, 1 << 18
DETACH = 2

_NUMBERS = {
    "x86_64": {"clone": 56, "capset": 126, "pivot_root": 155, "mount_setattr": 442},
    "aarch64": {"clone": 220, "capset": 91, "pivot_root": 41, "mount_setattr": 442},
}
_CLONE3, _CLOSE_RANGE, _PIDFD_GETFD = 435, 436, 438  # the same everywhere
_CLONE_INTO_CGROUP = 0x200000000
_AT_RECURSIVE, _AT_FDCWD = 0x8000, -100
_SIGCHLD = 17

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 4, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_MODE_FILTER = 4, 2
_CAPABILITY_VERSION_3 = 0x20080522
_LEAVES_S = 1.0
"""How long a child that is on its way out may take to be gone."""


def _numbers() -> dict[str, int]:
    machine = platform.machine()
    if machine not in _NUMBERS:
        raise OSError(38, "no table of system calls for " + machine)
    return _NUMBERS[machine]


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, what + ": " + os.strerror(code))
    return result


def _call(what: str, number: int, *arguments: object) -> int:
    widened = (_long(each) if isinstance(each, int) else each for each in arguments)
    return _check(_libc.syscall(_long(number), *widened), what)


def _prctl(what: str, option: int, *arguments: object) -> None:
    widened = (_long(each) if isinstance(each, int) else each for each in arguments)
    padding = [_long(0)] * (4 - len(arguments))
    _check(_libc.prctl(option, *widened, *padding), "prctl " + what)


def clone(flags: int, cgroup_fd: int | None = None) -> int:
    """Fork into new namespaces, and into a cgroup (v2): 0 in the child, its pid in the parent.

    The interpreter is not told: the hooks that `os.fork` runs in a child cost 0.5 ms, and a process
    that has one thread and only sets itself up does without them. What runs users' code is made by
    `os.fork` from here.
    """
    if cgroup_fd is None:
        return _call("clone", _numbers()["clone"], flags | _SIGCHLD, 0, 0, 0, 0)
    # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, 5 more, cgroup
    signal = 0 if flags & CLONE_PARENT else _SIGCHLD  # a sibling takes after who clones
    arguments = struct.pack(
        "11Q", flags | _CLONE_INTO_CGROUP, 0, 0, 0, signal, 0, 0, 0, 0, 0, cgroup_fd
    )
    return _call("clone3", _CLONE3, arguments, len(arguments))


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def enter_network(descriptor: int) -> None:
    """Move this process into the network namespace that *descriptor* is open on."""
    _check(_libc.setns(descriptor, NEW_NET), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount *source* at *target*."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags),
        options.encode() or None,
    )  # fmt: skip
    _check(result, "mount " + (kind or source) + " at " + target)


def make_read_only(target: str) -> None:
    """Make the mounts at and below *target* read-only, without devices and set-uid programs."""
    attributes = struct.pack("4Q", READ_ONLY | NO_SETUID | NO_DEVICES, 0, 0, 0)
    try:
        _call(
            "mount_setattr", _numbers()["mount_setattr"], _AT_FDCWD, target.encode(),
            _AT_RECURSIVE, attributes, len(attributes),
        )  # fmt: skip
    except OSError as error:
        if error.errno != 38:
            raise
        _remount_read_only(target)


def _remount_read_only(target: str) -> None:
    """Do it on a kernel before 5.12, for one mount: what the host has set there must stay set."""
    kept = os.statvfs(target).f_flag & (NO_EXEC | 1024 | 2048 | 4096)
    flags = kept & NO_EXEC
    for statvfs_flag, mount_flag in ((1024, 1024), (2048, 2048), (4096, 1 << 21)):
        flags |= mount_flag if kept & statvfs_flag else 0  # noatime, nodiratime, relatime
    mount("none", target, "", BIND | REMOUNT | READ_ONLY | NO_SETUID | NO_DEVICES | flags)


def pivot_into(root: str) -> None:
    """Make the mount at *root* the root of this namespace and let go of the old one."""
    os.chdir(root)
    _call("pivot_root", _numbers()["pivot_root"], b".", b".")
    _check(_libc.umount2(b".", DETACH), "umount of the old root")
    os.chdir("/")


def die_with_parent() -> None:
    """Ask for SIGKILL when the thread that made this process ends; a change of ids clears it."""
    _prctl("PDEATHSIG", _PR_SET_PDEATHSIG, 9)


def become_subreaper() -> None:
    """Make this process the parent of its descendants' orphans."""
    _prctl("CHILD_SUBREAPER", _PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """Return the pids of this process's children, while it has one thread."""
    with open("/proc/thread-self/children") as file:
        return [int(pid) for pid in file.read().split()]


def status_at_end(pid: int) -> int:
    """Return how the child *pid* ended, 0 if it has not in time: others wait to be cloned."""
    life = os.pidfd_open(pid)
    try:
        select.select([life], [], [], _LEAVES_S)
    finally:
        os.close(life)
    return os.waitpid(pid, os.WNOHANG)[1]


def set_dumpable(dumpable: bool) -> None:
    """Let others of the same user look into this process, or not."""
    _prctl("DUMPABLE", _PR_SET_DUMPABLE, int(dumpable))


def _last_capability() -> int:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return int(file.read())


LAST_CAPABILITY = _last_capability()


def drop_capabilities() -> None:
    """Give up every capability of this process and of what it may execute."""
    for capability in range(LAST_CAPABILITY + 1):
        try:
            _prctl("CAPBSET_DROP", _PR_CAPBSET_DROP, capability)
        except PermissionError:
            # An ordinary user without namespaces: it has none, and no_new_privs keeps it so.
            break
    _prctl("CAP_AMBIENT", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _call("capset", _numbers()["capset"], header, bytes(24))


def forbid_new_privileges() -> None:
    """Make set-uid programs and file capabilities powerless from here on."""
    _prctl("NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def load_filter(program: bytes) -> None:
    """Filter the system calls of this process and its children by *program*."""
    array = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(array))
    _prctl("SECCOMP", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header)


def take_descriptor(process: int, fd: int) -> int:
    """Return a copy of what the descriptor *fd* is in the process that *process* is open on."""
    return _call("pidfd_getfd", _PIDFD_GETFD, process, fd, 0)


def close_from(first: int) -> None:
    """Close every descriptor from *first* on."""
    if _libc.syscall(_long(_CLOSE_RANGE), _long(first), _long(0xFFFFFFFF), _long(0)) < 0:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))
