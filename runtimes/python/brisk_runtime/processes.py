"""Whether an activation left processes behind.

In a sandbox with processes of its own (this one is not alone with pid 1), every other number in
`/proc` is such a process. `ns_last_pid` says in one read whether any process or thread was made at
all since it was last looked at, which nearly always spares the listing. Elsewhere only direct
children are known.
"""

from __future__ import annotations

import os
import subprocess

_INIT_PID = 1
# 2 as a rule: the runtime is made right after its init. A host's own services come later.
_HIGHEST_FIRST_PID = 9
_LAST_PID = "/proc/sys/kernel/ns_last_pid"


class Processes:
    """Watches for processes beside this one and the sandbox's init."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._has_own_pids = _has_own_pids()
        self._last_pid_fd: int | None = None
        self._seen_last_pid = b""
        if self._has_own_pids:
            try:
                self._last_pid_fd = os.open(_LAST_PID, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:  # hidden by the mount of /proc, or the kernel lacks it
                self._last_pid_fd = None

    def others_alive(self) -> bool:
        """Tell whether there may be others; a zombie that nobody awaited counts."""
        if _has_children():
            _reap_abandoned()
            if _has_children():
                return True
        return self._has_own_pids and self._has_strangers()

    def _has_strangers(self) -> bool:
        last_pid = self._read_last_pid()
        if last_pid and last_pid == self._seen_last_pid:
            return False
        own = {_INIT_PID, self._pid}
        found = any(name.isdigit() and int(name) not in own for name in os.listdir("/proc"))
        self._seen_last_pid = b"" if found else last_pid
        return found

    def _read_last_pid(self) -> bytes:
        if self._last_pid_fd is None:
            return b""
        try:
            return os.pread(self._last_pid_fd, 32, 0)
        except OSError:  # closed by code that closes everything
            self._last_pid_fd = None
            return b""


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reap_abandoned() -> None:
    """Await the ended children whose `Popen` object is gone; the next `Popen` would do the same."""
    getattr(subprocess, "_cleanup", _nothing)()


def _nothing() -> None:
    """Stand in for what a later `subprocess` may lack."""


def _has_own_pids() -> bool:
    """Tell whether this is the first child of an init, and `/proc` shows what these two can see."""
    # A /proc of the host, bound in, calls this process by another number.
    pid = os.getpid()
    # A copy of a template was brought here from outside: its parent is not to be seen.
    is_first = os.getppid() == _INIT_PID or (os.getppid() == 0 and pid != _INIT_PID)
    if not is_first or pid > _HIGHEST_FIRST_PID:
        return False
    try:
        return os.readlink("/proc/self") == str(pid)
    except OSError:
        return False
