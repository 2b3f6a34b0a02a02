"""How far may be committed: nothing unsettled is passed, nothing settled comes again."""

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.bus.offsets import Commit, MalformedNote, Offsets, Taken, read

Step: TypeAlias = tuple[str, int]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "start", "settle", "hand over"]), st.integers(0, 30)
    ),
    max_size=80,
)
"""What happens, and to which of the messages that are in hand."""
GAPS = st.sets(st.integers(0, 60), max_size=20)
"""Offsets that no message has: a broker leaves some out."""


class Consumers:
    """Consumers of one topic, one after the other, and what became of each message."""

    def __init__(self, gaps: set[int]) -> None:
        self.topic = [offset for offset in range(200) if offset not in gaps]
        self.offsets = Offsets()
        self.commit = Commit(0, "")
        self.position = 0
        self.in_hand: list[int] = []
        self.started: set[int] = set()
        self.settled: set[int] = set()

    def step(self, verb: str, number: int) -> None:
        if verb == "take":
            self.take()
        elif verb == "hand over":
            self.hand_over(self.offsets.commit())
        elif self.in_hand:
            offset = self.in_hand[number % len(self.in_hand)]
            if verb == "start":
                self.offsets.start(offset)
                self.started.add(offset)
            else:
                self.offsets.settle(offset)
                self.in_hand.remove(offset)
                self.settled.add(offset)

    def take(self) -> None:
        offset = next(each for each in self.topic if each >= self.position)
        self.position = offset + 1
        taken = self.offsets.take(offset, sent_ms=offset)
        assert (taken is Taken.SETTLED) == (offset in self.settled)
        if taken is Taken.NEW:
            assert offset not in self.in_hand
            assert self.offsets.was_started(offset) == (offset in self.started)
            self.in_hand.append(offset)

    def hand_over(self, commit: Commit) -> None:
        """Let another process go on, which knows nothing but what was committed."""
        self.offsets = Offsets()
        self.offsets.begin(commit)
        self.position = commit.low
        self.in_hand.clear()


@given(STEPS, GAPS)
def test_whoever_goes_on_skips_what_is_settled_and_knows_what_was_started(
    steps: list[Step], gaps: set[int]
) -> None:
    consumers = Consumers(gaps)
    for step in steps:
        consumers.step(*step)
        low = consumers.offsets.low
        seen = {offset for offset in consumers.topic if offset < consumers.offsets.next}
        assert all(offset in consumers.settled for offset in seen if offset < low)
        assert all(offset >= low for offset in consumers.in_hand)
        assert len(consumers.offsets) == len(consumers.in_hand)
        assert consumers.offsets.oldest_ms == min(consumers.in_hand, default=None)


@given(STEPS, GAPS, st.integers(0, 40))
def test_a_note_that_is_too_long_says_less_and_nothing_wrong(
    steps: list[Step], gaps: set[int], most_characters: int
) -> None:
    consumers = Consumers(gaps)
    for verb, number in steps:
        if verb != "hand over":
            consumers.step(verb, number)

    commit = consumers.offsets.commit(most_characters)
    known = read(commit)

    assert len(commit.note) <= max(most_characters, len(str(known.horizon - commit.low)))
    said = {o for o in consumers.topic if commit.low <= o < known.horizon} - known.unsettled
    assert said <= consumers.settled
    assert known.started <= consumers.started - consumers.settled


@given(STEPS, st.data())
def test_what_is_given_back_comes_again(steps: list[Step], data: st.DataObject) -> None:
    consumers = Consumers(set())
    for verb, number in steps:
        if verb != "hand over":
            consumers.step(verb, number)
    taken = sorted(consumers.in_hand)
    end = consumers.offsets.next
    back: list[int] = []
    while taken and taken[-1] == end - 1 and data.draw(st.booleans()):
        end = taken[-1]
        back.append(taken.pop())
        consumers.offsets.give_back(back[-1])

    commit = consumers.offsets.commit()
    after = Offsets()
    after.begin(commit)

    again = {o for o in range(commit.low, 100) if after.take(o, 0) is Taken.NEW}
    assert again >= set(back) | set(taken)
    assert not again & consumers.settled


def test_a_topic_that_comes_back_is_not_taken_twice() -> None:
    offsets = Offsets()
    for offset in range(5):
        offsets.take(offset, 0)
    offsets.settle(1)
    commit = offsets.commit()

    offsets.begin(commit)

    assert commit == Commit(0, "5 0 2 3 4")
    assert [offsets.take(offset, 0) for offset in range(6)] == [
        Taken.IN_HAND, Taken.SETTLED, Taken.IN_HAND, Taken.IN_HAND, Taken.IN_HAND, Taken.NEW,
    ]  # fmt: skip


def test_what_another_consumer_has_settled_meanwhile_is_let_go() -> None:
    offsets = Offsets()
    for offset in range(3):
        offsets.take(offset, 0)

    offsets.begin(Commit(2, "1 0s"))

    assert offsets.low == 2
    assert len(offsets) == 1
    assert offsets.was_started(2)


@pytest.mark.parametrize("note", ["x", "3 s", "3 1t", "3 1.5"])
def test_a_note_that_is_none_is_refused_and_changes_nothing(note: str) -> None:
    offsets = Offsets()
    offsets.take(0, 0)
    with pytest.raises(MalformedNote):
        offsets.begin(Commit(7, note))
    assert (offsets.low, offsets.next) == (0, 1)


def test_a_commit_without_a_note_knows_nothing_above_itself() -> None:
    assert read(Commit(7, "")).horizon == 7
