"""A double of CouchDB for each test, and stores over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.store.couch import CouchStores
from tests.couchfake.server import CouchFake
from tests.integration.couch import open_stores


@pytest.fixture
async def fake() -> AsyncIterator[CouchFake]:
    fake = CouchFake()
    await fake.start()
    yield fake
    await fake.stop()
    assert fake.script.unindexed == 0, "a question went without its index"


@pytest.fixture
async def stores(fake: CouchFake, tmp_path: Path) -> AsyncIterator[CouchStores]:
    stores = await open_stores(fake, tmp_path)
    yield stores
    await stores.close()
