"""Following activations over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientResponse

from common.entity.activation import ActivationRecord
from common.settings import StreamSettings
from tests.fakes.records import NOON_MS, a_record
from tests.fakes.running_api import Api, OneGuest, authorization, running_api

PATH = "/api/brisk/v1/namespaces/_/activations/stream"
WAIT_S = 5.0


@asynccontextmanager
async def followed(api: Api, query: str = "", **headers: str) -> AsyncIterator[ClientResponse]:
    named = {"Authorization": authorization()} | headers
    async with api.client.get(PATH + query, headers=named) as answer, asyncio.timeout(WAIT_S):
        yield answer


async def told(answer: ClientResponse) -> dict[str, str]:
    """Return the fields of the next event; comments are left out."""
    fields: dict[str, str] = {}
    while True:
        line = (await answer.content.readline()).decode().rstrip("\n")
        if not line and fields:
            return fields
        name, colon, value = line.partition(": ")
        if colon and name:
            fields[name] = value


def end(api: Api, number: int, **changes: Any) -> ActivationRecord:
    record = replace(a_record(number), end_ms=api.clock.now_ms(), **changes)
    api.services.own_records.put(record)
    return record


async def test_a_record_is_sent_whole_as_it_is_kept(api: Api) -> None:
    async with followed(api, **{"X-Request-ID": "mine", "Accept": "text/event-stream"}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Request-ID"] == "mine"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        record = end(api, 1)
        event = await told(answer)
    assert event["event"] == "activation"
    assert event["id"] == f"{record.end_ms}-{record.activation_id}"
    _, whole, _ = await api.ask("GET", f"~/activations/{record.activation_id}")
    assert json.loads(event["data"]) == whole


async def test_who_comes_again_goes_on_where_they_were(api: Api) -> None:
    seen = end(api, 1)
    missed = end(api, 2)
    name = f"{seen.end_ms}-{seen.activation_id}"
    async with followed(api, **{"Last-Event-ID": name}) as answer:
        assert (await told(answer))["id"].endswith(missed.activation_id)
        assert (await told_after(answer, api))["id"].endswith(a_record(3).activation_id)


async def told_after(answer: ClientResponse, api: Api) -> dict[str, str]:
    end(api, 3)
    return await told(answer)


@pytest.mark.parametrize("name", ["", "x", "5", "5-", f"5-{'a' * 31}", f"{'9' * 16}-{'a' * 32}"])
async def test_a_name_that_was_never_given_begins_now(api: Api, name: str) -> None:
    end(api, 1)
    async with followed(api, **{"Last-Event-ID": name}) as answer:
        assert (await told_after(answer, api))["id"].endswith(a_record(3).activation_id)


async def test_the_past_is_sent_where_it_is_asked_for(api: Api) -> None:
    record = end(api, 1)
    async with followed(api, f"?since={NOON_MS}&name=a") as answer:
        assert (await told(answer))["id"].endswith(record.activation_id)
    wanted, _, _ = api.activations.asked[0]
    assert (wanted.since_ms, wanted.name) == (NOON_MS, "a")


async def test_who_may_not_follow_is_told_so(api: Api) -> None:
    for path, headers, status in (
        (PATH, {"Authorization": None}, 401),
        (PATH, {"Accept": "image/png"}, 406),
        (PATH + "?name=a/b/c", {}, 400),
        (PATH + "?since=x", {}, 400),
        (PATH.replace("_", "other"), {}, 403),
    ):
        assert (await api.ask("GET", path, headers=headers))[0] == status, (path, headers)


async def test_one_too_many_is_told_which_limit_bound() -> None:
    async with running_api(stream=StreamSettings(max_streams_per_namespace=1)) as api:
        async with followed(api):
            status, body, answer = await api.ask("GET", PATH)
        assert (status, answer.headers["X-Brisk-Limit"]) == (
            503,
            "stream.max_streams_per_namespace",
        )
        assert answer.headers["Retry-After"] == "1"
        assert "follow" in body["error"]


async def test_a_key_that_is_withdrawn_ends_what_was_begun_with_it() -> None:
    class Revocable(OneGuest):
        is_known = True

        async def identify(self, uuid: str, key: str) -> Any:
            return await super().identify(uuid, key) if self.is_known else None

    subjects = Revocable()
    stream = StreamSettings(heartbeat_s=0.02)
    async with running_api(subjects=subjects, stream=stream) as api, followed(api) as answer:
        assert await answer.content.readline() == b": here\n"
        subjects.is_known = False
        await answer.content.read()
        assert answer.content.at_eof()


async def test_a_stopping_controller_ends_streams_at_once() -> None:
    async with running_api() as api, followed(api) as answer:
        api.services.streams.close()
        await answer.content.read()
        assert answer.content.at_eof()
