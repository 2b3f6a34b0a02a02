"""What a running platform has on this host, so that a test can see all of it go.

Sandboxes are processes, each in a control group of its own, and nothing of them is in the data
folder. They are found from the platform's process down, so two platforms are not confused.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_SESSION, _START_TIME = 3, 19  # fields of /proc/<pid>/stat, counted from the state


@dataclass(frozen=True, slots=True)
class Traces:
    """Processes (with the moment they began) and control groups of one platform."""

    processes: frozenset[tuple[int, str]]
    groups: frozenset[Path]

    def left(self) -> list[str]:
        """Return what is still there."""
        alive = [f"process {pid}" for pid, began in self.processes if _began(pid) == began]
        return sorted(alive) + sorted(str(group) for group in self.groups if group.exists())


def traces_of(pid: int) -> Traces:
    """Return what the platform *pid* has right now."""
    below = list(_below(pid))
    names = {
        part
        for child in below
        for line in _text(_PROC / str(child) / "cgroup").splitlines()
        for part in line.rpartition(":")[2].split("/")
        if part.startswith("brisk-")
    }
    groups = (
        path
        for name in names
        for path in (_CGROUPS / name, *_CGROUPS.glob(f"*/{name}"))
        if path.is_dir()
    )
    return Traces(frozenset((child, _began(child)) for child in below), frozenset(groups))


def children_of(pid: int) -> list[int]:
    """Return the living children of a process, the oldest first."""
    found = _PROC.glob(f"{pid}/task/*/children")
    return [int(child) for children in found for child in _text(children).split()]


def session_of(leader: int) -> list[int]:
    """Return the living processes of the session that *leader* began."""
    pids = [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]
    return [pid for pid in pids if (f := _fields(pid)) and f[_SESSION] == str(leader)]


def mounted_below(folder: Path) -> list[str]:
    """Return what is mounted in *folder*, as this process sees it."""
    lines = _text(_PROC / "self" / "mountinfo").splitlines()
    return [line for line in lines if line.split()[4].startswith(str(folder))]


def wait_until(holds: Callable[[], object], what: str, *, within_s: float = 5.0) -> None:
    """Return when *holds* does. Raises AssertionError with *what* when time is over."""
    give_up_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up_s, what
        time.sleep(0.01)


def _below(pid: int) -> Iterator[int]:
    for child in children_of(pid):
        yield child
        yield from _below(child)


def _began(pid: int) -> str:
    fields = _fields(pid)
    return fields[_START_TIME] if fields else "gone"


def _fields(pid: int) -> list[str]:
    """Return state and what follows it; empty for a process that has ended."""
    fields = _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return fields if fields and fields[0] != "Z" else []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended meanwhile
