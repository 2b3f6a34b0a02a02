"""A clock whose hands are moved by the test."""


class FakeClock:
    """Stands still until `advance`; satisfies `common.clock.Clock`."""

    def __init__(self, now_ms: int = 1_795_000_000_000) -> None:
        """Start at *now_ms*, some day in 2026 unless told otherwise."""
        self._now_ns = now_ms * 1_000_000
        self._elapsed_ns = 0

    def advance(self, *, ms: int = 0, s: float = 0.0) -> None:
        """Let wall time and monotonic time go on together."""
        step_ns = ms * 1_000_000 + round(s * 1_000_000_000)
        assert step_ns >= 0, "use `set_wall`: monotonic time never goes back"
        self._now_ns += step_ns
        self._elapsed_ns += step_ns

    def set_wall(self, now_ms: int) -> None:
        """Set the wall clock, as an operator or NTP does; monotonic time does not notice."""
        self._now_ns = now_ms * 1_000_000

    def now_ms(self) -> int:
        return self._now_ns // 1_000_000

    def now_ns(self) -> int:
        return self._now_ns

    def elapsed_s(self) -> float:
        return self._elapsed_ns / 1_000_000_000

    def elapsed_ns(self) -> int:
        return self._elapsed_ns
