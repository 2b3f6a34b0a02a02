"""A histogram of how long things took, cheap enough for the path of every activation.

Prometheus' own is for many threads, and looks for a bucket one by one: 0.65 µs each time, and an
activation needs three. This one is for the thread of the event loop. Times are whole milliseconds
inside, and exported in seconds.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

# 1 ms, a warm call, to 5 min, the longest time limit; three steps a decade.
_BOUNDS_MS: Final = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 120_000,
    300_000,
)  # fmt: skip


class Durations(Collector):
    """One histogram."""

    def __init__(self, registry: CollectorRegistry, name: str, documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self._counts = [0] * (len(_BOUNDS_MS) + 1)
        self._sum_ms = 0
        registry.register(self)

    def observe(self, duration_ms: int) -> None:
        """Count one duration; a bucket holds what is at most its bound."""
        self._counts[bisect_left(_BOUNDS_MS, duration_ms)] += 1
        self._sum_ms += duration_ms

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram as the library wants it: each bucket with all below it."""
        names = [*(str(bound_ms / 1000) for bound_ms in _BOUNDS_MS), "+Inf"]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        family = HistogramMetricFamily(self._name, self._documentation)
        family.add_metric([], buckets=buckets, sum_value=self._sum_ms / 1000)
        yield family
