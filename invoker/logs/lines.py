"""What one activation printed, as OpenWhisk stores it: a line each, with time and stream.

Format: `2026-11-21T02:28:41.371001876Z stdout: text`, the time left-justified in 30 columns. Lines
are cut into pieces of 16 KiB, as Docker's log driver does, and the whole at the action's log limit;
what comes after is counted as lost, never kept. A log of very short lines ends earlier: what comes
with each line would fill the memory of the platform. Source: OpenWhisk's `LogLine.scala`,
`DockerToActivationLogStore.scala`.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from invoker.driver.port import Stream

MAX_PIECE_BYTES: Final = 16 * 1024
BYTES_A_LINE: Final = 32
"""A log holds as many lines as would fill its limit if they were as long on average. In OpenWhisk
some 90 bytes more count for each line."""
LEAST_LINES: Final = 4096
_NAMES: Final = {Stream.STDOUT: "stdout", Stream.STDERR: "stderr"}
_SECONDS: Final = 64
"""Remembered as text: the lines of one second share it, and to print it takes 4 µs."""


def truncated_text(limit_bytes: int) -> str:
    """Return the last line of a log that was cut."""
    return (
        "Logs were truncated because the total bytes size exceeds the limit of "
        f"{limit_bytes} bytes."
    )


DEVELOPER_ERROR_TEXT: Final = (
    "The action did not initialize or run as expected. Log data might be missing."
)


def line(time_ns: int, stream: Stream, text: str) -> str:
    """Return one stored line. *time_ns* is Unix time."""
    return _beginning(time_ns, stream) + text


def _beginning(time_ns: int, stream: Stream) -> str:
    """Return what comes before the text of a line."""
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    if fraction % 10:  # as it nearly always is: nine digits, all of them shown
        return f"{_second(seconds)}.{fraction:09d}Z {_NAMES[stream]}: "
    stamp = f"{_second(seconds)}.{fraction:09d}".rstrip("0").rstrip(".") + "Z"
    return f"{stamp:<30} {_NAMES[stream]}: "


@lru_cache(_SECONDS)
def _second(seconds: int) -> str:
    """Return *seconds* of Unix time as ISO 8601 has it, without its zone."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class LogLines:
    """Collects the output of one activation; a `LogSink`. Its memory is bounded by the limit."""

    def __init__(self, limit_bytes: int) -> None:
        """Begin an empty log of at most *limit_bytes* of text; 0 keeps, and says, nothing."""
        self._limit_bytes = limit_bytes
        self._left_bytes = limit_bytes
        self._most_lines = max(LEAST_LINES, limit_bytes // BYTES_A_LINE)
        self._lines: list[str] = []
        self._open: dict[Stream, tuple[int, bytes]] = {}
        self._truncated = False

    def write(self, stream: Stream, time_ns: int, text: bytes) -> None:
        """Take one piece of output, as it was written."""
        size = len(text)
        if self._is_one_line(stream, text, size):
            self._left_bytes -= size
            self._lines.append(line(time_ns, stream, text[:-1].decode(errors="replace")))
            return
        if self._left_bytes <= 0 or len(self._lines) >= self._most_lines:
            self._left_bytes = 0
            self._truncated = True
            return
        began_ns, begun = self._open.pop(stream, (time_ns, b""))
        kept = text[: self._left_bytes]
        self._left_bytes -= len(kept)
        self._truncated = self._truncated or len(kept) < len(text)
        *whole, rest = (begun + kept).split(b"\n")
        for complete in whole[:1]:
            self._append(stream, began_ns, complete)
        self._append_all(stream, time_ns, whole[1:])
        while len(rest) >= MAX_PIECE_BYTES:
            self._append(stream, began_ns, rest[:MAX_PIECE_BYTES])
            rest = rest[MAX_PIECE_BYTES:]
        if rest:
            self._open[stream] = (time_ns if whole else began_ns, rest)

    def finish(self, now_ns: int, *, developer_error: bool) -> tuple[str, ...]:
        """Return all lines; what was begun and not ended is a line too."""
        for stream, (time_ns, rest) in sorted(self._open.items(), key=lambda item: item[1][0]):
            self._append(stream, time_ns, rest)
        self._open.clear()
        if self._limit_bytes and self._truncated:
            self._lines.append(line(now_ns, Stream.STDERR, truncated_text(self._limit_bytes)))
        if developer_error:
            self._lines.append(line(now_ns, Stream.STDERR, DEVELOPER_ERROR_TEXT))
        return tuple(self._lines)

    def _is_one_line(self, stream: Stream, text: bytes, size: int) -> bool:
        """Tell whether *text* is what a print sends: one whole line, for which there is room."""
        return (
            0 < size <= MAX_PIECE_BYTES
            and size <= self._left_bytes
            and len(self._lines) < self._most_lines
            and stream not in self._open
            and text.find(b"\n") == size - 1
        )

    def _append_all(self, stream: Stream, time_ns: int, texts: list[bytes]) -> None:
        """Append lines that were written together; there may be many thousands."""
        beginning = _beginning(time_ns, stream)
        for text in texts:
            if len(text) <= MAX_PIECE_BYTES:
                self._lines.append(beginning + text.decode(errors="replace"))
            else:
                self._append(stream, time_ns, text)

    def _append(self, stream: Stream, time_ns: int, text: bytes) -> None:
        for start in range(0, max(len(text), 1), MAX_PIECE_BYTES):
            piece = text[start : start + MAX_PIECE_BYTES]
            self._lines.append(line(time_ns, stream, piece.decode(errors="replace")))
