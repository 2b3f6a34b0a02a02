"""Where an activation goes: the same everywhere, near its warm sandboxes, where there is room."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from common.ids import InvokerId
from controller.balance.placement import place, preferred

INVOKERS = st.sets(st.integers(0, 500).map(InvokerId), min_size=1, max_size=30)
KEYS = st.text(max_size=30)


@given(KEYS, INVOKERS)
def test_an_order_has_everybody_once_and_is_the_same_for_everyone(
    key: str, invokers: set[InvokerId]
) -> None:
    order = preferred(key, invokers)
    assert sorted(order) == sorted(invokers)
    assert preferred(key, sorted(invokers, reverse=True)) == order


@given(KEYS, INVOKERS, st.data())
def test_who_leaves_takes_nobody_elses_place(
    key: str, invokers: set[InvokerId], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sorted(invokers)))
    order = [invoker for invoker in preferred(key, invokers) if invoker != gone]
    assert list(preferred(key, invokers - {gone})) == order


def test_actions_spread_over_the_invokers_and_a_new_one_takes_its_share_only() -> None:
    keys = [f"guest/action-{number}" for number in range(4000)]
    ten = [InvokerId(number) for number in range(10)]
    homes = {key: preferred(key, ten)[0] for key in keys}
    assert all(300 < count < 500 for count in Counter(homes.values()).values())
    eleven = {key: preferred(key, [*ten, InvokerId(10)])[0] for key in keys}
    moved = [key for key in keys if eleven[key] != homes[key]]
    assert all(eleven[key] == InvokerId(10) for key in moved)
    assert len(moved) < 2 * len(keys) / 11


def test_the_first_with_room_gets_it_and_else_the_least_overbooked() -> None:
    order = [InvokerId(3), InvokerId(1), InvokerId(2)]
    free = {InvokerId(3): 100, InvokerId(1): 256, InvokerId(2): 512}
    assert place(order, free.__getitem__, 256) == InvokerId(1)
    assert place(order, free.__getitem__, 512) == InvokerId(2)
    overbooked = {InvokerId(3): -700, InvokerId(1): -100, InvokerId(2): -300}
    assert place(order, overbooked.__getitem__, 256) == InvokerId(1)
    assert place([], overbooked.__getitem__, 256) is None
