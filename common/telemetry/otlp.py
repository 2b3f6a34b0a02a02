"""Spans by OTLP over HTTP, to any collector. The only module that knows OpenTelemetry.

Its library makes the text and sends it again where that may help. What a span is was decided
before (`common.telemetry.span`), so none of its machinery for starting and sampling spans is used.
It reads variables of its own; `OTEL_EXPORTER_OTLP_HEADERS` matters where a collector wants a key.
"""

import logging
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from common.telemetry.span import Span
from common.version import VERSION

PATH: Final = "/v1/traces"
_SCOPE: Final = InstrumentationScope("brisk", VERSION)
_NS: Final = 1_000_000


class OtlpCollector:
    """Sends spans. See `common.telemetry.spans.Collector`."""

    def __init__(self, endpoint: str, source: str, *, timeout_s: float) -> None:
        """Send to *endpoint* in the name of *source*; a batch is given up after *timeout_s*."""
        # What it would say on standard error, the log and the metrics say once, in our form.
        logger = logging.getLogger("opentelemetry")
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        whole = endpoint if endpoint.endswith(PATH) else endpoint.rstrip("/") + PATH
        self._exporter = OTLPSpanExporter(whole, timeout=timeout_s)
        self._resource = Resource.create(
            {
                "service.name": "brisk",
                "service.version": VERSION,
                "service.instance.id": source,
            }
        )

    def take(self, spans: Sequence[Span]) -> bool:
        """Return whether all of *spans* arrived."""
        told = [self._told(each) for each in spans]
        return self._exporter.export(told) is SpanExportResult.SUCCESS

    def close(self) -> None:
        """Have what is being sent not be tried again."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _told(self, span: Span) -> ReadableSpan:
        state = TraceState.from_header([span.state]) if span.state else None
        above = None if span.parent is None else _context(span.trace_id, span.parent, None)
        failed = StatusCode.UNSET if span.failed is None else StatusCode.ERROR
        return ReadableSpan(
            name=span.name,
            context=_context(span.trace_id, span.step, state),
            parent=above,
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(name, timestamp=at_ms * _NS) for name, at_ms in span.events],
            kind=SpanKind.SERVER if span.is_edge else SpanKind.INTERNAL,
            status=Status(failed, span.failed),
            start_time=span.start_ms * _NS,
            end_time=span.end_ms * _NS,
            instrumentation_scope=_SCOPE,
        )


def _context(trace_id: str, step: str, state: TraceState | None) -> SpanContext:
    return SpanContext(
        int(trace_id, 16),
        int(step, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=state,
    )
