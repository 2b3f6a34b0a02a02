"""Projects at a cluster: the same as at the embedded platform."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import kafka
from tests.fakes.cluster import Cluster, running_cluster
from tests.fakes.embedded import GUEST_AUTH
from tests.fakes.projects import at_work, there_and_back

pytestmark = pytest.mark.kafka

NAMES = ("apis", "dependencies", "events", "feeds", "kinds", "odd", "sequences", "web")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := kafka.absence():
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("cluster")
    with running_cluster(folder) as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_a_project_is_deployed_written_down_and_removed(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with at_work(cluster.api.url, GUEST_AUTH, tmp_path, monkeypatch) as api:
        there_and_back(api, name, tmp_path, monkeypatch)
