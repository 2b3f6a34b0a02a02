"""Spans leave in the background, within bounds, and whatever becomes of them is counted."""

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence

import pytest

from common.ids import TransId
from common.service import serving
from common.settings import TracingSettings, UnusableSettings
from common.telemetry import spans as telemetry
from common.telemetry.span import Span
from common.telemetry.span_metrics import SPANS
from common.telemetry.spans import Spans, spans_of
from common.tracing import Trace
from tests.fakes.clock import FakeClock
from tests.fakes.records import a_record

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01")
ENDPOINT = "http://127.0.0.1:1"


class Scripted:
    """A collector that answers as it is told, and may be held up."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.batches: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.is_asked = threading.Event()
        self.is_closed = False

    def take(self, spans: Sequence[Span]) -> bool:
        self.is_asked.set()
        assert self.may_go.wait(10)
        self.batches.append(len(spans))
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.is_closed = True
        self.may_go.set()


def counted() -> tuple[float, float]:
    return SPANS["taken"]._value.get(), SPANS["dropped"]._value.get()


def since(before: tuple[float, float]) -> tuple[float, float]:
    now = counted()
    return now[0] - before[0], now[1] - before[1]


def made(collector: Scripted | None, **settings: int) -> Spans:
    chosen = TracingSettings.model_validate({"flush_ms": 1} | settings)
    return Spans(FakeClock(0), chosen, collector)


def tell(spans: Spans, count: int = 1, trace: Trace | None = TRACE) -> None:
    for n in range(count):
        spans.activation(a_record(n), trace, TransId("asked"))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.001)


async def test_many_are_sent_at_once_and_what_is_left_when_it_stops() -> None:
    collector, before = Scripted(), counted()
    spans = made(collector, flush_ms=60_000)
    async with serving(spans.serve()):
        tell(spans, telemetry.BATCH + 2)
        tell(spans, trace=None)
        tell(spans, trace=TRACE._replace(flags="00"))
        assert len(spans) == telemetry.BATCH + 2
        await asyncio.sleep(0)  # it has begun to serve
    assert collector.batches == [telemetry.BATCH, 2]
    assert collector.is_closed
    assert since(before) == (telemetry.BATCH + 2, 0)


async def test_what_is_not_taken_is_dropped_and_the_next_is_tried() -> None:
    collector, before = Scripted(False, RuntimeError("of a library")), counted()
    spans = made(collector)
    async with serving(spans.serve()):
        for _ in range(3):
            tell(spans)
            await until(lambda: not len(spans))
    assert collector.batches == [1, 1, 1]
    assert since(before) == (1, 2)


async def test_a_collector_that_is_slow_holds_up_nobody_and_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telemetry, "CLOSE_S", 0.05)
    collector, before = Scripted(), counted()
    collector.may_go.clear()
    spans = made(collector, max_waiting=5)
    async with serving(spans.serve()):
        tell(spans, 12)
        assert len(spans) == 5
        assert since(before) == (0, 7)
        await until(collector.is_asked.is_set)
    assert collector.is_closed, "it was given up"
    assert since(before) == (0, 12)


async def test_a_batch_that_is_under_way_when_it_stops_is_sent_once() -> None:
    collector, before = Scripted(), counted()
    collector.may_go.clear()
    spans = made(collector)
    async with serving(spans.serve()):
        tell(spans)
        await until(collector.is_asked.is_set)
        asyncio.get_running_loop().call_later(0.05, collector.may_go.set)
    assert collector.batches == [1]
    assert since(before) == (1, 0)


async def test_without_a_collector_nothing_is_gathered_or_imported() -> None:
    spans = spans_of(TracingSettings(), FakeClock(0), "controller0")
    async with serving(spans.serve()):
        tell(spans)
        assert (len(spans), spans.is_on) == (0, False)


def test_a_missing_library_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "common.telemetry.otlp", raising=False)
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(UnusableSettings) as caught:
        spans_of(TracingSettings(otlp_endpoint=ENDPOINT), FakeClock(0), "controller0")
    what, why, fix, other = str(caught.value).splitlines()
    assert "BRISK_TRACING__OTLP_ENDPOINT" in what
    assert why.startswith("why: ")
    assert "pip install 'brisk-faas[otel]'" in fix
    assert "BRISK_TRACING__OTLP_ENDPOINT" in other
