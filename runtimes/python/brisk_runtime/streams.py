"""What `sys.stdout` and `sys.stderr` are for the code of a user.

Text is handed on with every finished line and every flush, so that it outlives a process that is
killed, and so that the two streams keep their order. Nothing is ever kept for a better moment.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Callable

STDOUT = 1
STDERR = 2

PIECE_BYTES = 65_536  # what one log frame carries at most; also the usual size of a pipe

Sink = Callable[[int, bytes], None]
"""Takes the number of a stream and at most `PIECE_BYTES` bytes."""

_NEWLINE = 0x0A

_write = os.write


def write_all(fd: int, data: bytes) -> None:
    """Write *data* to *fd*, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[_write(fd, view) :]


class Stream(io.BufferedIOBase):
    """The bytes under one text stream. It can't be closed: others write after who closed it."""

    closed = False  # type: ignore[assignment]

    def __init__(self, number: int, sink: Sink) -> None:
        self._number = number
        self._sink = sink
        self.is_at_line_start = True

    def write(self, data) -> int:  # type: ignore[no-untyped-def, override]
        """Hand *data* on at once."""
        if type(data) is bytes and 0 < len(data) <= PIECE_BYTES:  # a print, as a rule
            self._sink(self._number, data)
            self.is_at_line_start = data[-1] == _NEWLINE
            return len(data)
        with memoryview(data) as view, view.cast("B") as octets:
            size = len(octets)
            for start in range(0, size, PIECE_BYTES):
                self._sink(self._number, bytes(octets[start : start + PIECE_BYTES]))
            if size:
                self.is_at_line_start = octets[-1] == _NEWLINE
        return size

    def writable(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Do nothing: nothing is kept."""

    def fileno(self) -> int:
        """Return the descriptor that child processes write to."""
        return self._number

    def close(self) -> None:
        """Do nothing."""


class Streams:
    """The pair of them, and how they are put back where the code expects them."""

    def __init__(self, sink: Sink) -> None:
        self.stdout = Stream(STDOUT, sink)
        self.stderr = Stream(STDERR, sink)
        self._is_shared = False
        self._texts = [_text_of(self.stdout), _text_of(self.stderr)]
        self.install()

    @property
    def error_text(self) -> io.TextIOWrapper:
        """What the runtime itself writes its messages to."""
        return self._texts[1]

    def write_through(self) -> None:
        """Hand on each write by itself: several activations use the same streams."""
        self._is_shared = True
        for text in self._texts:
            text.reconfigure(write_through=True)

    def install(self) -> None:
        """Make these `sys.stdout` and `sys.stderr`."""
        sys.stdout, sys.stderr = self._texts
        sys.__stdout__, sys.__stderr__ = self._texts  # type: ignore[misc]

    def settle(self) -> None:
        """Hand on what is still unfinished, whoever replaced what, and install these again."""
        if sys.stdout is not self._texts[0] or sys.stderr is not self._texts[1]:
            for replacement in (sys.stdout, sys.stderr):
                # A replacement is code of the user: it may be anything, and fail in any way.
                with contextlib.suppress(Exception):
                    replacement.flush()
        self._texts = [
            _flushed(text, stream, self._is_shared)
            for text, stream in zip(self._texts, (self.stdout, self.stderr))
        ]
        self.install()

    def say(self, text: str) -> None:
        """Write *text* and a line end to stderr: a message of the runtime."""
        self.error_text.write(text + "\n")
        self.error_text.flush()


def _flushed(text: io.TextIOWrapper, stream: Stream, is_shared: bool) -> io.TextIOWrapper:
    try:
        text.flush()
    except (ValueError, AttributeError):  # the code detached it from its bytes
        return _text_of(stream, is_shared)
    return text


def _text_of(stream: Stream, is_shared: bool = False) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        stream,  # type: ignore[arg-type]
        encoding="utf-8",
        errors="backslashreplace",  # a lone surrogate is no reason to fail in a print
        line_buffering=True,
        write_through=is_shared,
    )
