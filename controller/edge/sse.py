"""Server-sent events as bytes. Pure. Source: the HTML standard, §9.2, "Server-sent events"."""

from typing import Final

CONTENT_TYPE: Final = "text/event-stream"
LAST_SEEN: Final = "Last-Event-ID"
"""The header with which a client that comes again says what it was sent last."""
BEAT: Final = b": here\n\n"
"""A comment, which no client shows: the connection is there."""


def event(kind: str, data: bytes, name: str | None = None) -> bytes:
    """Return one event.

    data: UTF-8. Its lines are parted as the format wants; a reader joins them with line feeds.
    name: what a client calls it when it comes again; None leaves what it was sent last.
    """
    head = f"event: {kind}\n" if name is None else f"id: {name}\nevent: {kind}\n"
    # Of bytes, only line feeds and carriage returns part lines: so it is in the format.
    lines = b"".join(b"data: %b\n" % line for line in data.splitlines() or (b"",))
    return b"%b%b\n" % (head.encode(), lines)
