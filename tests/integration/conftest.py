"""A double of CouchDB for each test, and stores over it; a broker for each module of tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from common.settings import KafkaSettings
from common.store.couch import CouchStores
from tests.couchfake.server import CouchFake
from tests.fakes import kafka
from tests.fakes.own_service import OwnService, own_service
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


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnService]:
    if reason := kafka.absence():
        pytest.skip(reason)
    with own_service("kafka", tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def settings(broker: OwnService) -> KafkaSettings:
    return kafka.settings(
        bootstrap_servers=broker.address,
        session_timeout_s=1.5,
        hand_over_s=0.5,
        request_timeout_s=3.0,
        send_timeout_s=70.0,  # longer than a broker may take to start on a busy machine
        retry_pause_s=0.1,
        close_s=2.0,
    )
