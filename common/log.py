"""The log: one JSON line per event, on one stream, without a key in it.

    log = logger(__name__)
    log.warning("action_not_read", action=name, transid=message.transid)

An event is a constant word; what varies stands in fields, with units in their names. Each line has
`time`, `level`, `part` and `event`. The transaction id comes from the context of a request (see
`transaction`), or is given by who works for many requests at a time.

Secrets are masked twice: fields are known by their name, and in the finished line everything is cut
that looks like a key of a namespace or like an Authorization header, wherever it hides: in a text,
in a nested value, in a traceback.

Until `set_up` is called, warnings and graver events go straight to standard error.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO, Final, TypeAlias, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from common import metrics
from common.clock import Clock, SystemClock
from common.ids import TransId
from common.log_buffer import LogBuffer
from common.log_repeats import Repeats

Logger: TypeAlias = FilteringBoundLogger
Write: TypeAlias = Callable[[bytes, bool], None]

MASK: Final = "***"
_SECRET_FIELDS: Final = frozenset({"authorization", "api_key", "auth", "key", "password", "secret"})
_SECRET_SHAPES: Final = re.compile(
    # A namespace's key is `uuid:key`; a longer word than the standard's 64 characters is cut too.
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}:[A-Za-z0-9+/=_-]+"
    r"|(?<![A-Za-z])(?:Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{8,}",
    re.IGNORECASE,
)
_URGENT: Final = frozenset({"error", "critical"})


def logger(part: str) -> Logger:
    """Return the logger of *part*, a module's `__name__`; it obeys a later `set_up`."""
    return cast(Logger, structlog.get_logger(part=part))


@contextmanager
def transaction(transid: TransId) -> Iterator[None]:
    """Name *transid* in every line that is logged inside, also by the tasks started there."""
    with structlog.contextvars.bound_contextvars(transid=transid):
        yield


@contextmanager
def set_up(level: str, stream: BinaryIO, clock: Clock) -> Iterator[None]:
    """Send the whole process's log to *stream* while inside; for the root of a process.

    level: `debug`, `info`, `warning` or `error`: this and everything graver is written.
    stream: a buffered binary stream; stays open.

    What Python's own `logging` is told by libraries, from warnings on, becomes lines too; the same
    words once a second, with the number of those that were kept back.
    """
    buffer = LogBuffer(stream, dropped=metrics.LOG_LINES_DROPPED.inc)
    _configure(level, clock, lambda line, urgent: buffer.write(line, urgent=urgent))
    libraries = _FromLibraries(clock)
    logging.getLogger().addHandler(libraries)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(libraries)
        _configure("warning", SystemClock(), _to_stderr)
        buffer.close()


class _Lines:
    """What structlog calls a logger: the end of the chain, one method per level."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def debug(self, line: str) -> None:
        self._write(_as_bytes(line), False)

    info = warning = debug

    def error(self, line: str) -> None:
        self._write(_as_bytes(line), True)

    critical = error


class _FromLibraries(logging.Handler):
    """Makes an event of a record of Python's `logging`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._repeats = Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        unsaid = self._repeats.unsaid((record.name, str(record.msg)), self._clock.elapsed_s())
        if unsaid is None:
            return
        level = "error" if record.levelno >= logging.ERROR else "warning"
        report = getattr(logger(record.name), level)
        more = {"repeated": unsaid} if unsaid else {}
        report("library_says", text=record.getMessage(), exc_info=record.exc_info or False, **more)


def _configure(level: str, clock: Clock, write: Write) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_time_and_level(clock),
            structlog.processors.format_exc_info,
            _mask_fields,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(write),
        cache_logger_on_first_use=False,  # a test, or a second platform, sets up its own
    )


def _add_time_and_level(clock: Clock) -> Callable[[WrappedLogger, str, EventDict], EventDict]:
    def add(_: WrappedLogger, level: str, event: EventDict) -> EventDict:
        now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        time = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"time": time, "level": level, **event}

    return add


def _mask_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: _masked(name, value) for name, value in event.items()}


def _masked(name: object, value: object) -> object:
    if str(name).lower().replace("-", "_") in _SECRET_FIELDS and value is not None:
        return MASK
    if isinstance(value, dict):
        return {str(inner): _masked(inner, each) for inner, each in value.items()}
    return value


def _render(_: WrappedLogger, level: str, event: EventDict) -> str:
    """Return one line. Never raises for what it is given: a log call must not end a request."""
    try:
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=repr)
    except (TypeError, ValueError, RecursionError):  # a strange key, a cycle
        text = json.dumps({"level": level, "event": "not_rendered", "text": repr(event)})
    return _SECRET_SHAPES.sub(MASK, text)


def _as_bytes(line: str) -> bytes:
    return line.encode("utf-8", "backslashreplace") + b"\n"


def _to_stderr(line: bytes, _: bool) -> None:
    sys.stderr.write(line.decode())


_configure("warning", SystemClock(), _to_stderr)
