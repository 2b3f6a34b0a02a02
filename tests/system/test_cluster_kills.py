"""A cluster whose every part is killed while 2 000 activations go through it: nothing is lost.

Clients keep a ledger of what they were promised. At the end it equals the records, the bill is the
sum of the records, and no function has run twice. The container engine is killed in a cluster of
its own, since its functions can tell nobody outside its network that they run.
"""

from pathlib import Path
from typing import Final

import pytest

from invoker import outcome
from tests.contract import engine
from tests.fakes import kafka
from tests.fakes.cluster import running_cluster
from tests.fakes.dockerd import own_engine
from tests.fakes.ledger import Ledger, calling, check, killed_one_by_one
from tests.fakes.own_service import own_service
from tests.fakes.teller import teller, teller_apart

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

SANDBOXES: Final = 8
"""Of an invoker: as many may run when it is killed."""
CONTAINERS: Final = 4
SETTINGS: Final = {
    "BRISK_SANDBOX__NETWORK": "host",
    "BRISK_CHECK_INVARIANTS": "true",
    "BRISK_LIMITS__BLOCKING_WAIT_MS": "8000",
}


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.mark.pouchdb
def test_whatever_is_killed_each_promise_has_one_record_and_one_bill(
    tmp_path: Path, ledger: Ledger
) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    with (
        own_service("kafka", tmp_path / "kafka") as broker,
        own_service("couchdb", tmp_path / "couchdb") as store,
        teller(ledger.hear) as port,
        running_cluster(
            tmp_path,
            store=f"http://{store.address}",
            settings={
                **SETTINGS,
                "BRISK_KAFKA__BOOTSTRAP_SERVERS": broker.address,
                "BRISK_KAFKA__SEND_TIMEOUT_S": "4",
                "BRISK_POOL__MEMORY_MB": str(256 * SANDBOXES),
            },
        ) as cluster,
    ):
        with calling(cluster.api, ledger, port):
            killed_one_by_one(
                ledger,
                [(each.kill, each.start)
                 for each in (cluster.invokers[0], broker, cluster.controller, store,
                              cluster.invokers[1])],
            )  # fmt: skip
        check(cluster, ledger, texts=[outcome.INTERRUPTED], most_broken=2 * SANDBOXES)


@pytest.mark.docker
@pytest.mark.needs_root
@engine.is_there
def test_however_often_the_engine_is_killed_each_promise_has_one_record_and_one_bill(
    tmp_path: Path, ledger: Ledger
) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    kills = 2
    with (
        teller_apart(ledger.hear) as (pid, port),
        own_engine(network_of=pid) as own,
        running_cluster(
            tmp_path,
            settings={
                **SETTINGS,
                "BRISK_INVOKER__DRIVER": "docker",
                "BRISK_DOCKER__SOCKET": str(own.socket),
                "BRISK_DOCKER__AWAY_S": "120",  # what waits is not what is tested here
                "BRISK_POOL__MEMORY_MB": str(256 * CONTAINERS),
            },
        ) as cluster,
    ):
        with calling(cluster.api, ledger, port):
            killed_one_by_one(ledger, [(own.kill, own.start)] * kills)
        check(
            cluster,
            ledger,
            texts=[outcome.lost_text("container engine")],
            most_broken=kills * len(cluster.invokers) * CONTAINERS,
        )
