"""How spans leave a process: gathered, sent in batches by a thread, and never waited for.

Like user events they are telemetry. What is traced adds one to a list and goes on; what the list
has no room for, or the collector does not take, is dropped and counted. What is not traced pays the
question whether it is. Without a collector nothing is gathered, and its library is not imported.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, Protocol

from common import metrics
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.ids import TransId
from common.log import logger
from common.settings import TracingSettings, UnusableSettings
from common.telemetry.span import Span, of_activation, of_request
from common.telemetry.span_metrics import SPANS, SPANS_PENDING
from common.tracing import Trace

BATCH: Final = 512
CLOSE_S: Final = 2.0
"""How long a stopping process tries to send what is left."""

log = logger(__name__)


class Collector(Protocol):
    """Where spans go. Both are called in a thread, one call at a time."""

    def take(self, spans: Sequence[Span]) -> bool:
        """Return whether all of them arrived; within the time limit of the settings."""
        ...

    def close(self) -> None:
        """Give up what is being sent; may be called while it is."""
        ...


class Spans:
    """Of one process."""

    def __init__(self, clock: Clock, settings: TracingSettings, collector: Collector | None):
        """Gather spans for *collector*; None gathers none."""
        self._clock = clock
        self._settings = settings
        self._collector = collector
        self._waiting: deque[Span] = deque()
        self._sending: tuple[asyncio.Future[bool], int] | None = None
        self._is_held_up = False

    def __len__(self) -> int:
        """Return how many wait to be sent, or are being sent."""
        return len(self._waiting) + (self._sending[1] if self._sending else 0)

    @property
    def is_on(self) -> bool:
        """Whether spans go anywhere."""
        return self._collector is not None

    def activation(self, record: ActivationRecord, trace: Trace | None, transid: TransId) -> None:
        """Tell that an activation ended, which *trace* led to."""
        if trace is not None and self._collector is not None:
            self._add(of_activation(record, trace, transid))

    def request(
        self,
        trace: Trace | None,
        *,
        method: str,
        route: metrics.RouteClass,
        status: int,
        transid: TransId,
        received_ms: int,
        parent: str | None = None,
    ) -> None:
        """Tell that a request is answered; see `of_request`."""
        if trace is not None and self._collector is not None:
            self._add(
                of_request(
                    trace,
                    parent=parent,
                    method=method,
                    route=route,
                    status=status,
                    transid=transid,
                    start_ms=received_ms,
                    end_ms=self._clock.now_ms(),
                )
            )

    async def serve(self) -> None:
        """Send what there is, again and again, until this is cancelled; then what is left."""
        if self._collector is None:
            return
        pause_s = self._settings.flush_ms / 1000
        thread = ThreadPoolExecutor(1, "spans")
        with metrics.shown({SPANS_PENDING: lambda: len(self)}):
            try:
                while True:
                    await asyncio.sleep(pause_s)
                    await self._flush(thread, self._collector)
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_S):
                        await self._flush(thread, self._collector)
                self._collector.close()
                if left := len(self):
                    log.warning("spans_lost", count=left)
                    SPANS["dropped"].inc(left)
                thread.shutdown(wait=False, cancel_futures=True)

    def _add(self, span: Span | None) -> None:
        if span is None:
            return
        if len(self) < self._settings.max_waiting:
            self._waiting.append(span)
        else:
            SPANS["dropped"].inc()

    async def _flush(self, thread: ThreadPoolExecutor, collector: Collector) -> None:
        """Send until nothing is left. A batch that is being sent outlives who waits for it."""
        while self._sending or self._waiting:
            if self._sending is None:
                size = min(BATCH, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(size)]
                loop = asyncio.get_running_loop()
                self._sending = loop.run_in_executor(thread, collector.take, batch), size
            future, size = self._sending
            arrived = False
            try:
                arrived = await asyncio.shield(future)
            except Exception:  # of a library; a platform does not end for its telemetry
                log.exception("spans_not_sent")
            self._sending = None
            SPANS["taken" if arrived else "dropped"].inc(size)
            if not arrived and not self._is_held_up:
                log.warning("spans_not_taken", count=size)
            self._is_held_up = not arrived


def require_library(settings: TracingSettings) -> None:
    """Import what sends spans, if they are to be sent; before anything is opened.

    Raises `UnusableSettings` when it is not installed.
    """
    if settings.otlp_endpoint is None:
        return
    try:
        import common.telemetry.otlp  # noqa: F401
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise UnusableSettings(
            "Spans cannot be sent to the collector that BRISK_TRACING__OTLP_ENDPOINT names.\n"
            f"why: OpenTelemetry's library is not installed here (no module '{error.name}').\n"
            "fix: pip install 'brisk-faas[otel]'\n"
            "or:  start without BRISK_TRACING__OTLP_ENDPOINT; traces are carried all the same."
        ) from error


def spans_of(settings: TracingSettings, clock: Clock, source: str) -> Spans:
    """Return what *source*, `controller0` or `invoker0`, tells of traces.

    Raises as `require_library`.
    """
    require_library(settings)
    if settings.otlp_endpoint is None:
        return Spans(clock, settings, None)
    from common.telemetry.otlp import OtlpCollector

    collector = OtlpCollector(settings.otlp_endpoint, source, timeout_s=settings.otlp_timeout_s)
    return Spans(clock, settings, collector)
