"""JSON as bytes: digits survive, what is not JSON is refused, raw text is passed on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.codec import MalformedJson, Raw, decode, encode

# Integers of any length; floats are compared as Python's own parser reads them.
SCALARS = st.none() | st.booleans() | st.integers() | st.text(
    st.characters(exclude_categories=["Cs"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(
        st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    text = encode(value)
    assert decode(text) == value
    assert json.loads(text) == value


@pytest.mark.parametrize(
    "digits",
    ["9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809"],
)
def test_an_integer_beyond_64_bits_keeps_its_digits(digits: str) -> None:
    assert decode(f'{{"n":{digits}}}') == {"n": int(digits)}
    assert encode({"n": int(digits)}) == f'{{"n":{digits}}}'.encode()


@pytest.mark.parametrize(
    "text",
    ["", "NaN", "[1,NaN]", "-Infinity", "[123456789012345678901,NaN]", '"\\ud800"', "{'a':1}",
     "[1,]", "01", "[" * 5000 + "]" * 5000, "7" * 5000],
)  # fmt: skip
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(MalformedJson):
        decode(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(MalformedJson):
        decode(b'"\xff"')


def test_raw_text_is_passed_on_letter_for_letter() -> None:
    raw = b'{"n": 1e2,  "long":123456789012345678901}'
    assert encode({"result": Raw(raw)}) == b'{"result":' + raw + b"}"


def test_raw_text_beside_a_long_integer_keeps_its_digits() -> None:
    document = {"n": 1 << 70, "result": Raw(b'{"long":123456789012345678901}')}
    assert decode(encode(document)) == {"n": 1 << 70, "result": {"long": 123456789012345678901}}


@pytest.mark.parametrize("value", [object(), {"n": 1 << 70, "nan": float("nan")}])
def test_what_json_cannot_hold_is_never_written(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode(value)


@given(st.integers(0, 40), st.integers(1, 40), st.text("ab, 0123456789", max_size=40))
def test_an_integer_of_any_length_keeps_its_digits_wherever_it_stands(
    before: int, digits: int, after: str
) -> None:
    number = int("9" * digits)
    text = '{"a":"' + "x" * before + f'","n":{number},"b":"{after}"}}'
    assert decode(text)["n"] == number
