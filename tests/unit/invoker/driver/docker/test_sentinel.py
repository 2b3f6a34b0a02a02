"""The log of an activation is what was printed before the mark, however the bytes are cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from invoker.driver.docker.sentinel import MARKER, MarkedLog, MarkedStream
from invoker.driver.port import Stream

# Text that is made of parts of the mark is what a reader may stumble over.
texts = st.lists(
    st.one_of(st.binary(max_size=5), st.integers(0, len(MARKER) - 1).map(lambda n: MARKER[:n])),
    max_size=6,
).map(b"".join)


def fed(pieces: list[bytes]) -> tuple[bytes, MarkedStream]:
    stream = MarkedStream()
    return b"".join(stream.feed(piece) for piece in pieces), stream


def cut(text: bytes, at: list[int]) -> list[bytes]:
    places = sorted({each % (len(text) + 1) for each in at} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


@given(texts, texts, st.lists(st.integers(0, 500), max_size=6))
def test_the_mark_ends_a_stream_wherever_it_is_cut(
    before: bytes, after: bytes, at: list[int]
) -> None:
    whole = before + MARKER + b"\n" + after
    expected = whole[: whole.index(MARKER)]

    text, stream = fed(cut(whole, at))

    assert text == expected
    assert stream.is_over
    assert stream.feed(b"more") == b""


@given(texts, st.lists(st.integers(0, 500), max_size=6))
def test_without_a_mark_nothing_is_lost(text: bytes, at: list[int]) -> None:
    if MARKER in text:
        return
    kept, stream = fed(cut(text, at))

    assert not stream.is_over
    assert kept + stream.rest() == text
    assert stream.rest() == b""


@given(texts)
def test_no_more_than_the_beginning_of_a_mark_is_held_back(text: bytes) -> None:
    kept, stream = fed([text])
    assert stream.is_over or len(text) - len(kept) < len(MARKER)


def test_text_on_the_line_of_the_mark_stays() -> None:
    assert fed([b"no line end" + MARKER + b"\n"])[0] == b"no line end"


def test_a_log_is_over_when_both_streams_are() -> None:
    log = MarkedLog()
    assert log.feed(Stream.STDOUT, b"out\n" + MARKER) == b"out\n"
    assert not log.is_over
    assert log.feed(Stream.STDOUT, MARKER) == b""
    assert not log.is_over, "a second mark on one stream is no mark on the other"
    assert log.feed(Stream.STDERR, MARKER[:10]) == b""
    assert log.feed(Stream.STDERR, MARKER[10:] + b"\nlate") == b""
    assert log.is_over
    assert log.rest() == []


def test_what_was_held_back_is_given_when_no_more_is_waited_for() -> None:
    log = MarkedLog()
    log.feed(Stream.STDERR, b"half " + MARKER[:7])
    assert log.rest() == [(Stream.STDERR, MARKER[:7])]
