"""Controllers and invokers over Kafka and the double of CouchDB: the tour, a kill, several."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controller.balance.health import SILENCE_S
from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, Member, health, health_at, running_cluster, wait_until
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


def invoked(api: Api, action: str, number: int, **arguments: str) -> str:
    """Invoke without waiting; return the id."""
    answered = api.call("POST", f"actions/{action}", {"name": str(number), **arguments})
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
        wait_until(lambda member=member: member.health()["state"] == "healthy", cluster.logs)  # type: ignore[misc]
        assert {"couchdb", "kafka", "spool"} <= member.health()["dependencies"].keys()


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


SHOUT = """
def main(args):
    print('\\n'.join('x' * 1000 for _ in range(3000)))
    return {'text': args['text'] * 2, 'n': len(args['text'])}
"""


def test_what_is_too_large_for_the_bus_comes_back_whole_and_at_once(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    narrow = {"BRISK_KAFKA__MAX_MESSAGE_BYTES": str(1 << 16)}
    with running_cluster(tmp_path, invokers=1, settings=narrow) as cluster:
        api = cluster.api
        api.put_action("shout", SHOUT)
        for text in ("a" * 450_000, "b" * 40_000, "c"):
            took_s = -time.monotonic()
            answered = api.invoke("shout", {"text": text})
            took_s += time.monotonic()
            assert answered.status == 200, answered
            assert answered.body["response"]["result"] == {"text": text * 2, "n": len(text)}
            assert took_s < 10, "nobody waits for a time-out"
        record = api.record(invoked(api, "shout", 1, text="d" * 450_000))
        assert record["response"]["result"]["n"] == 450_000
        assert len(record["logs"]) == 3000
    said = "".join(log.read_text() for log in cluster.logs)
    assert "answer_lost" not in said
    assert "result_not_there_yet" not in said, "the record had arrived before the answer"


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


def test_who_waits_for_an_invoker_that_died_is_told_soon(cluster: Cluster) -> None:
    api = cluster.api
    api.put_action(
        "sleeps", "import time\ndef main(a):\n  time.sleep(50)", limits={"timeout": 60000}
    )
    with ThreadPoolExecutor(1) as caller:
        called = caller.submit(api.invoke, "sleeps")
        wait_until(lambda: len(busy(cluster)) == 1)
        [killed] = busy(cluster)
        killed.kill()
        began_s = time.monotonic()
        answered = called.result()
    assert answered.status == 202, answered
    assert time.monotonic() - began_s < SILENCE_S + 5
    killed.start()
    record = api.record(answered.body["activationId"])
    assert record["response"]["status"] == "whisk internal error"


def busy(cluster: Cluster) -> list[Member]:
    """Return the invokers that run something."""
    series = 'brisk_pool_sandboxes{state="busy"}'
    return [each for each in cluster.invokers if Api(each.url, GUEST_AUTH).metric(series)]
