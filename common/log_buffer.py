"""Lines on their way to a log file: taken at once, written by a thread of its own.

A pipe that nobody reads, or a slow disk, blocks whoever writes to it. Here that is never the event
loop: `write` appends to a list, and one thread writes what came together, when enough has or when
the oldest line has waited long enough. The list is bounded: what does not fit is dropped, and
counted.

A process that is killed loses what was written in the last `flush_s`: a log is no record.
"""

import threading
from collections.abc import Callable
from typing import BinaryIO, Final

FLUSH_S: Final = 0.1
"""How long a line may wait for others."""
FLUSH_BYTES: Final = 64 << 10
"""Enough for one write: a pipe takes this much at a time."""
CAPACITY_BYTES: Final = 8 << 20
"""Some seconds of an angry platform; beyond it lines are dropped, and counted."""


class LogBuffer:
    """Takes lines from any thread. After `close` lines are dropped."""

    def __init__(
        self,
        stream: BinaryIO,
        *,
        dropped: Callable[[int], None],
        flush_s: float = FLUSH_S,
        flush_bytes: int = FLUSH_BYTES,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        """Start the thread.

        stream: writes all it is given (so no raw file); it is never closed here.
        dropped: told how many lines were lost, from the thread that lost them.
        """
        self._stream = stream
        self._dropped = dropped
        self._flush_s = flush_s
        self._flush_bytes = flush_bytes
        self._capacity_bytes = capacity_bytes
        self._lines: list[bytes] = []
        self._size_bytes = 0
        self._due = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes, *, urgent: bool = False) -> None:
        """Take one line, which ends with a line break; *urgent* ones do not wait for others."""
        with self._changed:
            taken = not self._closing and self._size_bytes + len(line) <= self._capacity_bytes
            if taken:
                is_first = not self._lines
                self._lines.append(line)
                self._size_bytes += len(line)
                self._due = self._due or urgent or self._size_bytes >= self._flush_bytes
                if is_first or self._due:
                    self._changed.notify()
        if not taken:
            self._dropped(1)

    def close(self, deadline_s: float = 5.0) -> None:
        """Write what is left, at most for *deadline_s*. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(deadline_s)

    def _run(self) -> None:
        while lines := self._take():
            try:
                self._stream.write(b"".join(lines))
                self._stream.flush()
            except (OSError, ValueError):  # a full disk, a pipe without a reader, a closed file
                self._dropped(len(lines))

    def _take(self) -> list[bytes]:
        """Wait for lines and return them; none means that the buffer is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closing)
            self._changed.wait_for(lambda: self._due or self._closing, timeout=self._flush_s)
            lines, self._lines = self._lines, []
            self._size_bytes, self._due = 0, False
            return lines
