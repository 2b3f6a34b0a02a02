"""The first process of a sandbox: it starts the runtime, buries orphans, and ends when it ends.

A process namespace lives as long as its first process, so when this one leaves the kernel kills
whatever the function left running. The runtime is its child and not itself, so that orphans are
reaped, and so that a runtime killed for its memory leaves somebody who can say so.

A copy of a template (`keeper`) may take the runtime's place: told so, this process ends the runtime
and stays, until the zygote, whose child the copy is, has seen the copy's end.

Where there is no process namespace the same process is the subreaper of its descendants and has to
end them itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType
from typing import NoReturn

from invoker.driver.process.inside import confine, kernel

STOP, CONTINUE, END = signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM
REPLACE = signal.SIGHUP
_NOBODY = 0


def adopt_orphans() -> None:
    """Have descendants that lose their parent become children of this process."""
    kernel.become_subreaper()


def watch(runtime: int, owns_namespace: bool) -> None:
    """Reap until *runtime* has ended, then leave with its exit code, or 128 + its signal."""
    confine.keep_nothing_open()

    def replace(_number: int, _frame: FrameType | None) -> None:
        nonlocal runtime
        ended, runtime = runtime, _NOBODY
        if ended != _NOBODY:
            os.kill(ended, signal.SIGKILL)

    if owns_namespace:
        signal.signal(STOP, _stop_all)
        signal.signal(CONTINUE, _continue_all)
        signal.signal(REPLACE, replace)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    else:
        signal.signal(END, lambda *_: _end_all())
    while True:
        pid, status = os.waitpid(-1, 0)
        if runtime == _NOBODY:
            _bury_orphans()
        if pid == runtime:
            if not owns_namespace:
                _end_descendants()
            os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _bury_orphans() -> NoReturn:
    """Reap until we are killed: the copy is nobody's child here, so there may be none to await."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        signal.sigwaitinfo({signal.SIGCHLD})


def _stop_all(_number: int, _frame: FrameType | None) -> None:
    # -1 is everybody in the namespace but the caller, in one step of the kernel.
    os.kill(-1, signal.SIGSTOP)


def _continue_all(_number: int, _frame: FrameType | None) -> None:
    os.kill(-1, signal.SIGCONT)


def _end_all() -> None:
    _end_descendants()
    os._exit(128 + signal.SIGKILL)


def _end_descendants() -> None:
    """Kill children until there are none: orphans of a killed child become our children."""
    while True:
        for child in kernel.children():
            os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
