"""Both streams come out of one as they went in, however the connection cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoker.driver.docker.multiplex import BrokenStream, Demultiplexer
from invoker.driver.port import Stream


def piece(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


@given(
    st.lists(st.tuples(st.sampled_from(list(Stream)), st.binary(max_size=20)), max_size=8),
    st.integers(1, 30),
)
def test_pieces_come_out_as_they_went_in(pieces: list[tuple[Stream, bytes]], step: int) -> None:
    data = b"".join(piece(stream, text) for stream, text in pieces)
    reader = Demultiplexer()

    seen = [each for at in range(0, len(data), step) for each in reader.feed(data[at : at + step])]

    for stream in Stream:
        sent = b"".join(text for each, text in pieces if each is stream)
        assert b"".join(text for each, text in seen if each is stream) == sent


@pytest.mark.parametrize("head", [b"\x03\0\0\0\0\0\0\x01", b"\x01\x01\0\0\0\0\0\x01", b"HTTP/1.1"])
def test_what_is_no_piece_is_refused(head: bytes) -> None:
    with pytest.raises(BrokenStream):
        Demultiplexer().feed(head)
