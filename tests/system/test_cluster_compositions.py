"""Sequences and compositions in a cluster: as recorded, and with a controller that is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH
from tests.fakes.replay import play

pytestmark = pytest.mark.kafka

SLEEPS = "import time\ndef main(a):\n    time.sleep(a.get('s', 0))\n    return a"
INTERRUPTED = "The platform stopped while this activation was running. It is not run a second time."


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := kafka.absence():
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("cluster")
    # What is made ahead is made of free memory, whatever the other tests leave.
    one = {"BRISK_CONTROLLER__MAX_COMPOSITIONS": "2", "BRISK_POOL__MEMORY_MB": "16384"}
    with running_cluster(folder, invokers=1, settings=one) as running:
        yield running


@pytest.mark.parametrize("scenario", ["sequences", "conductors"])
def test_a_cluster_answers_as_openwhisk_did(cluster: Cluster, scenario: str) -> None:
    differences = play(scenario, cluster.url, GUEST_AUTH, {})
    assert not differences, "\n".join(differences)


def test_an_invoker_is_told_what_comes_next(cluster: Cluster) -> None:
    api, invoker = cluster.api, cluster.invokers[0]
    api.put_action("slow", SLEEPS)
    api.put_action("next", SLEEPS, limits={"memory": 512})
    body = {"exec": {"kind": "sequence", "components": ["/_/slow", "/_/next"]}}
    assert api.call("PUT", "actions/both?overwrite=true", body).status == 200
    taken, cold = 'brisk_pool_hints_total{hint="taken"}', 'brisk_pool_starts_total{start="cold"}'
    assert api.invoke("slow").status == 200
    before = {each: invoker.metric(each) for each in (taken, cold)}

    begun = api.call("POST", "actions/both", {"s": 1}).body["activationId"]
    wait_until(lambda: invoker.metric(taken) == before[taken] + 1, cluster.logs)
    assert api.record(begun)["response"]["success"]
    assert invoker.metric(cold) == before[cold], "the second step made none of its own"


def test_a_killed_controller_leaves_no_composition_without_a_record(cluster: Cluster) -> None:
    api = cluster.api
    api.put_action("sleeps", SLEEPS)
    for name, parts in (("inner", ["sleeps", "sleeps"]), ("outer", ["inner", "sleeps"])):
        body = {"exec": {"kind": "sequence", "components": [f"/_/{part}" for part in parts]}}
        assert api.call("PUT", f"actions/{name}?overwrite=true", body).status == 200
    begun = [
        api.call("POST", "actions/outer", {"s": 4}).body["activationId"],
        api.call("POST", "actions/outer?blocking=true&timeout=500", {"s": 4}).body["activationId"],
    ]
    wait_until(
        lambda: cluster.controller.metric("brisk_controller_compositions") == 2, cluster.logs
    )
    waiting = [api.call("POST", "actions/outer", {"s": 0}).body["activationId"] for _ in range(2)]
    cluster.controller.kill()
    cluster.controller.start()
    wait_until(lambda: cluster.controller.health().get("state") == "healthy", cluster.logs)

    api = Api(cluster.url, GUEST_AUTH)
    for each in begun:
        response = api.record(each)["response"]
        assert response["status"] == "whisk internal error"
        assert response["result"] == {"error": INTERRUPTED}
    for each in waiting:
        record = api.record(each)
        assert record["response"]["result"] == {"s": 0}
        assert len(record["logs"]) == 2
    listed = api.call("GET", "activations?docs=true&limit=200&name=inner").body
    for each in begun:
        inner = [record for record in listed if record.get("cause") == each]
        assert [record["response"]["status"] for record in inner] == ["whisk internal error"]
