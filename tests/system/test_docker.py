"""The tour over Kafka, the double of CouchDB and Docker: nothing below the API is embedded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.contract import engine
from tests.fakes import docker_cluster, images
from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, wait_until
from tests.fakes.online_host import CALLS_API

pytestmark = [pytest.mark.kafka, *engine.needed, pytest.mark.needs_root]

PYTHON = """
import subprocess, sys
print("loaded")
def main(args):
    print("out", args["n"])
    print("err", args["n"], file=sys.stderr)
    subprocess.run(["echo", "child", str(args["n"])])
    return {"n": args["n"]}
"""
NODE = """
console.log("loaded")
async function main(args) {
  console.log("out", args.n); console.error("err", args.n)
  return { n: args.n, version: process.version }
}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = {"BRISK_POOL__STEM_CELLS": "1"}
    with docker_cluster.running(tmp_path_factory.mktemp("docker"), settings=settings) as running:
        yield running


@pytest.fixture
def api(cluster: Cluster) -> Api:
    return cluster.api


def metric(cluster: Cluster, series: str) -> float:
    return Api(cluster.invokers[0].url, ":").metric(series)


def printed(record: dict[str, Any]) -> list[str]:
    """Return what was printed, in an order that does not depend on the streams."""
    return sorted(line[31:] for line in record["logs"])


def is_cold(record: dict[str, Any]) -> bool:
    return any(entry["key"] == "initTime" for entry in record["annotations"])


@pytest.mark.parametrize(
    ("kind", "code", "child"),
    [("python:default", PYTHON, ["stdout: child {n}"]), ("nodejs:default", NODE, [])],
)
def test_cold_and_warm_with_exact_logs(api: Api, kind: str, code: str, child: list[str]) -> None:
    name = kind.partition(":")[0]
    api.put_action(name, code, kind=kind)
    for n in range(3):
        answered = api.invoke(name, {"n": n})
        assert answered.status == 200, answered
        assert answered.body["response"]["result"]["n"] == n
        record = api.record(answered.body["activationId"])
        assert is_cold(record) == (n == 0)
        loaded = ["stdout: loaded"] if n == 0 else []
        expected = [*loaded, *child, "stdout: out {n}", "stderr: err {n}"]
        assert printed(record) == sorted(line.format(n=n) for line in expected)


def test_the_kinds_that_are_offered_are_those_of_the_images(api: Api) -> None:
    offered = api.call("GET", "/").body["runtimes"]
    assert [each["kind"] for each in offered["python"]] == ["python:3.11"]
    assert [each["kind"] for each in offered["nodejs"]] == ["nodejs:18"]
    refused = api.call("PUT", "actions/x", {"exec": {"kind": "nodejs:24", "code": NODE}})
    assert refused.status == 400
    assert refused.body["error"].endswith(
        "Valid values are: 'nodejs:18', 'python:3.11', 'sequence', 'blackbox'."
    )


def test_a_stem_cell_is_there_and_is_used(cluster: Cluster, api: Api) -> None:
    wait_until(lambda: metric(cluster, 'brisk_pool_sandboxes{state="blank"}') == 1)
    before = metric(cluster, 'brisk_pool_starts_total{start="stem"}')
    api.put_action("fresh", "def main(a): return a")
    assert api.invoke("fresh").status == 200
    assert metric(cluster, 'brisk_pool_starts_total{start="stem"}') == before + 1


def test_an_idle_container_is_paused_and_goes_on(cluster: Cluster, api: Api) -> None:
    api.put_action("counts", "n = 0\ndef main(a):\n  global n\n  n += 1\n  return {'n': n}")
    assert api.invoke("counts").body["response"]["result"] == {"n": 1}
    wait_until(lambda: metric(cluster, 'brisk_pool_sandboxes{state="ready"}') == 0)
    assert metric(cluster, 'brisk_pool_sandboxes{state="paused"}') >= 1
    assert api.invoke("counts").body["response"]["result"] == {"n": 2}


def test_many_at_once_end_each_in_one_record(api: Api) -> None:
    api.put_action("hello", "def main(a):\n  print('n is', a['n'])\n  return a")
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda n: api.invoke("hello", {"n": n}), range(40)))
    for n, answered in enumerate(answers):
        assert answered.body["response"]["result"] == {"n": n}
        assert printed(api.record(answered.body["activationId"])) == [f"stdout: n is {n}"]


def test_a_function_in_a_container_calls_the_api(api: Api) -> None:
    api.put_action("calls", CALLS_API, kind="python:default")
    answered = api.invoke("calls", {"authorization": api.authorization})
    said = answered.body["response"]["result"]
    assert said["host"] == "http://127.0.0.1:3233"
    assert said["actions"] >= 1


def test_what_a_killed_invoker_left_is_removed_when_it_starts_again(tmp_path: Path) -> None:
    with docker_cluster.running(tmp_path) as cluster:
        api, invoker = cluster.api, cluster.invokers[0]
        owner = docker_cluster.owner_of(invoker)
        api.put_action("sleeps", "import time\ndef main(a):\n  time.sleep(a['s'])\n  return a")
        assert api.invoke("sleeps", {"s": 0}).status == 200
        running = api.call("POST", "actions/sleeps", {"s": 60}).body["activationId"]
        wait_until(lambda: metric(cluster, 'brisk_pool_sandboxes{state="busy"}') == 1)
        left = images.containers(owner)
        assert left

        invoker.kill()
        assert images.containers(owner) == left, "the engine goes on without the invoker"
        invoker.start()

        wait_until(lambda: not set(left) & set(images.containers(owner)), cluster.logs)
        record = api.record(running, within_s=30)
        assert record["response"]["status"] == "whisk internal error"
        assert "It is not run a second time." in record["response"]["result"]["error"]
        assert api.invoke("sleeps", {"s": 0}).status == 200
