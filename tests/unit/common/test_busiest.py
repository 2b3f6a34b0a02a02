"""Numbers of namespaces: bounded, and never less than they were."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import namespace_metrics
from common.busiest import CANDIDATES, OTHERS, Busiest
from common.ids import Namespace
from common.metric_registry import REGISTRY
from tests.fakes.records import a_record


def ended(busiest: Busiest, name: str, times: int = 1) -> None:
    for _ in range(times):
        busiest.count(replace(a_record(7), namespace=Namespace(name)))


def names(busiest: Busiest) -> set[str]:
    return set(busiest.shown)


def test_who_comes_first_has_a_place_until_somebody_is_clearly_busier() -> None:
    busiest = Busiest(2)
    for name in ("a", "b", "c"):
        ended(busiest, name, 2)
    busiest.look()
    assert names(busiest) == {"a", "b"}, "as busy is not busier"
    ended(busiest, "a", 5)
    ended(busiest, "b", 1)
    ended(busiest, "c", 3)
    busiest.look()
    assert names(busiest) == {"a", "c"}
    assert sum(busiest.others.ended) == 2 + 3 + (2 + 1), "all that b had, and c before"
    assert sum(busiest.shown[Namespace("c")].ended) == 0
    busiest.look()
    assert names(busiest) == {"a", "c"}, "who rests keeps a place that nobody wants"


def test_none_may_have_a_place() -> None:
    busiest = Busiest(0)
    ended(busiest, "a", 3)
    busiest.look()
    assert (names(busiest), sum(busiest.others.ended)) == (set(), 3)


def test_nobody_can_take_the_name_of_the_others() -> None:
    busiest = Busiest(2)
    ended(busiest, OTHERS, 3)
    busiest.look()
    assert names(busiest) == set()


def test_a_crowd_is_not_remembered() -> None:
    busiest = Busiest(2)
    for number in range(1000):
        ended(busiest, f"n{number}")
    assert len(busiest._candidates) == 2 * CANDIDATES


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "_other", None]), max_size=200),
    st.integers(0, 3),
)
def test_every_activation_is_counted_once_and_no_sum_falls(
    steps: list[str | None], most: int
) -> None:
    """None looks; a name ends one activation of that namespace."""
    busiest, others, count = Busiest(most), 0, Counter[str]()
    for step in steps:
        if step is None:
            busiest.look()
        else:
            ended(busiest, step)
            count[step] += 1
        assert len(busiest.shown) <= most
        assert sum(busiest.others.ended) >= others
        others = sum(busiest.others.ended)
        shown = {name: sum(tally.ended) for name, tally in busiest.shown.items()}
        assert sum(shown.values()) + others == count.total()
        assert all(value <= count[name] for name, value in shown.items())


def test_metrics_tell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_metrics.NAMESPACES, "busiest", Busiest(1))
    namespace_metrics.NAMESPACES.busiest.count(a_record(7, init_ms=5))
    ended(namespace_metrics.NAMESPACES.busiest, 'b"\n', 2)

    def read(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, labels)

    total = "brisk_namespace_activations_total"
    assert read(total, namespace="guest", status="success") == 1
    assert read(total, namespace="_other", status="success") == 2
    assert read("brisk_namespace_billed_seconds_total", namespace="guest") == 0.007
    assert read("brisk_namespace_wait_seconds_total", namespace="guest") == 0.003
    assert read("brisk_namespace_cold_activations_total", namespace="guest") == 1
