"""What is fired of a schedule: on time, late, after a pause of its provider, and at its ends."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.events import schedule
from controller.events.schedule import MAX_MADE_UP, TIMELY_MS, Due, Schedule, delay_ms, due, first

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
NOON_MS = int(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp() * 1000)
HOURLY = Schedule(cron="0 * * * *")


def lived(plan: Schedule, start_ms: int, end_ms: int, *, step_ms: int) -> list[int]:
    """Return what is fired by somebody who looks every *step_ms*."""
    found: list[int] = []
    next_ms, now_ms = first(plan, start_ms), start_ms
    while now_ms < end_ms and next_ms is not None:
        now_ms += step_ms
        done = due(plan, next_ms, now_ms)
        found += done.firings
        next_ms = done.next_ms
    return found


@pytest.mark.parametrize("step_ms", [1_000, 7_000, 59_000])
def test_an_hour_of_minutes_is_sixty_firings_however_often_one_looks(step_ms: int) -> None:
    plan = Schedule(cron="* * * * *")
    fired = lived(plan, NOON_MS + 1, NOON_MS + HOUR_MS + 1, step_ms=step_ms)
    assert fired == [NOON_MS + minute * MINUTE_MS for minute in range(1, len(fired) + 1)]
    assert 59 <= len(fired) <= 61


def test_a_month_of_hours_is_computed_in_a_moment() -> None:
    plan = Schedule(cron="*/10 * * * *", zone="Europe/Berlin")
    began = time.process_time()
    fired = lived(plan, NOON_MS, NOON_MS + 30 * DAY_MS, step_ms=5 * MINUTE_MS)
    assert time.process_time() - began < 1.0
    assert len(fired) == 30 * 24 * 6


@pytest.mark.parametrize(
    ("missed", "made_up"),
    [("skip", []), ("one", [1]), ("all", [1, 2, 3, 4])],
)
def test_what_was_missed_is_made_up_as_is_wanted(
    missed: schedule.Missed, made_up: list[int]
) -> None:
    plan = replace(HOURLY, missed=missed)
    back_ms = NOON_MS + 4 * HOUR_MS + 30 * MINUTE_MS
    expected = Due(tuple(NOON_MS + hour * HOUR_MS for hour in made_up), NOON_MS + 5 * HOUR_MS)
    assert due(plan, NOON_MS + HOUR_MS, back_ms) == expected


@pytest.mark.parametrize("missed", schedule.MISSED)
def test_what_is_only_late_is_fired_whatever_becomes_of_what_was_missed(
    missed: schedule.Missed,
) -> None:
    plan = replace(HOURLY, missed=missed)
    late_ms = NOON_MS + TIMELY_MS
    assert due(plan, NOON_MS, late_ms) == Due((NOON_MS,), NOON_MS + HOUR_MS)
    # Missed hours, and one that is only late: that one is fired for itself.
    firings = due(plan, NOON_MS - 3 * HOUR_MS, late_ms).firings
    assert firings[-1] == NOON_MS
    assert len(firings) == {"skip": 1, "one": 2, "all": 4}[missed]


def test_no_more_is_made_up_than_is_bounded() -> None:
    plan = Schedule(cron="* * * * *", missed="all")
    found = due(plan, NOON_MS, NOON_MS + DAY_MS)
    assert found.firings == tuple(NOON_MS + n * MINUTE_MS for n in range(MAX_MADE_UP))
    assert found.next_ms is not None and found.next_ms >= NOON_MS + DAY_MS - TIMELY_MS


def test_the_first_firing_to_come_is_the_first_one_of_the_next_look_too() -> None:
    """A provider that dies behind a firing finds the same one, and so does who takes over."""
    for missed in ("one", "all"):
        plan = Schedule(cron="*/5 * * * *", missed=missed)
        for later_ms in (0, MINUTE_MS, HOUR_MS, DAY_MS):
            assert due(plan, NOON_MS, NOON_MS + later_ms).firings[0] == NOON_MS


def test_an_interval_keeps_step_with_its_start() -> None:
    start_ms = NOON_MS + 12_345
    plan = Schedule(every_ms=7 * MINUTE_MS, start_ms=start_ms)
    assert first(plan, NOON_MS) == start_ms
    for count in (0, 1, 5, 1_000):
        at_ms = start_ms + count * 7 * MINUTE_MS
        assert schedule.following(plan, at_ms - 1) == at_ms
        assert schedule.following(plan, at_ms) == at_ms + 7 * MINUTE_MS
    assert first(plan, start_ms + 1) == start_ms + 7 * MINUTE_MS


def test_a_date_comes_once_also_when_it_was_missed() -> None:
    plan = Schedule(once_ms=NOON_MS)
    assert first(plan, NOON_MS - DAY_MS) == NOON_MS
    assert due(plan, NOON_MS, NOON_MS - 1) == Due((), NOON_MS)
    assert due(plan, NOON_MS, NOON_MS) == Due((NOON_MS,), None)
    assert due(plan, NOON_MS, NOON_MS + DAY_MS) == Due((NOON_MS,), None)
    assert due(replace(plan, missed="skip"), NOON_MS, NOON_MS + DAY_MS) == Due((), None)


def test_nothing_is_fired_before_the_start_and_after_the_stop() -> None:
    plan = replace(HOURLY, start_ms=NOON_MS + 2 * HOUR_MS, stop_ms=NOON_MS + 4 * HOUR_MS)
    fired = lived(plan, NOON_MS, NOON_MS + DAY_MS, step_ms=30_000)
    assert fired == [NOON_MS + hour * HOUR_MS for hour in (2, 3, 4)]
    assert first(replace(plan, stop_ms=NOON_MS + HOUR_MS), NOON_MS) is None
    every = Schedule(every_ms=HOUR_MS, start_ms=NOON_MS + 1, stop_ms=NOON_MS)
    assert first(every, NOON_MS) is None


def test_jitter_is_bounded_spread_and_the_same_each_time() -> None:
    plan = replace(HOURLY, jitter_s=90)
    delays = [delay_ms(plan, "a-feed", NOON_MS + n * HOUR_MS) for n in range(500)]
    assert delays == [delay_ms(plan, "a-feed", NOON_MS + n * HOUR_MS) for n in range(500)]
    assert all(0 <= each <= 90_000 for each in delays)
    assert max(delays) > 80_000 and min(delays) < 10_000 and len(set(delays)) > 450
    assert delays[0] != delay_ms(plan, "another", NOON_MS)
    assert delay_ms(HOURLY, "a-feed", NOON_MS) == 0


def test_moments_are_shown_as_people_read_them() -> None:
    at = datetime(2026, 11, 28, 12, tzinfo=UTC) + timedelta(milliseconds=999)
    assert schedule.shown(int(at.timestamp() * 1000)) == "2026-11-28T12:00:00Z"
