"""Which file holds a record: a question of the record alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.ids import ActivationId, activation_id
from common.store import days, sqlite_days
from common.store.shard import Shard, shard_of
from tests.fakes.records import DAY_MS, NOON_MS, an_id

TODAY = NOON_MS // DAY_MS
STARTS = st.integers(0, 1 << 47)
IDS = st.builds(activation_id, STARTS, st.integers(0, (1 << 74) - 1)) | st.text().map(ActivationId)


@given(activation=IDS, start_ms=STARTS)
def test_a_start_is_within_the_bounds_of_its_file(activation: ActivationId, start_ms: int) -> None:
    day = days.day_of(activation, start_ms)

    for shard in (Shard(day), Shard(day, is_late=True), Shard(day + 1, is_late=True)):
        assert shard.first_start_ms <= start_ms <= shard.last_start_ms
        assert days.shards_between([shard], start_ms, start_ms) == [shard]
        assert shard_of(shard.text) == shard
        assert sqlite_days.shards_in_names([sqlite_days.file_of(Path(), shard).name]) == {shard}


def test_an_id_of_ours_names_the_day_and_any_other_leaves_it_to_the_start() -> None:
    midnight_ms = (TODAY + 1) * DAY_MS
    evening_id = an_id(1, at_ms=midnight_ms - 1)

    assert days.hinted_day(evening_id) == TODAY
    assert days.day_of(evening_id, midnight_ms + 5) == TODAY
    assert days.day_of(evening_id, midnight_ms + 2 * DAY_MS) == TODAY + 3
    for foreign in ("44b1a0ed3c124f34b1a0ed3c12ef34aa", evening_id.upper(), "", evening_id + "\n"):
        assert days.hinted_day(ActivationId(foreign)) is None
        assert days.day_of(ActivationId(foreign), midnight_ms) == TODAY + 1


def test_a_file_is_called_by_its_day() -> None:
    late = Shard(TODAY, is_late=True)
    assert sqlite_days.file_of(Path("folder"), Shard(TODAY)) == Path("folder/act-20251121.db")
    assert sqlite_days.file_of(Path("folder"), late) == Path("folder/act-late_20251121.db")
    names = [
        "act-20251121.db", "act-20251121.db-wal", "act-2025.db", "act-20251122.0a.new",
        "act-20251399.db", "act-late_20251121.db", "20251121.db",
    ]  # fmt: skip
    assert sqlite_days.shards_in_names(names) == {Shard(TODAY), late}


@pytest.mark.parametrize(
    ("since", "upto", "wanted"),
    [
        (None, None, [9, 8, 5, 1]),
        (8 * DAY_MS, None, [9, 8]),
        (None, 4 * DAY_MS, [5, 1]),
        (7 * DAY_MS, 7 * DAY_MS + 1, [8]),
        (1 << 80, None, []),
    ],
)
def test_only_days_that_may_hold_a_start_are_asked(
    since: int | None, upto: int | None, wanted: list[int]
) -> None:
    assert days.shards_between(map(Shard, {1, 5, 8, 9}), since, upto) == [*map(Shard, wanted)]
