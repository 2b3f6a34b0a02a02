"""Reading server-sent events."""

from cli.event_stream import Event, events


def test_events_are_read_as_the_standard_says() -> None:
    stream = (
        b": here\n\nid: 1\nevent: a\ndata: x\ndata:y\n\ndata: no kind\r\n\r\n"
        b"event: empty\n\nretry: 5\nid\ndata\n\ndata: cut off"
    )
    assert list(events(stream.splitlines(keepends=True))) == [
        None,
        Event("a", "x\ny", "1"),
        Event("message", "no kind", "1"),
        Event("message", "", ""),
    ]
