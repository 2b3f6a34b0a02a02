"""Metrics: every series is there from the start, with a unit in its name and closed labels."""

import gc
import re
import weakref
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from common import metrics
from common.entity.activation import ActivationRecord, Response, Status
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import ActivationId, Namespace, Subject

RECORD = ActivationRecord(
    activation_id=ActivationId("0" * 32),
    namespace=Namespace("guest"),
    subject=Subject("guest"),
    action=QualifiedName(Namespace("guest"), None, "hello"),
    version="0.0.1",
    kind="python:3.11",
    limits=Limits(),
    start_ms=1,
    end_ms=150,
    duration_ms=149,
    wait_ms=4,
    init_ms=100,
    timed_out=False,
    response=Response(status=Status.DEVELOPER_ERROR, result=b"{}"),
    logs=(),
    billed_ms=149,
    memory_mb=256,
)


def sample(name: str, **labels: str) -> float:
    value = metrics.REGISTRY.get_sample_value(name, labels)
    assert value is not None, f"there is no series {name} {labels}"
    return value


def test_an_ended_activation_is_counted_by_status_and_in_seconds() -> None:
    names = [
        "brisk_invoker_wait_duration_seconds_sum",
        "brisk_invoker_init_duration_seconds_sum",
        "brisk_invoker_run_duration_seconds_sum",
    ]
    status = {"status": "action_developer_error"}
    before = [sample(name) for name in names]
    ended = sample("brisk_invoker_activations_total", **status)

    metrics.count_ended(RECORD)

    after = [sample(name) for name in names]
    assert [new - old for new, old in zip(after, before, strict=True)] == pytest.approx(
        [0.004, 0.1, 0.049]
    )
    assert sample("brisk_invoker_activations_total", **status) == ended + 1


def test_a_warm_start_is_no_initialisation_of_zero_seconds() -> None:
    before = sample("brisk_invoker_init_duration_seconds_count")
    metrics.count_ended(replace(RECORD, init_ms=None))
    assert sample("brisk_invoker_init_duration_seconds_count") == before


def test_every_series_exists_before_anything_happened() -> None:
    text = metrics.render().decode()
    for series in (
        'brisk_pool_sandboxes{state="paused"}',
        'brisk_pool_starts_total{start="stem"}',
        'brisk_http_requests_total{code="5xx",route="invoke"}',
        'brisk_entitlement_throttled_requests_total{limit="concurrent_invocations"}',
        'brisk_invoker_activations_total{status="whisk_internal_error"}',
        'brisk_bus_depth_messages{topic="cacheInvalidation"}',
    ):
        assert f"\n{series} " in text


def test_every_name_says_part_what_and_unit() -> None:
    counted = "records|messages|activations|compositions|sandboxes|dependencies|images|networks"
    counted += "|connections|news|feeds|budgets|spans"
    units = rf"(total|seconds|bytes|megabytes|{counted})"
    for family in metrics.REGISTRY.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert re.fullmatch(
            rf"brisk_(controller|invoker|pool|driver|store|bus|http|entitlement|health|log|namespace|stream|tracing|(user_)?events)_[a-z_]*{units}",
            name,
        )
        assert family.documentation.endswith(".")


class Line:
    """Something whose length a gauge shows."""

    def __init__(self, length: int) -> None:
        self.length = length


def test_a_gauge_asks_its_owner_when_it_is_read() -> None:
    line = Line(0)
    with metrics.shown({metrics.WAITING_ACTIVATIONS: lambda: line.length}):
        line.length = 3
        assert sample("brisk_pool_waiting_activations") == 3
    assert sample("brisk_pool_waiting_activations") == 0


def test_who_is_shown_no_more_is_held_no_more() -> None:
    for length in (3, 5):  # one after the other in one process
        line = Line(length)
        with metrics.shown({metrics.WAITING_ACTIVATIONS: partial(getattr, line, "length")}):
            assert sample("brisk_pool_waiting_activations") == length
        alive = weakref.ref(line)
        del line
        gc.collect()
        assert alive() is None


def test_two_owners_at_a_time_are_added_whoever_leaves_first() -> None:
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(metrics.shown({metrics.WAITING_ACTIVATIONS: lambda: 3}))
        second.enter_context(metrics.shown({metrics.WAITING_ACTIVATIONS: lambda: 5}))
        assert sample("brisk_pool_waiting_activations") == 8
        first.close()
        assert sample("brisk_pool_waiting_activations") == 5


def test_a_bucket_holds_what_is_at_most_its_bound() -> None:
    name = "brisk_invoker_wait_duration_seconds_bucket"
    bounds = ["0.001", "0.002", "0.005", "300.0", "+Inf"]
    before = [sample(name, le=bound) for bound in bounds]
    for duration_ms in (0, 2, 3, 300_000, 300_001):
        metrics.WAIT_DURATION.observe(duration_ms)
    after = [sample(name, le=bound) for bound in bounds]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 2, 3, 4, 5]
    assert sample("brisk_invoker_wait_duration_seconds_count") == after[-1]
