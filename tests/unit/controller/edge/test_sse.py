"""Server-sent events: what is written is what a reader of the format gets."""

from hypothesis import given
from hypothesis import strategies as st

from controller.edge import sse


def read(stream: bytes) -> list[dict[str, str]]:
    """Read as the HTML standard says: any of three line ends, a blank line ends an event."""
    events: list[dict[str, str]] = []
    current: dict[str, list[str]] = {}
    for line in stream.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            if current:
                events.append({name: "\n".join(lines) for name, lines in current.items()})
            current = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            current.setdefault(name, []).append(value.removeprefix(" "))
    return events


def test_an_event_is_read_as_it_was_meant() -> None:
    sent = sse.event("activation", b'{"a":1}', "5-x") + sse.BEAT + sse.event("missed", b"2")
    assert read(sent) == [
        {"id": "5-x", "event": "activation", "data": '{"a":1}'},
        {"event": "missed", "data": "2"},
    ]


@given(st.text())
def test_no_data_makes_another_event_or_field(text: str) -> None:
    (event,) = read(sse.event("a", text.encode(errors="replace")))
    assert event.keys() == {"event", "data"}
    lines = text.encode(errors="replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    # A line end at the very end parts nothing from nothing; JSON has none there.
    assert event["data"] == lines.removesuffix("\n")
