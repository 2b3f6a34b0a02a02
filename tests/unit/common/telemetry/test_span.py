"""A span is a function of what ended, and says nothing that may be a secret."""

from dataclasses import replace

import pytest

from common.entity.activation import TRIGGER, Response, Status
from common.ids import TransId
from common.telemetry.span import Span, of_activation, of_request
from common.tracing import Trace, step_of
from tests.fakes.records import a_record, an_id

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01", "vendor=1")
TRANSID = TransId("asked")


def request(trace: Trace = TRACE, *, method: str = "POST", status: int = 200) -> Span | None:
    return of_request(
        trace, parent="00f067aa0ba902b8", method=method, route="invoke", status=status,
        transid=TRANSID, start_ms=1_000, end_ms=1_005,
    )  # fmt: skip


def test_an_activation_is_the_step_of_its_id_below_who_invoked_it() -> None:
    record = replace(a_record(7, init_ms=5), wait_ms=3)
    span = of_activation(record, TRACE, TRANSID)
    assert span is not None
    assert (span.trace_id, span.step) == (TRACE.trace_id, step_of(an_id(7)))
    assert span.parent == TRACE.step
    assert (span.start_ms, span.end_ms) == (record.start_ms - 3, record.end_ms)
    assert span.events == (("begun", record.start_ms), ("loaded", record.start_ms + 5))
    assert (span.state, span.is_edge, span.failed) == ("vendor=1", False, None)
    told = span.attributes
    assert told["faas.invocation_id"] == record.activation_id
    assert told["brisk.namespace"] == record.namespace
    assert (told["brisk.transid"], told["brisk.wait_ms"]) == ("asked", 3)
    assert (told["faas.coldstart"], told["brisk.init_ms"]) == (True, 5)
    assert "brisk.cause" not in told


def test_a_warm_part_says_of_what_it_is_a_part() -> None:
    span = of_activation(replace(a_record(7), init_ms=None, cause=an_id(1)), TRACE, TRANSID)
    assert span is not None
    assert [name for name, _ in span.events] == ["begun"]
    assert (span.attributes["faas.coldstart"], span.attributes["brisk.cause"]) == (False, an_id(1))
    assert "brisk.init_ms" not in span.attributes


def test_results_and_logs_stay_here() -> None:
    response = Response(status=Status.APPLICATION_ERROR, result=b'{"error":"hush"}')
    record = replace(a_record(7), response=response, logs=("hush",))
    span = of_activation(record, TRACE, TRANSID)
    assert span is not None
    assert span.failed == "application error"
    assert "hush" not in str(span)


def test_a_firing_runs_nothing() -> None:
    span = of_activation(replace(a_record(7), kind=TRIGGER, init_ms=None), TRACE, TRANSID)
    assert span is not None
    assert span.events == ()
    assert "faas.coldstart" not in span.attributes


def test_what_is_not_to_be_recorded_has_no_span() -> None:
    unsampled = TRACE._replace(flags="00")
    assert of_activation(a_record(7), unsampled, TRANSID) is None
    assert request(unsampled) is None


@pytest.mark.parametrize(("status", "failed"), [(200, None), (404, None), (502, "HTTP 502")])
def test_a_request_fails_when_the_platform_does(status: int, failed: str | None) -> None:
    span = request(status=status)
    assert span is not None
    assert (span.step, span.parent) == (TRACE.step, "00f067aa0ba902b8")
    assert (span.name, span.failed, span.is_edge) == ("POST invoke", failed, True)
    assert span.attributes["http.response.status_code"] == status


def test_a_made_up_method_makes_no_name() -> None:
    span = request(method="X" * 1000)
    assert span is not None
    assert span.name == "_OTHER invoke"
