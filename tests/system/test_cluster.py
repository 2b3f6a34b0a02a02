"""Controllers and invokers over Kafka and the double of CouchDB: the tour, a kill, several."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, get, health, health_at, running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH

pytestmark = pytest.mark.kafka

HELLO = "def main(a):\n  print('said hello')\n  return {'greeting': 'Hello ' + a.get('name', 'x')}"
OWN = "/api/brisk/v1/namespaces/_"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if reason := kafka.absence():
        pytest.skip(reason)
    with running_cluster(tmp_path) as running:
        yield running


def invoked(api: Api, action: str, number: int) -> str:
    """Invoke without waiting; return the id."""
    answered = api.call("POST", f"actions/{action}", {"name": str(number)})
    assert answered.status == 202, answered
    return str(answered.body["activationId"])


def test_the_tour(cluster: Cluster) -> None:
    api = cluster.api
    api.put_action("hello", HELLO)
    cold, warm = api.invoke("hello", {"name": "World"}), api.invoke("hello")
    for answered in (cold, warm):
        assert answered.status == 200, answered
    assert cold.body["response"]["result"] == {"greeting": "Hello World"}
    assert [
        any(entry["key"] == "initTime" for entry in answered.body["annotations"])
        for answered in (cold, warm)
    ] == [True, False]
    record = api.record(cold.body["activationId"])
    assert record["logs"][0].endswith("stdout: said hello")
    api.put_action("fails", "def main(a): return {'error': 'no'}")
    assert api.invoke("fails").status == 502
    ids = [invoked(api, "hello", number) for number in range(20)]
    records = [api.record(each) for each in ids]
    assert all(each["response"]["success"] for each in records)
    whole = [api.call("GET", f"{OWN}/activations/{each}").body for each in ids]
    wait_until(lambda: usage(api)["activations"] == 23)
    assert usage(api)["billed_ms"] >= sum(each["billed_ms"] for each in whole)
    for member in (cluster.controller, *cluster.invokers):
        said = get(f"{member.url}/healthz")
        assert said["state"] == "healthy", said
        assert {"couchdb", "kafka", "spool"} <= said["dependencies"].keys()


def test_every_controller_hears_of_every_invoker_and_of_its_own_calls(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    with running_cluster(tmp_path, controllers=2) as cluster:
        cluster.api.put_action("hello", HELLO)
        for controller in cluster.controllers:
            api = Api(controller.url, GUEST_AUTH)
            answered = api.invoke("hello", {"name": controller.url})
            assert answered.status == 200, answered
            assert answered.body["response"]["result"] == {"greeting": f"Hello {controller.url}"}
        cluster.invokers[0].stop()
        urls = [controller.url for controller in cluster.controllers]
        wait_until(
            lambda: all(sorted(health_at(url)) == ["offline", "up"] for url in urls), cluster.logs
        )


def usage(api: Api) -> dict[str, int]:
    return dict(api.call("GET", f"{OWN}/usage").body["total"])


def test_an_invoker_that_is_killed_loses_nothing_and_the_other_goes_on(cluster: Cluster) -> None:
    api, killed = cluster.api, cluster.invokers[0]
    for number in range(6):
        api.put_action(f"a{number}", HELLO)
    with ThreadPoolExecutor(6) as callers:
        accepted = list(callers.map(lambda n: invoked(api, f"a{n % 6}", n), range(60)))
        killed.kill()
    wait_until(lambda: sorted(health(cluster)) == ["offline", "up"], cluster.logs)
    later = [invoked(api, f"a{n % 6}", n) for n in range(12)]
    assert all(api.record(each)["response"]["success"] for each in later)

    killed.start()

    records = [api.record(each) for each in accepted]
    assert {each["response"]["status"] for each in records} <= {
        "success", "whisk internal error",
    }  # fmt: skip
    wait_until(lambda: usage(api)["activations"] == len(accepted) + len(later))
    whole = [api.call("GET", f"{OWN}/activations/{each}").body for each in accepted + later]
    assert usage(api)["billed_ms"] == sum(each["billed_ms"] for each in whole)
