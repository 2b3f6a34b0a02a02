"""What became of spans, as metrics; `common.metrics` says how they are meant."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from prometheus_client import Counter, Gauge

from common.metric_registry import REGISTRY, each

SpanFate: TypeAlias = Literal["taken", "dropped"]

SPANS: Final[Mapping[SpanFate, Counter]] = each(
    Counter(
        "brisk_tracing_spans_total",
        "Spans that the collector took, and those that were lost: no room, or not taken.",
        ["fate"],
        registry=REGISTRY,
    ),
    get_args(SpanFate),
)
SPANS_PENDING: Final = Gauge(
    "brisk_tracing_pending_spans",
    "Spans that wait to be sent to the collector, and those that are being sent.",
    registry=REGISTRY,
)
