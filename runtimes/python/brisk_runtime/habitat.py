"""What an activation finds as its predecessor should have left it.

Code that is warm keeps its globals, on purpose. It keeps neither a changed working folder, nor
replaced or closed streams, a pending alarm, a low recursion limit or another's signal handlers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from _signal import getsignal as _getsignal  # without the enums of `signal`: 8 × 0.5 µs a run

# Above what code that closes "all" descriptors in a small loop usually reaches.
_KEPT_FD_FLOOR = 200

_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGCHLD,
)

_fstat, _chdir = os.fstat, os.chdir


class Habitat:
    """Remembers how things are after the code was loaded, and restores them after each run."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, tuple[int, int]]] = {}
        self.keep_descriptors()
        self.remember()

    def keep_descriptors(self) -> None:
        """Take fds 1 and 2 as they are now for the right ones."""
        for kept, _ in self._kept.values():
            os.close(kept)
        self._kept = {}
        for fd in (1, 2):
            kept = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _KEPT_FD_FLOOR)
            self._kept[fd] = (kept, _identity(kept))

    def adopt_descriptors(self, fds: list[int]) -> None:
        """Make *fds* the new 1 and 2, and close the old ones."""
        for target, fd in zip((1, 2), fds):
            os.dup2(fd, target, inheritable=True)
            os.close(fd)
        self.keep_descriptors()

    @property
    def descriptors(self) -> set[int]:
        """The copies of 1 and 2 that it keeps."""
        return {kept for kept, _ in self._kept.values()}

    def move_in(self) -> None:
        """Start over in another sandbox, where nothing that was kept is there."""
        self._kept = {}
        self.keep_descriptors()
        self.remember()

    def remember(self) -> None:
        """Take the present state for the right one."""
        self._folder = os.getcwd()
        self._recursion_limit = sys.getrecursionlimit()
        self._handlers = {number: _getsignal(number) for number in _SIGNALS}

    def restore(self) -> None:
        """Undo what the last activation changed."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._handlers.items():
            if _getsignal(number) != handler and handler is not None:
                signal.signal(number, handler)
        for fd, (kept, identity) in self._kept.items():
            try:
                is_intact = _identity(fd) == identity
            except OSError:
                is_intact = False
            if not is_intact:
                with contextlib.suppress(OSError):  # the kept one was closed as well
                    os.dup2(kept, fd, inheritable=True)
        if sys.getrecursionlimit() != self._recursion_limit:
            sys.setrecursionlimit(self._recursion_limit)
        with contextlib.suppress(OSError):  # the folder was removed by the code that lived in it
            _chdir(self._folder)


def _identity(fd: int) -> tuple[int, int]:
    status = _fstat(fd)
    return status.st_dev, status.st_ino
