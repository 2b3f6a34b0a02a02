"""Whether a sandbox that was told to stop has stopped, where there is no freezer to say so.

Its first process stops all others with one signal; each stops when it next runs. The process table
is the only place that tells. Everything here blocks, so it is called in a thread.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

STOP_S: Final = 1.0
_POLL_S: Final = 0.001
_AT_REST: Final = frozenset("TtZX")
"""Stopped, traced, and dead in two ways; letters of the state in proc(5)."""


def wait_stopped(first_pid: int, *others: int) -> None:
    """Return when all processes below *first_pid* are at rest, or `STOP_S` is over.

    others: processes that are at home there, and not below it; with all below them.
    """
    deadline = time.monotonic() + STOP_S
    while not all(_state(pid) in _AT_REST for pid in _all_of(first_pid, *others)):
        if time.monotonic() > deadline:
            return
        time.sleep(_POLL_S)


def _all_of(first_pid: int, *others: int) -> Iterator[int]:
    yield from _below(first_pid)
    for pid in others:
        yield pid
        yield from _below(pid)


def _below(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids = [int(child) for child in children.read_text().split()]
        except OSError:  # it has ended meanwhile
            continue
        for child in pids:
            yield child
            yield from _below(child)


def _state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "X"
    return stat.rpartition(")")[2].split()[0]
