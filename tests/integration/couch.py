"""A CouchDB that breaks on request, and stores over it that are impatient."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import Counter

from common.clock import SystemClock
from common.ids import Namespace
from common.settings import CouchdbSettings, StoreSettings
from common.store.couch import CouchStores
from common.store.port import ActivationFilter
from tests.couchfake.server import CouchFake
from tests.fakes.records import DAY_MS, NOON_MS, a_record

GUEST = Namespace("guest")
ALL = ActivationFilter(namespace=GUEST)
DAY = NOON_MS // DAY_MS
DAY_NAME = "brisk_act_20251121"


async def open_stores(fake: CouchFake, folder: Path, **settings: Any) -> CouchStores:
    usual = {
        "url": fake.url, "connect_s": 1, "request_s": 2, "bulk_s": 2, "retry_s": 1,
        "heartbeat_s": 0.05, "settle_s": 0,
    }  # fmt: skip
    couchdb = CouchdbSettings.model_validate(usual | settings)
    return await CouchStores.open(folder, couchdb, StoreSettings(close_s=3), SystemClock())


def put(stores: CouchStores, number: int, start: int = 0, **changes: Any) -> None:
    for each in range(start, start + number):
        stores.activations.put(a_record(each, **changes))


async def until(condition: Callable[[], object], seconds: float = 8) -> None:
    """Return when *condition* holds; fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - over the state of another
            await asyncio.sleep(0.005)


async def written(stores: CouchStores) -> None:
    await until(lambda: stores.pending_records == 0)


def stored(fake: CouchFake) -> int:
    """Return how many records of the usual day the database has."""
    db = fake.databases.get(DAY_NAME)
    return 0 if db is None else sum(name.startswith("guest/") for name in db.live())


def value(counter: Counter) -> float:
    return next(iter(counter.collect())).samples[0].value
