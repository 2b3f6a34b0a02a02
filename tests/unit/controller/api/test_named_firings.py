"""Firings that have names: each is done once, whoever sends it again, and however it went."""

import asyncio
import json
from typing import Any

import pytest

from common.entity.namespace_limits import NamespaceLimits
from common.store.port import StoreUnavailable
from controller.invoke.firing import CUT_OFF
from tests.fakes.running_api import Api, running_api

CODE = {"exec": {"kind": "python:3.11", "code": "x = 1"}}
KEY = "X-Brisk-Idempotency-Key"


async def a_trigger_with_a_rule(api: Api, name: str = "tr") -> None:
    for path, body in (
        ("~/actions/act", CODE),
        (f"~/triggers/{name}", {}),
        (f"~/rules/r-{name}", {"trigger": f"/_/{name}", "action": "/_/act"}),
    ):
        status, said, _ = await api.ask("PUT", f"{path}?overwrite=true", body)
        assert status == 200, said


async def fire(api: Api, key: str | None, name: str = "tr", **body: Any) -> tuple[int, str]:
    headers = {} if key is None else {KEY: key}
    status, said, _ = await api.ask("POST", f"~/triggers/{name}", body, headers=headers)
    return status, said.get("activationId") or said["error"]


async def test_a_name_that_comes_again_gets_the_same_activation_and_starts_nothing(
    api: Api,
) -> None:
    await a_trigger_with_a_rule(api)
    status, first = await fire(api, "feed/1", n=1)
    api.clock.advance(s=3600)
    assert (status, await fire(api, "feed/1", n=2)) == (202, (202, first))
    assert len(api.invoker.asked) == len(api.activations.records) == 1
    assert (await fire(api, "feed/2"))[1] != first
    assert len({(await fire(api, None))[1] for _ in range(3)}) == 3
    assert len(api.invoker.asked) == 5


async def test_a_name_belongs_to_its_trigger(api: Api) -> None:
    await a_trigger_with_a_rule(api)
    await a_trigger_with_a_rule(api, "other")
    assert (await fire(api, "1"))[1] != (await fire(api, "1", "other"))[1]
    assert len(api.invoker.asked) == 2


async def test_of_many_that_bring_a_name_at_once_one_is_done(api: Api) -> None:
    await a_trigger_with_a_rule(api)
    answers = await asyncio.gather(*(fire(api, "1") for _ in range(20)))
    assert len(set(answers)) == 1 and answers[0][0] == 202
    assert len(api.invoker.asked) == len(api.activations.records) == 1


async def test_a_name_is_known_for_a_day_and_what_is_old_leaves(api: Api) -> None:
    await a_trigger_with_a_rule(api)
    _, first = await fire(api, "1")
    for n in range(200):
        await fire(api, f"filler {n}")
    api.clock.advance(s=86_390)
    assert (await fire(api, "1"))[1] == first
    api.clock.advance(s=20)
    for n in range(200):
        await fire(api, f"later {n}")
    kept = [doc.body["keys"] for doc in api.docs.docs.values() if "keys" in doc.body]
    assert sum(map(len, kept)) == 200
    assert (await fire(api, "1"))[1] != first


async def test_what_nothing_is_done_for_has_no_name(api: Api) -> None:
    await a_trigger_with_a_rule(api)
    await api.ask("POST", "~/rules/r-tr", {"status": "inactive"})
    status, _, _ = await api.ask("POST", "~/triggers/tr", {}, headers={KEY: "1"})
    assert status == 204
    await api.ask("POST", "~/rules/r-tr", {"status": "active"})
    assert (await fire(api, "1"))[0] == 202
    assert len(api.invoker.asked) == 1


async def test_a_firing_that_was_cut_off_is_not_done_again_and_its_record_says_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform dies when the action has been started and no record was kept."""
    await a_trigger_with_a_rule(api)

    async def fail() -> None:
        api.activations.records.clear()
        raise StoreUnavailable

    monkeypatch.setattr(api.activations, "sync", fail)
    assert (await fire(api, "1"))[0] == 503
    monkeypatch.undo()
    api.clock.advance(s=29)
    assert await fire(api, "1") == (
        503, "A firing of this name is under way. Ask again, to learn what became of it.",
    )  # fmt: skip
    began_ms = api.clock.now_ms() - 29_000
    api.clock.advance(s=2)
    status, activation = await fire(api, "1")
    assert status == 202
    [record] = api.activations.records
    assert (record.activation_id, record.start_ms) == (activation, began_ms)
    [line] = map(json.loads, record.logs)
    assert (line["statusCode"], line["error"]) == (3, CUT_OFF)
    assert await fire(api, "1") == (202, activation)
    assert len(api.invoker.asked) == 1


async def test_a_store_that_is_away_is_said_before_anything_is_started(api: Api) -> None:
    await a_trigger_with_a_rule(api)
    await fire(api, None)
    api.docs.failure = StoreUnavailable()
    assert (await fire(api, "1"))[0] == 503
    assert len(api.invoker.asked) == 1
    assert (await fire(api, "1"))[0] == 202


async def test_names_go_with_their_trigger(api: Api) -> None:
    await a_trigger_with_a_rule(api)
    for n in range(40):
        await fire(api, str(n))
    await api.ask("DELETE", "~/triggers/tr")
    assert not [name for name in api.docs.docs if name.startswith("~fired/")]


@pytest.mark.parametrize("key", ["", "x" * 257, "tab\there", "caf\u00e9"])
async def test_what_is_no_name_is_refused(api: Api, key: str) -> None:
    await a_trigger_with_a_rule(api)
    status, said = await fire(api, key)
    assert status == 400 and "1 to 256 printable characters of ASCII" in said
    assert not api.invoker.asked


async def test_a_namespace_that_keeps_no_records_is_answered_the_same() -> None:
    async with running_api(own=NamespaceLimits(store_activations=False)) as api:
        await a_trigger_with_a_rule(api)
        _, first = await fire(api, "1")
        assert (await fire(api, "1"))[0] == 503
        api.clock.advance(s=31)
        assert await fire(api, "1") == (202, first)
        assert len(api.invoker.asked) == 1
