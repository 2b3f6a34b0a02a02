"""What time it is: a port, so that tests and the simulator can own the answer.

Decisions never read a clock; shells do, once, and pass the value on.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for durations."""

    def now_ms(self) -> int:
        """Return Unix time in whole milliseconds."""
        ...

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        ...

    def elapsed_s(self) -> float:
        """Return seconds since some fixed moment; never goes back."""
        ...

    def elapsed_ns(self) -> int:
        """Return the same in nanoseconds, for what is billed."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now_ms(self) -> int:
        """Return Unix time in whole milliseconds."""
        return time.time_ns() // 1_000_000

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        return time.time_ns()

    def elapsed_s(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()

    def elapsed_ns(self) -> int:
        """Return nanoseconds of the monotonic clock."""
        return time.monotonic_ns()
