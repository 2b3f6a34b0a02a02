"""What a real OpenWhisk answered of its entities, a cluster answers: the same requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import kafka
from tests.fakes.cluster import Cluster, running_cluster
from tests.fakes.embedded import GUEST_AUTH
from tests.fakes.replay import play

pytestmark = pytest.mark.kafka

SCENARIOS = ("packages", "triggers_rules", "sequences", "conductors", "web", "invoke")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := kafka.absence():
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("cluster")
    with running_cluster(folder) as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_cluster_answers_as_openwhisk_did(scenario: str, cluster: Cluster) -> None:
    differences = play(scenario, cluster.api.url, GUEST_AUTH, {})
    assert not differences, "\n".join(differences)
