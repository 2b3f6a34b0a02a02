"""What arrives at a collector is what was told, and what does not arrive is known not to."""

from opentelemetry.proto.trace.v1.trace_pb2 import Status as Told

from common.entity.activation import Response, Status
from common.ids import TransId
from common.telemetry.otlp import OtlpCollector
from common.telemetry.span import Span, of_activation
from common.tracing import Trace
from tests.fakes.otlp import attributes, collecting
from tests.fakes.records import a_record

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01", "a=1,b=2")


def span() -> Span:
    response = Response(status=Status.APPLICATION_ERROR, result=b"{}")
    found = of_activation(a_record(7, init_ms=5, response=response), TRACE, TransId("asked"))
    assert found is not None
    return found


def test_all_of_a_span_arrives() -> None:
    sent = span()
    with collecting() as sink:
        collector = OtlpCollector(sink.url + "/", "invoker0", timeout_s=5)
        assert collector.take([sent])
        collector.close()
        (told,) = sink.spans(1, TRACE.trace_id)
    assert sink.paths == {"/v1/traces"}
    assert (told.span_id.hex(), told.parent_span_id.hex()) == (sent.step, sent.parent)
    assert (told.name, told.trace_state) == (sent.name, sent.state)
    assert (told.start_time_unix_nano, told.end_time_unix_nano) == (
        sent.start_ms * 1_000_000,
        sent.end_ms * 1_000_000,
    )
    assert attributes(told) == sent.attributes
    events = [(each.name, each.time_unix_nano // 1_000_000) for each in told.events]
    assert events == list(sent.events)
    assert (told.status.code, told.status.message) == (Told.STATUS_CODE_ERROR, "application error")


def test_what_is_refused_or_answered_too_late_did_not_arrive() -> None:
    with collecting() as sink:
        collector = OtlpCollector(sink.url, "invoker0", timeout_s=0.2)
        for status in (400, 503):
            sink.status = status
            assert not collector.take([span()])
        sink.status = 200
        assert collector.take([span()]), "the next one may arrive"
        collector.close()
