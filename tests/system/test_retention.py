"""A platform closes its old days by itself: their records go, and what they cost stays."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.clock import SystemClock
from common.settings import CouchdbSettings, StoreSettings
from common.store.couch import CouchStores
from common.store.port import Stores
from common.store.sqlite import SqliteStores
from tests.contract.closed import written
from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import Member, running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH, running_platform
from tests.fakes.records import DAY_MS, NOON_MS, a_record

OFTEN = {"BRISK_RETENTION__CHECK_S": "0.3", "BRISK_POOL__STEM_CELLS": "0"}
OLD = [a_record(number, start_ms=NOON_MS + number % 2 * DAY_MS) for number in range(10)]
USAGE = "/api/brisk/v1/namespaces/_/usage?by=day&from=2025-01-01"
STEPS = 'brisk_store_housekeeping_steps_total{step="%s"}'


def steps(api: Api, kind: str) -> float:
    return api.metric(STEPS % kind)


def usage(api: Api) -> list[dict[str, Any]]:
    rows = api.call("GET", USAGE).body["rows"]
    return [row for row in rows if row["period"] < "2026"]


async def filled(opened: Callable[[], Any]) -> None:
    stores: Stores = await opened()
    await written(stores, *OLD)
    await stores.close()


def check_old_days_are_closed(api: Api, sum_of_steps: Callable[[str], float]) -> None:
    wait_until(lambda: sum_of_steps("drop") == 2)
    assert [(row["period"], row["activations"], row["billed_ms"]) for row in usage(api)] == [
        ("2025-11-21", 5, 20),
        ("2025-11-22", 5, 25),
    ]
    assert api.call("GET", "activations").body == []
    assert sum_of_steps("seal") == 2


def test_the_embedded_platform_closes_its_old_days(tmp_path: Path) -> None:
    store = tmp_path / "data" / "store"
    clock = SystemClock()
    asyncio.run(filled(lambda: SqliteStores.open(store, StoreSettings(), clock)))
    assert len(list((store / "activations").iterdir())) == 2

    with running_platform(tmp_path, settings=OFTEN) as platform:
        api = Api(platform.url, platform.auth)
        check_old_days_are_closed(api, lambda kind: steps(api, kind))
        assert steps(api, "sweep") == 1
        assert steps(api, "prepare") >= 1
        assert not list((store / "activations").glob("act-2025*"))
        api.put_action("hello", "def main(a): return {'a': 1}")
        assert api.invoke("hello").status == 200

    with running_platform(tmp_path, settings=OFTEN) as platform:
        api = Api(platform.url, platform.auth)
        assert [row["activations"] for row in usage(api)] == [5, 5]
        assert len(api.call("GET", "activations").body) == 1
        assert steps(api, "seal") == 0


@pytest.mark.kafka
def test_of_two_controllers_each_day_is_closed_by_one(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    often = OFTEN | {"BRISK_COUCHDB__SETTLE_S": "1"}
    with running_cluster(tmp_path, controllers=2, invokers=1, settings=often) as cluster:
        asyncio.run(filled(lambda: couch_of(cluster.controller, tmp_path / "own")))
        apis = [Api(controller.url, GUEST_AUTH) for controller in cluster.controllers]

        def sum_of_steps(kind: str) -> float:
            return sum(steps(api, kind) for api in apis)

        for api in apis:
            check_old_days_are_closed(api, sum_of_steps)
    said = "".join(log.read_text() for log in cluster.logs)
    assert "housekeeping_failed" not in said


async def couch_of(member: Member, folder: Path) -> CouchStores:
    names = ("url", "prefix", "user", "password", "member")
    settings = CouchdbSettings.model_validate(
        {name: member.environment[f"BRISK_COUCHDB__{name.upper()}"] for name in names}
    )
    return await CouchStores.open(folder, settings, StoreSettings(), SystemClock())
