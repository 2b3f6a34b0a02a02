"""Be what other sandboxes are copied from, instead of loading the same code once more.

    T ──▶ looked at ──▶ answered 200 ──▶ asleep … in a copy: awake ──▶ W ──▶ answered ──▶ R, R, …

A template has loaded its code and gets no call. It falls asleep in a read; the platform stops it
there for good, and lets copies of its memory go on from there, each in a sandbox of its own. A copy
has the memory and nothing else: not the files, the descriptors, the threads, the child processes.
So code that has left such things behind is refused, and loaded by each sandbox as ever; files below
/tmp are taken along in memory, up to a limit.

For the code it is as after `os.fork`, in a child: the hooks that modules have registered are called
(`random` is seeded anew, `logging` gets new locks), and numpy's shared generator is seeded, too.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from brisk_runtime.habitat import Habitat
from brisk_runtime.replies import INITIALISED, Reply, refusal

if TYPE_CHECKING:
    from brisk_runtime.channel import Channel
    from brisk_runtime.runner import Runner

# 32 MB: written again in some 15 ms, which is what is saved by then.
MAX_BYTES = 32 << 20
MAX_ENTRIES = 4_000
_FOLDERS = ("/tmp", "/dev/shm")
_MAX_OWN_DESCRIPTOR = 3

_exit = os._exit


class Refused(Exception):
    """The code has left something behind that a copy would not have."""


class _Entry(NamedTuple):
    path: str
    mode: int
    times_ns: tuple[int, int]
    content: bytes | str | None
    """Of a file; where a link leads to; None of a folder."""


class Template:
    """What makes a template of this process."""

    def __init__(self, channel: Channel, runner: Runner, habitat: Habitat) -> None:
        self._channel = channel
        self._runner = runner
        self._habitat = habitat

    def be(self) -> bool:
        """Answer that this is one, and sleep; True in a copy, False where that was refused."""
        try:
            _demand_solitude(self._habitat)
            entries = _packed()
        except Refused as refused:
            self._channel.answer(refusal(409, str(refused)), 0)
            return False
        kept = _Kept()
        gc.collect()
        gc.freeze()  # so that no collection touches, and thereby copies, each page of it
        self._channel.is_held = True
        _of_interpreter("PyOS_BeforeFork")()
        self._channel.answer(INITIALISED, 0)
        if not self._channel.sleep():
            _exit(0)
        _of_interpreter("PyOS_AfterFork_Child")()
        self._channel.is_held = False
        _unpack(entries)
        kept.restore()
        self._habitat.move_in()
        _seed_numpy()
        return True

    def wake(self, body: bytes) -> Reply:
        """Begin as a copy, with the variables that *body*, like that of /init, brings."""
        return self._runner.wake(body)


class _Kept:
    """What a process has beside its memory, and a copy does not have from it."""

    def __init__(self) -> None:
        self._folder = os.getcwd()
        self._umask = os.umask(0o22)
        os.umask(self._umask)
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._handlers = _handlers()

    def restore(self) -> None:
        """Have it here."""
        with contextlib.suppress(OSError):  # the code has removed the folder that it is in
            os.chdir(self._folder)
        os.umask(self._umask)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


def _of_interpreter(name: str) -> Callable[[], None]:
    """Return a function of the interpreter. Here, because only templates need `ctypes`."""
    import ctypes

    function: Callable[[], None] = getattr(ctypes.pythonapi, name)
    return function


def _demand_solitude(habitat: Habitat) -> None:
    """Raise `Refused` where there is more than memory and files."""
    if threading.active_count() > 1 or len(os.listdir("/proc/self/task")) > 1:
        raise Refused("it has started a thread")
    own = {"1", str(os.getpid())}
    if any(name.isdigit() and name not in own for name in os.listdir("/proc")):
        raise Refused("it has started a process")
    for name in os.listdir("/proc/self/fd"):
        if int(name) <= _MAX_OWN_DESCRIPTOR or int(name) in habitat.descriptors:
            continue
        with contextlib.suppress(OSError):  # the one that the folder was listed by
            raise Refused("it has left open " + os.readlink("/proc/self/fd/" + name))
    with open("/proc/self/maps", "rb") as file:
        if any(line.split(None, 2)[1][1:4:2] == b"ws" for line in file):
            raise Refused("it shares memory")
    for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        if signal.getitimer(which)[0]:
            raise Refused("it has set a timer")


def _handlers() -> dict[int, Any]:
    """Return who handles signals, as far as code of Python has a say in it."""
    found = {}
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if handler is not None and number not in (signal.SIGKILL, signal.SIGSTOP):
            found[int(number)] = handler
    return found


def _packed() -> list[_Entry]:
    """Return all files that were made. Raises `Refused`."""
    entries: list[_Entry] = []
    size = 0
    for folder in _FOLDERS:
        for path, names, files in os.walk(folder):
            for name in names + files:
                entry = _entry(os.path.join(path, name), MAX_BYTES - size)
                size += len(entry.content or b"")
                entries.append(entry)
                if len(entries) > MAX_ENTRIES:
                    raise Refused(f"it has made more than {MAX_ENTRIES} files")
    return entries


def _entry(path: str, room: int) -> _Entry:
    about = os.lstat(path)
    kind, mode = about.st_mode & 0o170000, about.st_mode & 0o7777
    times_ns = (about.st_atime_ns, about.st_mtime_ns)
    if kind == 0o040000:
        return _Entry(path, mode, times_ns, None)
    if kind == 0o120000:
        return _Entry(path, mode, times_ns, os.readlink(path))
    if kind != 0o100000:
        raise Refused("it has made what is neither file nor folder: " + path)
    if about.st_size > room:
        raise Refused(f"it has written more than {MAX_BYTES} bytes to files")
    with open(path, "rb") as file:
        return _Entry(path, mode, times_ns, file.read())


def _unpack(entries: list[_Entry]) -> None:
    """Write the files again; folders get their modes last, for files may be in them."""
    for path, mode, times_ns, content in entries:
        if content is None:
            os.makedirs(path, exist_ok=True)
        elif isinstance(content, str):
            os.symlink(content, path)
        else:
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, mode)
            os.utime(path, ns=times_ns)
    for path, mode, times_ns, content in reversed(entries):
        if content is None:
            os.chmod(path, mode)
            os.utime(path, ns=times_ns)


def _seed_numpy() -> None:
    """Give each copy numbers of its own; generators that code has made itself stay as they are."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
