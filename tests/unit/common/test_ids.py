"""Activation ids: 32 hex digits as OpenWhisk has them, ordered by time as ours are."""

import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from common import ids

MOMENTS = st.integers(0, (1 << 48) - 1)
RANDOM = st.integers(0, (1 << ids.RANDOM_BITS) - 1)


@given(MOMENTS, RANDOM)
def test_an_id_has_the_form_that_clients_check(now_ms: int, random_bits: int) -> None:
    activation = ids.activation_id(now_ms, random_bits)
    assert re.fullmatch(r"[0-9a-f]{32}", activation)
    assert len(activation) == ids.ACTIVATION_ID_LENGTH


@given(MOMENTS, RANDOM)
def test_an_id_is_a_uuid_of_version_7_and_tells_its_time(now_ms: int, random_bits: int) -> None:
    activation = ids.activation_id(now_ms, random_bits)
    assert UUID(activation).version == 7
    assert ids.accepted_ms(activation) == now_ms


@given(MOMENTS, MOMENTS, RANDOM, RANDOM)
def test_ids_sort_by_time(early_ms: int, late_ms: int, one: int, other: int) -> None:
    early_ms, late_ms = sorted((early_ms, late_ms))
    if early_ms < late_ms:
        assert ids.activation_id(early_ms, one) < ids.activation_id(late_ms, other)


@given(MOMENTS, RANDOM, RANDOM)
def test_within_a_millisecond_only_chance_can_make_two_ids_equal(
    now_ms: int, one: int, other: int
) -> None:
    same = ids.activation_id(now_ms, one) == ids.activation_id(now_ms, other)
    assert same == (one == other)
