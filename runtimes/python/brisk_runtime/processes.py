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
_LAST_PID = "/proc/sys/kernel/ns_last_pid"


class Processes:
    """Watches for processes beside this one and the sandbox's init."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._has_own_pids = self._pid > _INIT_PID and _leader_of_namespace() == _INIT_PID
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


def _leader_of_namespace() -> int:
    """Return the pid of the parent where that is an init made for this sandbox, else 0."""
    parent = os.getppid()
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            pids = next((line.split()[1:] for line in status if line.startswith("NSpid:")), [])
    except OSError:
        return 0
    # Of a process inside its own namespace, /proc there shows one number; the driver makes this
    # process the first child of pid 1, so a small pid with that parent is a sandbox of its own.
    return parent if len(pids) == 1 and os.getpid() < _FIRST_PIDS else 0


# The runtime is made right after its init: 2 as a rule. A host's own services start later.
_FIRST_PIDS = 10
