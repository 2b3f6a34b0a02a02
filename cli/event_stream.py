"""Server-sent events, read as they come. Source: the HTML standard, §9.2.6, "Interpreting"."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event. *name* is what the server calls it; empty where it has no name."""

    kind: str
    data: str
    name: str


def events(lines: Iterable[bytes]) -> Iterator[Event | None]:
    """Yield the events in *lines*; None for a comment, which says that the server is there."""
    kind, name, data = "", "", list[str]()
    for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if not line:
            if data:
                yield Event(kind or "message", "\n".join(data), name)
            kind, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "":
                yield None
            case "event":
                kind = value
            case "data":
                data.append(value)
            case "id":
                name = value
            case _:
                pass  # what a later version may say
