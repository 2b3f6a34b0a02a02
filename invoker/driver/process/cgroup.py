"""Limits on all processes of a sandbox together: cgroups of either version, where writable.

Each sandbox has a group of its own below one group of this installation, so that a predecessor's
leavings are found by membership and not by name. In version 1 a group is a folder in each of four
hierarchies, in version 2 it is one folder. Everything here blocks (for 0.1 ms a step, and for
longer while another process attaches), so it is called in a thread.

How a process gets in without the milliseconds that an attach from outside costs: version 1, the
clone writes `0` into the opened `tasks` files; version 2, it is cloned into the opened folder.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from common.log import logger

PERIOD_US: Final = 100_000  # the kernel's own default
REMOVE_S: Final = 3.0
"""How long a removal waits for processes that are already being killed."""
FREEZE_S: Final = 1.0
_POLL_S: Final = 0.002
_CONTROLLERS: Final = ("memory", "pids", "cpu", "freezer")
_log: Final = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one sandbox may use."""

    memory_mb: int
    pids: int
    cpu_percent: int = 100
    """Of one core."""


@dataclass(frozen=True, slots=True)
class Group:
    """The cgroup of one sandbox; *folders* maps each controller to its folder."""

    version: Literal["v1", "v2"]
    folders: Mapping[str, Path]

    def open(self) -> list[int]:
        """Return descriptors through which a clone gets in; the caller closes them."""
        if self.version == "v2":
            return [os.open(self.folders["memory"], os.O_RDONLY | os.O_DIRECTORY)]
        return [os.open(folder / "tasks", os.O_WRONLY) for folder in self.folders.values()]

    def doors(self) -> list[int]:
        """Return descriptors through which a process gets in that writes `0`; to be closed."""
        if self.version == "v2":
            return [os.open(self.folders["memory"] / "cgroup.procs", os.O_WRONLY)]
        return self.open()

    def has_killed_for_memory(self) -> bool:
        """Tell whether the kernel ended a process of the group because it was full."""
        name = "memory.events" if self.version == "v2" else "memory.oom_control"
        return _counter(self.folders["memory"] / name, "oom_kill") > 0

    def freeze(self) -> None:
        """Stop every process; return when all have stopped or `FREEZE_S` is over."""
        if self.version == "v2":
            (self.folders["freezer"] / "cgroup.freeze").write_text("1")
            _wait_until(FREEZE_S, lambda: _counter(self._events, "frozen") == 1)
        else:
            state = self.folders["freezer"] / "freezer.state"
            state.write_text("FROZEN")
            _wait_until(FREEZE_S, lambda: state.read_text().strip() == "FROZEN")

    def thaw(self) -> None:
        """Let them go on."""
        if self.version == "v2":
            (self.folders["freezer"] / "cgroup.freeze").write_text("0")
        else:
            (self.folders["freezer"] / "freezer.state").write_text("THAWED")

    def remove(self) -> None:
        """End what is still inside and remove the group. Raises `OSError` if something stays."""
        with contextlib.suppress(OSError):
            self.thaw()  # a frozen process of version 1 dies only when it is thawed
        for folder in dict.fromkeys(self.folders.values()):
            _empty_and_remove(folder)

    @property
    def _events(self) -> Path:
        return self.folders["freezer"] / "cgroup.events"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The place below which this installation makes its groups."""

    version: Literal["v1", "v2"]
    roots: Mapping[str, Path]
    """Controller to the folder of this installation."""

    def make(self, name: str, allowance: Allowance) -> Group:
        """Make the group *name* with its limits in force; leave nothing of it on failure."""
        group = Group(self.version, {each: root / name for each, root in self.roots.items()})
        try:
            for folder in dict.fromkeys(group.folders.values()):
                folder.mkdir()
            for controller, file, value in _settings(self.version, allowance):
                path = group.folders[controller] / file
                if path.exists():
                    path.write_text(value)
        except OSError:
            with contextlib.suppress(OSError):
                group.remove()
            raise
        return group

    def reconcile(self) -> list[str]:
        """Remove every group that is there and return their names; what stays is said."""
        names = sorted(
            {each.name for root in self.roots.values() for each in root.iterdir() if each.is_dir()}
        )
        return [name for name in names if self._is_removed(name)]

    def _is_removed(self, name: str) -> bool:
        group = Group(self.version, {each: root / name for each, root in self.roots.items()})
        try:
            group.remove()
        except OSError as error:
            _log.error("leftover_group_stays", group=name, why=str(error),
                       remedy="end its processes, or restart this host")  # fmt: skip
            return False
        return True

    def remove(self) -> None:
        """Remove the place itself, which has to be empty."""
        for root in dict.fromkeys(self.roots.values()):
            with contextlib.suppress(FileNotFoundError):
                root.rmdir()


def find(name: str, mounts: Path = Path("/proc/self/mountinfo")) -> Hierarchy:
    """Return the place *name*, made where this host lets us. Raises `OSError` saying why not."""
    version_1, version_2 = _mounted(mounts.read_text())
    if version_2 is not None and "memory" in (version_2 / "cgroup.controllers").read_text().split():
        root = version_2 / name
        root.mkdir(exist_ok=True)
        for folder in (version_2, root):
            (folder / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        return Hierarchy("v2", dict.fromkeys(_CONTROLLERS, root))
    missing = [each for each in _CONTROLLERS if each not in version_1]
    if missing:
        raise OSError("no cgroup hierarchy is mounted for " + ", ".join(missing))
    roots = {each: version_1[each] / name for each in _CONTROLLERS}
    for root in roots.values():
        root.mkdir(exist_ok=True)
    return Hierarchy("v1", roots)


def of_process(pid: int, proc: Path = Path("/proc")) -> Group:
    """Return the group that the process *pid* is in, whoever made it. Raises `OSError`."""
    version_1, version_2 = _mounted((proc / "self/mountinfo").read_text())
    folders: dict[str, Path] = {}
    for line in (proc / str(pid) / "cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        if number == "0" and version_2 is not None and not version_1:
            return Group("v2", dict.fromkeys(_CONTROLLERS, version_2 / path.lstrip("/")))
        for name in names.split(","):
            if name in _CONTROLLERS and name in version_1:
                folders[name] = version_1[name] / path.lstrip("/")
    if len(folders) < len(_CONTROLLERS):
        raise OSError(f"the groups of process {pid} can't be seen from here")
    return Group("v1", folders)


def _mounted(mountinfo: str) -> tuple[dict[str, Path], Path | None]:
    """Return the hierarchies of version 1 by controller, and that of version 2."""
    version_1: dict[str, Path] = {}
    version_2 = None
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        where, (kind, _, options) = Path(before.split()[4]), after.split(maxsplit=2)
        if kind == "cgroup2":
            version_2 = where
        elif kind == "cgroup":
            version_1.update(dict.fromkeys(options.split(","), where))
    return version_1, version_2


def _settings(version: str, allowance: Allowance) -> Iterator[tuple[str, str, str]]:
    """Yield controller, file and value, in the order in which they have to be written."""
    memory = str(allowance.memory_mb << 20)
    pids = str(allowance.pids + 1)  # the sandbox's first process is ours
    quota_us = PERIOD_US * allowance.cpu_percent // 100
    if version == "v2":
        yield "memory", "memory.max", memory
        yield "memory", "memory.swap.max", "0"
        yield "pids", "pids.max", pids
        yield "cpu", "cpu.max", f"{quota_us} {PERIOD_US}"
    else:
        yield "memory", "memory.limit_in_bytes", memory
        # Memory and swap together: the same number leaves no room for swap.
        yield "memory", "memory.memsw.limit_in_bytes", memory
        yield "pids", "pids.max", pids
        yield "cpu", "cpu.cfs_period_us", str(PERIOD_US)
        yield "cpu", "cpu.cfs_quota_us", str(quota_us)


def _counter(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _wait_until(seconds: float, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _empty_and_remove(folder: Path) -> None:
    """Kill what is inside and remove *folder*; a group is busy until its last process is gone."""
    deadline = time.monotonic() + REMOVE_S
    while True:
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
        with contextlib.suppress(OSError):
            kill_members(folder)
        time.sleep(_POLL_S)


def kill_members(folder: Path) -> None:
    """Send SIGKILL to each process of the group at *folder*, and to nobody else.

    A pid may be another's by the time it is used, so membership is read again while a descriptor
    of the process holds its identity.
    """
    for pid in _members(folder):
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if pid in set(_members(folder)):
                signal.pidfd_send_signal(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            os.close(process)


def _members(folder: Path) -> Iterable[int]:
    return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
