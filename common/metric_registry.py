"""Where metrics are kept, how gauges are read, and how all of it is shown.

A gauge is not kept up to date by hand: the root of the process says where to look when somebody
asks, and for how long (`with metrics.shown(...)`). So it costs nothing until then, and a platform
that has stopped is neither shown nor held.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeAlias, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)

Key = TypeVar("Key")
Metric = TypeVar("Metric", Counter, Gauge)

REGISTRY: Final = CollectorRegistry()
"""All metrics of Brisk and nothing else; the library's own registry is left alone."""

# Else each series has another one that says when the process started.
disable_created_metrics()  # type: ignore[no-untyped-call]


def each(metric: Metric, values: Iterable[Key]) -> Mapping[Key, Metric]:
    """Return the child of *metric* for each of *values*."""
    return {value: metric.labels(str(value)) for value in values}


Reading: TypeAlias = Callable[[], float]
Readings: TypeAlias = Mapping[Gauge, Reading]

_readings: Final[dict[Gauge, list[Reading]]] = {}


@contextmanager
def shown(readings: Readings) -> Iterator[None]:
    """Have each gauge show what its reading returns, while inside the block.

    Of several platforms in one process it shows the sum; after the last one 0. Nothing of a block
    that has ended is kept.
    """
    for gauge, reading in readings.items():
        _readings.setdefault(gauge, []).append(reading)
        gauge.set_function(_sum_of(_readings[gauge]))
    try:
        yield
    finally:
        for gauge, reading in readings.items():
            _readings[gauge].remove(reading)


def _sum_of(readings: list[Reading]) -> Reading:
    return lambda: sum(reading() for reading in readings)


def render() -> bytes:
    """Return all metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)


CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `render` returns."""
