"""What an activation printed: lines, cuts and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoker.driver.port import Stream
from invoker.logs.lines import (
    BYTES_A_LINE,
    DEVELOPER_ERROR_TEXT,
    MAX_PIECE_BYTES,
    LogLines,
    line,
)

OUT, ERR = Stream.STDOUT, Stream.STDERR
AT_NS = 1_795_250_886_123_456_789


def texts(lines: tuple[str, ...]) -> list[str]:
    return [entry[31:] for entry in lines]


def test_a_line_has_its_time_in_thirty_columns() -> None:
    assert line(AT_NS, OUT, "hi") == "2026-11-21T08:48:06.123456789Z stdout: hi"
    assert line(AT_NS // 1000 * 1000, ERR, "") == "2026-11-21T08:48:06.123456Z    stderr: "
    assert line(AT_NS // 10**9 * 10**9, OUT, "x") == "2026-11-21T08:48:06Z           stdout: x"


def test_lines_of_both_streams_stay_in_order() -> None:
    log = LogLines(1000)
    log.write(OUT, AT_NS, b"one\ntwo\n")
    log.write(ERR, AT_NS, b"three\n")
    log.write(OUT, AT_NS, "sn\u2603w\n".encode())
    assert texts(log.finish(AT_NS, developer_error=False)) == [
        "stdout: one", "stdout: two", "stderr: three", "stdout: sn\u2603w",
    ]  # fmt: skip


def test_a_line_written_in_pieces_is_one_line_with_the_time_of_its_beginning() -> None:
    log = LogLines(1000)
    log.write(OUT, AT_NS, b"be")
    log.write(ERR, AT_NS + 10, b"other\n")
    log.write(OUT, AT_NS + 20, b"gun\nrest")
    assert log.finish(AT_NS + 30, developer_error=False) == (
        line(AT_NS + 10, ERR, "other"),
        line(AT_NS, OUT, "begun"),
        line(AT_NS + 20, OUT, "rest"),
    )


def test_an_empty_line_is_a_line() -> None:
    log = LogLines(1000)
    log.write(OUT, AT_NS, b"\n")
    assert texts(log.finish(AT_NS, developer_error=False)) == ["stdout: "]


def test_a_long_line_is_cut_into_pieces() -> None:
    log = LogLines(1 << 20)
    log.write(OUT, AT_NS, b"x" * 40_000 + b"\n")
    pieces = texts(log.finish(AT_NS, developer_error=False))
    assert [len(piece) - len("stdout: ") for piece in pieces] == [
        MAX_PIECE_BYTES, MAX_PIECE_BYTES, 40_000 - 2 * MAX_PIECE_BYTES,
    ]  # fmt: skip


def test_what_is_beyond_the_limit_is_cut_and_said_so() -> None:
    log = LogLines(10)
    log.write(OUT, AT_NS, b"12345\n12345\n")
    log.write(OUT, AT_NS, b"more\n")
    assert texts(log.finish(AT_NS, developer_error=False)) == [
        "stdout: 12345",
        "stdout: 1234",
        "stderr: Logs were truncated because the total bytes size exceeds the limit of 10 bytes.",
    ]


@pytest.mark.parametrize("pieces", [1, 1000])
def test_a_log_of_nothing_but_line_ends_does_not_fill_the_memory(pieces: int) -> None:
    limit = 1 << 20
    log = LogLines(limit)
    for _ in range(pieces):
        log.write(OUT, AT_NS, b"\n" * (65_536 // pieces))
        log.write(OUT, AT_NS, b"\n")
    for _ in range(100):
        log.write(OUT, AT_NS, b"\n")
        log.write(OUT, AT_NS, b"\n" * 65_536)
    lines = log.finish(AT_NS, developer_error=False)
    assert limit // BYTES_A_LINE <= len(lines) <= limit // BYTES_A_LINE + 65_536
    assert "Logs were truncated" in lines[-1]


def test_a_limit_of_nothing_keeps_nothing() -> None:
    log = LogLines(0)
    log.write(OUT, AT_NS, b"hello\n")
    assert log.finish(AT_NS, developer_error=False) == ()


def test_a_developer_error_adds_its_own_last_line() -> None:
    lines = LogLines(10).finish(AT_NS, developer_error=True)
    assert lines == (line(AT_NS, ERR, DEVELOPER_ERROR_TEXT),)


@given(st.lists(st.tuples(st.sampled_from([OUT, ERR]), st.binary(max_size=60)), max_size=40),
       st.integers(0, 500))  # fmt: skip
def test_nothing_is_kept_beyond_the_limit_and_nothing_below_it_is_lost(
    writes: list[tuple[Stream, bytes]], limit: int
) -> None:
    log = LogLines(limit)
    for stream, text in writes:
        log.write(stream, AT_NS, text)
    lines = log.finish(AT_NS, developer_error=False)
    written = b"".join(text for _, text in writes)
    cut = len(written) > limit > 0
    assert any("Logs were truncated" in entry for entry in lines) == cut
    if not cut and limit:
        for stream in (OUT, ERR):
            whole = b"".join(text for of, text in writes if of is stream)
            expected = whole.decode(errors="replace").split("\n")
            name = f"{stream.name.lower()}: "
            kept = [entry[31 + len(name) :] for entry in lines if entry[31:].startswith(name)]
            assert kept == (expected[:-1] if whole.endswith(b"\n") or not whole else expected)
