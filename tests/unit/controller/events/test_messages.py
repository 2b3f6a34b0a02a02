"""What a trigger is given of messages: as text, JSON or base64, and as many as fit."""

from typing import Any

import pytest

from controller.events.messages import (
    MAX_BATCH_BYTES,
    MAX_BATCH_MESSAGES,
    Form,
    Message,
    batch_of,
    shown_as,
)


def a_message(offset: int = 0, value: bytes | None = b"v", **fields: Any) -> Message:
    given: dict[str, Any] = {"topic": "t", "partition": 0, "key": None} | fields
    return Message(offset=offset, value=value, **given)


@pytest.mark.parametrize(
    ("form", "value", "shown"),
    [
        (Form(), b"text", "text"),
        (Form(), b"\xff", "\ufffd"),
        (Form(), None, None),
        (Form(is_json=True), b'{"a": [1]}', {"a": [1]}),
        (Form(is_json=True), b"{", "{"),
        (Form(is_json=True), b"", ""),
        (Form(is_json=True), None, None),
        (Form(is_binary_value=True), b"\xff\x00", "/wA="),
    ],
)
def test_a_value_is_shown_as_is_wanted(form: Form, value: bytes | None, shown: Any) -> None:
    assert shown_as(a_message(value=value), form) == {
        "topic": "t", "partition": 0, "offset": 0, "key": None, "value": shown,
    }  # fmt: skip


def test_keys_and_headers_are_shown() -> None:
    message = a_message(key=b"k", headers=[("trace", b"1"), ("bad", b"\xff")])
    told = shown_as(message, Form(is_binary_key=True))
    assert (told["key"], told["headers"]) == ("aw==", {"trace": "1", "bad": "\ufffd"})
    assert shown_as(message, Form())["key"] == "k"


def test_a_batch_is_bounded_and_the_rest_is_left_for_the_next() -> None:
    many = [a_message(n) for n in range(MAX_BATCH_MESSAGES + 5)]
    assert batch_of(many, Form()).ranges == {0: (0, MAX_BATCH_MESSAGES - 1)}
    large = [a_message(n, b"x" * (MAX_BATCH_BYTES // 3)) for n in range(5)]
    assert batch_of(large, Form()).ranges == {0: (0, 1)}


def test_a_message_that_never_fits_is_passed_over() -> None:
    messages = [a_message(0), a_message(1, b"x" * MAX_BATCH_BYTES), a_message(2)]
    batch = batch_of(messages, Form())
    assert (batch.skipped, batch.ranges) == (1, {0: (0, 2)})
    assert [each["offset"] for each in batch.shown] == [0, 2]
    alone = batch_of(messages[1:2], Form())
    assert (alone.skipped, alone.ranges, list(alone.shown)) == (1, {0: (1, 1)}, [])


def test_a_batch_is_named_by_what_is_in_it_whatever_its_order() -> None:
    one = batch_of([a_message(5), a_message(3, partition=1), a_message(6)], Form())
    other = batch_of([a_message(3, partition=1), a_message(5), a_message(6)], Form())
    assert one.ranges == {0: (5, 6), 1: (3, 3)}
    assert one.name == other.name
    assert one.name != batch_of([a_message(5), a_message(3, partition=1)], Form()).name
