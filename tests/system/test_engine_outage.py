"""The container engine is killed, held, or not there yet: what calls and operators see of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.contract import engine
from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, get, health, running_cluster, wait_until
from tests.fakes.dockerd import Engine, own_engine
from tests.fakes.images import STRANGER

pytestmark = [
    pytest.mark.kafka,
    *engine.needed,
    pytest.mark.needs_root,
    pytest.mark.timeout(180),
]

SLEEPS = "import time\ndef main(a):\n  print('begun')\n  time.sleep(a.get('s', 0))\n  return a"
OWN = "/api/brisk/v1/namespaces/_"


@pytest.fixture(scope="module")
def own() -> Iterator[Engine]:
    if reason := kafka.absence():
        pytest.skip(reason)
    with own_engine() as own:
        yield own


def settings(own: Engine, **changes: str) -> dict[str, str]:
    return {
        "BRISK_INVOKER__DRIVER": "docker",
        "BRISK_DOCKER__SOCKET": str(own.socket),
        "BRISK_CHECK_INVARIANTS": "true",
        **changes,
    }


def engine_of(cluster: Cluster) -> dict[str, Any]:
    told = get(f"{cluster.invokers[0].url}/healthz") or {}
    return dict(told.get("dependencies", {}).get("engine", {}))


def sent(api: Api, action: str, **arguments: int) -> str:
    answered = api.call("POST", f"actions/{action}", arguments)
    assert answered.status == 202, answered
    return str(answered.body["activationId"])


def test_the_engine_is_killed_while_activations_run_and_comes_back(
    own: Engine, tmp_path: Path
) -> None:
    with running_cluster(tmp_path, invokers=1, settings=settings(own)) as cluster:
        api, invoker = cluster.api, Api(cluster.invokers[0].url, ":")
        for name in ("short", "long", "warm"):
            api.put_action(name, SLEEPS)
        assert api.invoke("warm").status == 200
        short, long = sent(api, "short", s=3), sent(api, "long", s=50)
        wait_until(lambda: invoker.metric('brisk_pool_sandboxes{state="busy"}') == 2)

        own.kill()

        wait_until(lambda: engine_of(cluster).get("state") == "degraded", cluster.logs)
        assert "can't be reached" in engine_of(cluster)["why"]
        wait_until(lambda: health(cluster) == ["offline"], cluster.logs)
        said = cluster.invokers[0].log.read_text()
        assert "engine_is_away" in said
        assert "start the engine, or name its socket in BRISK_DOCKER__SOCKET" in said
        ended = api.record(short)
        assert ended["response"]["result"] == {"s": 3}, "what runs needs no engine"

        own.start()

        wait_until(lambda: health(cluster) == ["up"], cluster.logs)
        broken = api.record(long, within_s=40)
        assert broken["response"]["status"] == "whisk internal error"
        assert broken["response"]["result"] == {
            "error": "The container engine stopped while this activation was running. "
            "It is not run a second time."
        }
        whole = api.call("GET", f"{OWN}/activations/{long}").body
        assert whole["billed_ms"] == 0
        assert api.invoke("warm").status == 200
        left = set(own.containers())
        known = invoker.metric("brisk_pool_reserved_memory_megabytes") / 256
        assert len(left) <= known, (left, known)
    assert own.containers() == []


def test_what_waits_for_a_container_is_run_when_the_engine_is_back(
    own: Engine, tmp_path: Path
) -> None:
    with running_cluster(tmp_path, invokers=1, settings=settings(own)) as cluster:
        api = cluster.api
        for number in range(3):
            api.put_action(f"a{number}", SLEEPS)
        image = {"exec": {"kind": "blackbox", "image": STRANGER, "code": SLEEPS}}
        assert api.call("PUT", "actions/a3", image).status == 200
        own.kill()
        with ThreadPoolExecutor(4) as callers:
            accepted = list(callers.map(lambda n: sent(api, f"a{n % 4}", n=n), range(12)))
        wait_until(lambda: engine_of(cluster).get("state") == "degraded", cluster.logs)
        own.start()
        records = [api.record(each, within_s=40) for each in accepted]
        assert [each["response"]["result"] for each in records] == [{"n": n} for n in range(12)]
    assert own.containers() == []


def test_an_engine_that_stays_away_fails_its_calls_within_a_bound(
    own: Engine, tmp_path: Path
) -> None:
    changed = settings(own, BRISK_DOCKER__AWAY_S="2", BRISK_DOCKER__ANSWER_S="3")
    with running_cluster(tmp_path, invokers=1, settings=changed) as cluster:
        api = cluster.api
        api.put_action("hello", SLEEPS)
        own.hold()  # it lives, and answers nobody
        try:
            accepted = [sent(api, "hello", n=n) for n in range(20)]
            wait_until(lambda: engine_of(cluster).get("state") == "degraded", cluster.logs)
            for each in accepted:
                response = api.record(each)["response"]
                assert response["status"] == "whisk internal error"
                text = "Failed to provision resources to run the action."
                assert response["result"] == {"error": text}
            refused = api.invoke("hello")
            assert refused.status == 503, refused
        finally:
            own.release()
        wait_until(lambda: health(cluster) == ["up"], cluster.logs)
        wait_until(lambda: api.invoke("hello").status == 200, cluster.logs)
    assert own.containers() == []


def test_an_invoker_that_starts_before_its_engine_serves_when_that_comes(
    own: Engine, tmp_path: Path
) -> None:
    own.stop()
    with running_cluster(tmp_path, invokers=1, settings=settings(own), is_up=False) as cluster:
        wait_until(lambda: "can't be reached" in engine_of(cluster).get("why", ""), cluster.logs)
        assert (get(f"{cluster.invokers[0].url}/healthz") or {})["state"] == "starting"
        own.start()
        wait_until(lambda: health(cluster) == ["up"], cluster.logs)
        cluster.api.put_action("hello", SLEEPS)
        assert cluster.api.invoke("hello").status == 200
