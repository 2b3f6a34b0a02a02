"""What a namespace has of its own: read leniently, written strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.entity.namespace_limits import (
    FIELDS,
    NONE,
    NamespaceLimits,
    NotALimit,
    changed,
    limits_of,
    shown,
    size_bytes,
)


def test_what_is_set_is_read_and_what_cannot_be_read_counts_as_not_set() -> None:
    read = limits_of(
        {
            "invocationsPerMinute": 60,
            "firesPerMinute": "many",
            "concurrentInvocations": True,
            "allowedKinds": ["python:3.11"],
            "storeActivations": False,
            "maxPayloadSize": "2 KB",
            "maxParameterSize": "2 QB",
            "maxActionMemory": -1,
            "unheardOf": 1,
        }
    )
    numbers = (("invocationsPerMinute", 60), ("maxPayloadSize", 2048))
    assert read == NamespaceLimits(numbers, ("python:3.11",), False)
    assert (read.number("invocationsPerMinute", 7), read.number("firesPerMinute", 7)) == (60, 7)
    assert limits_of({}) == NONE


@given(
    st.dictionaries(
        st.sampled_from(list(FIELDS)),
        st.none() | st.integers() | st.text() | st.booleans() | st.lists(st.text()) | st.floats(),
    )
)
def test_whatever_a_document_says_it_is_read(body: dict[str, object]) -> None:
    assert isinstance(limits_of(body), NamespaceLimits)


def test_limits_are_put_over_those_that_are_there() -> None:
    body = changed({"firesPerMinute": 1, "odd": "kept"}, {"invocationsPerMinute": 0})
    body = changed(body, {"storeActivations": False, "allowedKinds": ["a", "b"]})
    assert body["odd"] == "kept"
    # In wskadmin's order, and with Python's words for booleans.
    assert shown(body) == [
        "invocationsPerMinute = 0",
        "firesPerMinute = 1",
        "allowedKinds = a, b",
        "storeActivations = False",
    ]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("invocationPerMinute", 1, "there is no limit invocationPerMinute: one of invocations"),
        ("invocationsPerMinute", -1, "a whole number from 0"),
        ("invocationsPerMinute", True, "a whole number from 0"),
        ("maxActionMemory", 1 << 31, "a whole number from 0"),
        ("storeActivations", "yes", "true or false"),
        ("allowedKinds", "python:3", "a list of kinds"),
        ("maxPayloadSize", "much", "a size such as"),
    ],
)
def test_what_is_no_limit_is_refused_and_says_what_may_be(
    name: str, value: object, why: str
) -> None:
    with pytest.raises(NotALimit, match=why):
        changed({}, {name: value})


@pytest.mark.parametrize(
    ("text", "size"),
    [("0 B", 0), ("1048576 B", 1 << 20), ("512 KB", 512 << 10), ("1mb", 1 << 20), ("2 GB", 2 << 30),
     ("7", 7), ("-1 B", None), ("1.5 MB", None), ("", None)],
)  # fmt: skip
def test_sizes(text: str, size: int | None) -> None:
    assert size_bytes(text) == size
