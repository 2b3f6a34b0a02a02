"""What a namespace has of its own narrows what it may ask for, and never widens it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.entity.namespace_limits import NONE, NamespaceLimits, limits_of
from common.errors import KindNotAuthorized, LimitOutOfBounds
from common.settings import LimitSettings
from controller.api.bounds import check_kind, check_limits, effective, payload_bytes
from tests.fakes.records import DAY_MS, NOON_MS, a_record, an_id
from tests.fakes.running_api import authorization, running_api

CODE = {"kind": "python:3.11", "code": "def main(a): return a"}
MEMORY = {"minActionMemory": 200, "maxActionMemory": 300}


@given(st.integers(0, 1 << 31), st.integers(0, 1 << 31), st.integers(0, 1 << 31))
def test_the_bounds_of_a_namespace_are_within_those_of_the_installation(
    least: int, most: int, size: int
) -> None:
    bounds = LimitSettings()
    own = NamespaceLimits(
        (("minActionMemory", least), ("maxActionMemory", most), ("maxParameterSize", size))
    )
    narrowed = effective(bounds, own)
    for each in (narrowed.min_memory_mb, narrowed.max_memory_mb):
        assert bounds.min_memory_mb <= each <= bounds.max_memory_mb
    assert narrowed.max_parameters_bytes == min(size, bounds.max_parameters_bytes)
    assert narrowed.max_timeout_ms == bounds.max_timeout_ms


def test_where_nothing_is_set_nothing_is_made() -> None:
    bounds = LimitSettings()
    assert effective(bounds, NONE) is bounds
    assert payload_bytes(bounds, NONE) == bounds.max_payload_bytes
    assert payload_bytes(bounds, limits_of({"maxPayloadSize": "1 KB"})) == 1024
    assert payload_bytes(bounds, limits_of({"maxPayloadSize": "1 GB"})) == bounds.max_payload_bytes


def test_a_limit_is_told_with_the_bound_of_the_namespace() -> None:
    bounds = effective(LimitSettings(), limits_of(MEMORY))
    check_limits({"memory_mb": 300}, bounds)
    with pytest.raises(LimitOutOfBounds, match="301 MB exceeds allowed threshold of 300 MB"):
        check_limits({"memory_mb": 301}, bounds)
    with pytest.raises(LimitOutOfBounds, match="199 MB below allowed threshold of 200 MB"):
        check_limits({"memory_mb": 199}, bounds)


@pytest.mark.parametrize(
    ("everywhere", "own", "is_allowed"),
    [
        ("", None, True),
        ("", (), True),
        ("", ("python:3.11",), False),
        ("python:3.11", None, False),
        ("python:3.11, nodejs:20", None, True),
        ("python:3.11", ("nodejs:20",), True),
    ],
)
def test_kinds_are_those_of_the_installation_and_of_the_namespace(
    everywhere: str, own: tuple[str, ...] | None, is_allowed: bool
) -> None:
    bounds = LimitSettings(allowed_kinds=everywhere)
    if is_allowed:
        check_kind("nodejs:20", bounds, NamespaceLimits(allowed_kinds=own))
        return
    with pytest.raises(KindNotAuthorized, match="actions of kind 'nodejs:20'"):
        check_kind("nodejs:20", bounds, NamespaceLimits(allowed_kinds=own))


async def test_limits_of_a_namespace_hold_and_are_shown() -> None:
    own = limits_of(
        MEMORY
        | {"allowedKinds": ["python:3.11"], "storeActivations": False,
           "maxParameterSize": "1 KB", "maxPayloadSize": "2 KB"}
    )  # fmt: skip
    async with running_api(own=own) as api:
        _, shown, _ = await api.ask("GET", "~/limits")
        for name, value in (
            ("minActionMemory", 200), ("maxActionMemory", 300), ("maxParameterSize", "1024 B"),
            ("maxPayloadSize", "2048 B"), ("allowedKinds", ["python:3.11"]),
            ("storeActivations", False), ("maxActionLogs", 10),
        ):  # fmt: skip
            assert shown[name] == value

        async def put(**fields: object) -> tuple[int, str]:
            path = "~/actions/hello?overwrite=true"
            status, body, _ = await api.ask("PUT", path, {"exec": CODE} | fields)
            return status, str(body.get("error"))

        assert await put(limits={"memory": 256}) == (200, "None")
        status, error = await put(limits={"memory": 256, "timeout": 1})
        assert (status, error[:19]) == (400, "requirement failed:")
        status, error = await put(parameters=[{"key": "p", "value": "x" * 1024}])
        assert (status, error) == (413, "parameters larger than allowed: 1027 > 1024 bytes.")
        # Whether there is an action of that name is not looked at before.
        status, body, _ = await api.ask(
            "PUT", "~/actions/hello", {"exec": {"kind": "blackbox", "image": "some/image"}}
        )
        assert (status, body["error"]) == (
            403,
            "The supplied authentication is not authorized to access actions of kind 'blackbox'.",
        )
        status, body, _ = await api.ask("POST", "~/actions/hello", {"p": "x" * 2048})
        assert status == 413
        assert body["error"].startswith("Request larger than allowed: ")


@pytest.mark.parametrize(
    ("own", "days"), [({}, 7), ({"retentionDays": 2}, 2), ({"retentionDays": 30}, 30)]
)
async def test_a_namespace_is_shown_the_records_that_it_keeps(
    own: dict[str, int], days: int
) -> None:
    """Also where the days of others are still there."""
    midnight_ms = NOON_MS // DAY_MS * DAY_MS
    kept, gone = (
        a_record(number, start_ms=start_ms, activation_id=an_id(number))
        for number, start_ms in enumerate(
            (midnight_ms - days * DAY_MS, midnight_ms - days * DAY_MS - 1)
        )
    )
    async with running_api(own=limits_of(own)) as api:
        api.activations.put(kept)
        api.activations.put(gone)
        for suffix in ("", "/logs", "/result"):
            path = f"~/activations/{{}}{suffix}"
            assert (await api.ask("GET", path.format(kept.activation_id)))[0] == 200
            assert (await api.ask("GET", path.format(gone.activation_id)))[0] == 404
        stream = "/api/brisk/v1/namespaces/_/activations/stream?since=0"
        for asked in ("~/activations", "~/activations?since=0", "~/activations?count=true"):
            await api.ask("GET", asked)
        async with api.client.get(stream, headers={"Authorization": authorization()}) as answer:
            assert await answer.content.readany()
        cutoffs = {wanted.since_ms for wanted, _, _ in api.activations.asked}
        assert (cutoffs, len(api.activations.asked)) == ({kept.start_ms}, 4)
