"""Which processes this installation has started, so that a successor can end what was left.

Zygotes ask the kernel to end them with the platform, so normally nothing is left. A record is the
pid together with the moment its process started and the boot it belongs to; a pid alone may be
somebody else's by the time it is read.
"""

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

_FOLDER: Final = "zygotes"
# Of what follows the name in /proc/<pid>/stat; proc(5) counts from the pid: 3 and 22.
_STATE_FIELD: Final = 0
_START_TIME_FIELD: Final = 19


def write(state_dir: Path, pid: int) -> None:
    """Note that the process *pid* is ours."""
    folder = state_dir / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(pid)).write_text(_identity(pid))


def remove(state_dir: Path, pid: int) -> None:
    """Note that it has ended."""
    (state_dir / _FOLDER / str(pid)).unlink(missing_ok=True)


def end_all(state_dir: Path) -> list[str]:
    """End each recorded process that is still the one that was recorded; return their names."""
    ended = []
    for record in sorted((state_dir / _FOLDER).glob("*")):
        if _end(int(record.name), record.read_text()):
            ended.append(f"zygote {record.name}")
        record.unlink(missing_ok=True)
    return ended


def _end(pid: int, identity: str) -> bool:
    """Tell whether *pid* was ended; the descriptor keeps the pid from meaning another process."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not identity or _identity(pid) != identity:
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        return True
    finally:
        os.close(process)


def _identity(pid: int) -> str:
    """Return what no other process has; empty if none of that pid is running."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[_STATE_FIELD] == "Z" else f"{boot} {fields[_START_TIME_FIELD]}"
