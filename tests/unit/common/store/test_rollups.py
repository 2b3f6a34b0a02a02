"""Sums of a closed day are a function of its records, and lose none of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.ids import Namespace
from common.store.couch_layout import sums_id
from common.store.couch_records import rollup_of, sums_body
from common.store.ledger import HourUsage
from common.store.port import Corrupted
from common.store.rollups import Owned, Shrunk, beyond, hours_of, rolled, sums
from common.store.shard import DAY_MS, Shard
from tests.fakes.records import NOON_MS

DAY = NOON_MS // DAY_MS
ROWS = st.lists(
    st.tuples(
        st.sampled_from([Namespace("guest"), Namespace("other")]),
        st.builds(
            HourUsage,
            path=st.sampled_from(["a", "p/a", "b c@d.e"]),
            hour=st.integers((DAY - 1) * 24, (DAY + 2) * 24 - 1),
            activations=st.integers(1, 1 << 20),
            billed_ms=st.integers(0, 1 << 50),
            mb_ms=st.integers(0, 1 << 60),
        ),
    ),
    max_size=20,
)


@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_is_nothing_and_no_row_is_lost(
    rows: list[Owned], order: st.DataObject
) -> None:
    found = rolled(rows)
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]

    assert rolled(shuffled) == found
    assert sums(found) == (
        sum(row.activations for _, row in rows),
        sum(row.billed_ms for _, row in rows),
        sum(row.mb_ms for _, row in rows),
    )
    assert rolled((each.namespace, row) for each in found for row in hours_of(each)) == found


@given(known=ROWS, later=ROWS)
def test_what_came_later_is_what_there_is_more(known: list[Owned], later: list[Owned]) -> None:
    assert beyond(rolled([*known, *later]), rolled(known)) == rolled(later)
    if later:
        with pytest.raises(Shrunk):
            beyond(rolled(known), rolled([*known, *later]))


@given(rows=ROWS, run=st.integers(0, 3), is_late=st.booleans())
def test_a_document_of_sums_is_read_as_it_was_written(
    rows: list[Owned], run: int, is_late: bool
) -> None:
    shard = Shard(DAY, is_late)
    found = rolled(rows)

    assert [rollup_of(sums_body(each, shard, run)) for each in found] == found
    assert len({sums_id(each, shard, run) for each in found}) == len(found)
    for each in found:
        assert sums_body(each, shard, run)["late"] == (is_late or run > 0)
        with pytest.raises(Corrupted):
            rollup_of(sums_body(each, shard, run) | {"mb_ms": [0] * 23})
