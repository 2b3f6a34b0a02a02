"""What is due for which place, as a table of ages and states."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.store.retention import Retention, Step, coming, due, longest, shown_from_ms
from common.store.shard import DAY_MS, HOUR_MS, Shard, State

KEEP = Retention(grace_ms=26 * HOUR_MS, records_ms=7 * DAY_MS, sums_ms=400 * DAY_MS)
TODAY = 20_413
COMING = {Shard(TODAY): State.OPEN, Shard(TODAY + 1): State.OPEN}


def steps(known: Mapping[Shard, State], hour: int = 12) -> list[Step]:
    return due(TODAY * DAY_MS + hour * HOUR_MS, known, KEEP)


def test_today_and_tomorrow_are_prepared_once() -> None:
    assert steps({}) == [Step("prepare", Shard(TODAY)), Step("prepare", Shard(TODAY + 1))]
    assert steps({Shard(TODAY): State.OPEN}) == [Step("prepare", Shard(TODAY + 1))]
    assert steps(COMING) == []
    assert steps(COMING | {Shard(TODAY + 1): State.DROPPED}) == []


def test_more_is_made_for_processes_that_may_make_nothing() -> None:
    late = [Shard(TODAY, is_late=True), Shard(TODAY + 1, is_late=True)]
    now_ms = TODAY * DAY_MS
    days = [Shard(TODAY), Shard(TODAY + 1)]
    assert coming(now_ms, {}, for_others=True) == [*days, *late]
    assert coming(now_ms, [*days, *late], for_others=True) == []
    assert coming(now_ms, [*days, late[0]], for_others=True) == [late[1]]
    assert coming(now_ms, [*days, *late], for_others=False) == []
    prepared = due(now_ms, {}, KEEP, for_others=True)
    assert prepared == [Step("prepare", shard) for shard in (*days, *late)]


@pytest.mark.parametrize(("newest", "missed"), [(1, 0), (2, 1), (5, 4), (31, 30), (4000, 31)])
def test_days_are_made_that_passed_while_nothing_could_be_made(newest: int, missed: int) -> None:
    known = [Shard(TODAY - newest), Shard(TODAY - 1, is_late=True), Shard(TODAY + 3)]
    found = [shard for shard in coming(TODAY * DAY_MS, known, for_others=True) if not shard.is_late]
    assert found == [Shard(day) for day in range(TODAY - missed, TODAY + 2)]


@pytest.mark.parametrize(
    ("days_ago", "hour", "state", "kind"),
    [
        (1, 23, State.OPEN, None),
        (2, 1, State.OPEN, None),
        (2, 2, State.OPEN, "seal"),
        (300, 0, State.OPEN, "seal"),
        (0, 0, State.SEALING, "seal"),
        (7, 23, State.SEALED, "seal"),
        (8, 0, State.SEALED, "drop"),
        (0, 0, State.DROPPING, "drop"),
        (8, 0, State.DROPPED, None),
        (400, 23, State.DROPPED, None),
        (401, 0, State.DROPPED, "forget"),
        (500, 0, State.SEALED, "drop"),
        (-3, 0, State.OPEN, None),
    ],
)
def test_a_place_is_due_by_its_age_and_state(
    days_ago: int, hour: int, state: State, kind: str | None
) -> None:
    for shard in (Shard(TODAY - days_ago), Shard(TODAY - days_ago, is_late=True)):
        found = [step.kind for step in steps(COMING | {shard: state}, hour) if step.shard == shard]
        assert found == ([] if kind is None else [kind])


@pytest.mark.parametrize("state", [State.OPEN, State.SEALING, State.SEALED])
def test_the_late_outlive_the_days_that_they_are_of(state: State) -> None:
    late, day = Shard(TODAY - 9, is_late=True), Shard(TODAY - 30)
    assert steps(COMING | {late: State.SEALED, day: state})[-1] == Step("seal", late)
    gone = COMING | {late: State.SEALED, day: State.DROPPED, Shard(TODAY - 3): State.SEALED}
    assert Step("drop", late) in steps(gone)


STATES = st.dictionaries(
    st.builds(Shard, st.integers(TODAY - 420, TODAY + 3), st.booleans()),
    st.sampled_from(State),
    max_size=12,
)
AFTER = {"prepare": State.OPEN, "seal": State.SEALED, "drop": State.DROPPED}


@given(known=STATES)
def test_what_is_done_leads_to_rest_and_nothing_goes_before_it_is_sealed(
    known: dict[Shard, State],
) -> None:
    for _ in range(6):
        found = steps(known)
        assert len({step.shard for step in found}) == len(found)
        for step in found:
            before = known.get(step.shard)
            if step.kind == "drop":
                assert before in (State.SEALED, State.DROPPING)
            if step.kind == "forget":
                assert before is State.DROPPED
                del known[step.shard]
            else:
                known[step.shard] = AFTER[step.kind]

    left = steps(known)
    assert {step.kind for step in left} <= {"seal"}, "which verifies"
    assert all(known[step.shard] is State.SEALED for step in left)


def test_a_day_goes_when_nobody_keeps_it_any_more() -> None:
    sealed = COMING | {Shard(TODAY - 20): State.SEALED}
    noon_ms = TODAY * DAY_MS + 12 * HOUR_MS
    for days, kind in (([], "drop"), ([1, 0], "drop"), ([19], "drop"), ([20, 3], "seal")):
        [step] = due(noon_ms, sealed, longest(KEEP, days))
        assert (step.kind, days) == (kind, days)


@given(days=st.integers(0, 1 << 31), age=st.integers(0, 1 << 31), ms=st.integers(0, DAY_MS - 1))
def test_what_is_shown_is_what_is_kept(days: int, age: int, ms: int) -> None:
    """A record of a day is shown exactly until that day would go for its namespace alone."""
    now_ms, kept = TODAY * DAY_MS + ms, Retention(grace_ms=0, records_ms=days * DAY_MS, sums_ms=0)
    [step] = due(now_ms, COMING | {Shard(TODAY - 1 - age): State.SEALED}, kept)
    noon_ms = (TODAY - 1 - age) * DAY_MS + 12 * HOUR_MS
    assert (noon_ms >= shown_from_ms(now_ms, days)) == (step.kind == "seal")
