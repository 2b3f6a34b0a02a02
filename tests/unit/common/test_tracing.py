"""Trace context is read as the standard says, and passed on as it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import tracing
from common.tracing import MOST_STATE, Trace, step_of
from controller.edge.traces import Traces
from tests.fakes.records import an_id

TRACE, STEP = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{STEP}-01"


def test_a_trace_is_passed_on_as_it_came() -> None:
    found = tracing.read(PARENT, "a=1,b=2")
    assert found == Trace(TRACE, STEP, "01", "a=1,b=2")
    assert (found.parent, found.is_sampled) == (PARENT, True)
    child = found.at(step_of(an_id(7)))
    assert child.parent == f"00-{TRACE}-{an_id(7)[16:]}-01"


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        PARENT.upper(),
        f"ff-{TRACE}-{STEP}-01",
        f"00-{'0' * 32}-{STEP}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-more",
        f"00-{TRACE[:-1]}-{STEP}-01",
        f"00-{TRACE}-{STEP}-0x",
        PARENT + "\n",
    ],
)
def test_nonsense_is_no_trace(parent: str) -> None:
    found = tracing.read(parent)
    assert found is None or found.parent == parent.strip()


def test_a_later_version_is_read_as_far_as_it_goes() -> None:
    found = tracing.read(f"01-{TRACE}-{STEP}-03-more")
    assert found is not None
    assert found.parent == PARENT, "only what this version knows of the flags is passed on"
    other = tracing.read(f"00-{TRACE}-{STEP}-02")
    assert other is not None
    assert not other.is_sampled


@pytest.mark.parametrize("state", ["x" * (MOST_STATE + 1), "a=ä", "a=1\r\nX: y"])
def test_a_state_that_cannot_travel_is_left_behind(state: str) -> None:
    found = tracing.read(PARENT, state)
    assert found is not None
    assert found.state == ""


@given(st.text())
def test_no_header_breaks_the_reader(text: str) -> None:
    assert tracing.read(text, text) is None


def test_as_many_traces_begin_as_are_asked_for() -> None:
    assert not any(Traces(0.0).begun() for _ in range(1000))
    all_of_them, half = Traces(1.0), Traces(0.5)
    assert all(all_of_them.begun() for _ in range(1000))
    count = sum(half.begun() is not None for _ in range(4000))
    assert 1700 < count < 2300, "five deviations around the half"


def test_who_brings_a_trace_is_a_step_further_in_it() -> None:
    found = Traces(0.0).of(PARENT, None)
    assert found is not None
    assert (found.trace_id, found.flags) == (TRACE, "01")
    assert found.step != STEP
    own = Traces(1.0).of("nonsense", "a=1")
    assert own is not None
    assert tracing.read(own.parent) == own
