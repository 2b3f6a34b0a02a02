"""Where the log of one activation ends, in a stream that never does. Pure.

OpenWhisk's runtimes write a line that holds a marker to both streams when an activation is over.
Only the marker and the line end after it are taken out: what the code printed before it on the same
line stays. No more than the beginning of a marker is ever held back.
Source: OpenWhisk's `DockerToActivationFileLogStore.scala`, `ActionContainer` tests.
"""

from typing import Final

from invoker.driver.port import Stream

MARKER: Final = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX"
FAILURE_TEXT: Final = "There was an issue while collecting your logs. Data might be missing."
"""The last line of a log whose end did not come."""


class MarkedStream:
    """One stream, until its marker."""

    __slots__ = ("_held", "is_over")

    def __init__(self) -> None:
        self._held = b""
        self.is_over = False

    def feed(self, text: bytes) -> bytes:
        """Return what of the log so far can be passed on; what follows the marker is dropped."""
        if self.is_over:
            return b""
        text = self._held + text
        before, marker, _ = text.partition(MARKER)
        if marker:
            self.is_over, self._held = True, b""
            return before
        held = _beginning(text)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def rest(self) -> bytes:
        """Return what was held back and turned out to be no marker."""
        held, self._held = self._held, b""
        return held


class MarkedLog:
    """Both streams of one activation."""

    def __init__(self) -> None:
        self._streams = {each: MarkedStream() for each in Stream}

    def __repr__(self) -> str:
        over = [stream.name for stream, each in self._streams.items() if each.is_over]
        return f"<MarkedLog over={over}>"

    @property
    def is_over(self) -> bool:
        """Whether both ends were seen."""
        return all(each.is_over for each in self._streams.values())

    def feed(self, stream: Stream, text: bytes) -> bytes:
        """Return what of *text*, and of what was held back before, belongs to the log."""
        return self._streams[stream].feed(text)

    def rest(self) -> list[tuple[Stream, bytes]]:
        """Return what was held back, when no more is waited for."""
        held = [(stream, each.rest()) for stream, each in self._streams.items()]
        return [(stream, text) for stream, text in held if text]


def _beginning(text: bytes) -> int:
    """Return the length of the longest end of *text* that may be the beginning of a marker."""
    for length in range(min(len(text), len(MARKER) - 1), 0, -1):
        if text.endswith(MARKER[:length]):
            return length
    return 0
