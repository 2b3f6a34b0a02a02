"""User events of a platform and of a cluster: who is told what, at our address and on the topic."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH, RunningPlatform, running_platform

ON = {"BRISK_USER_EVENTS__ENABLED": "true", "BRISK_USER_EVENTS__FLUSH_MS": "10"}
HELLO = "def main(args):\n    return {'statusCode': 201}"
CONDUCTOR = [{"key": "conductor", "value": True}]
EVENTS = "/api/brisk/v1/namespaces/_/events"
WAIT_S = 20.0
UUID = GUEST_AUTH.partition(":")[0]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("platform")
    with running_platform(folder, settings=ON) as running:
        yield prepared(running.url)


def prepared(url: str) -> Api:
    api = Api(url, GUEST_AUTH)
    api.put_action("hello", HELLO)
    api.put_action("leads", "def main(args):\n    return {}", annotations=CONDUCTOR)
    line = {"exec": {"kind": "sequence", "components": ["/_/hello"]}}
    assert api.call("PUT", "actions/line?overwrite=true", line).status == 200
    return api


@contextmanager
def followed(api: Api, query: str = "") -> Iterator[Iterator[dict[str, Any]]]:
    request = urllib.request.Request(
        api.url + EVENTS + query, headers={"Authorization": api.authorization}
    )
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        assert answer.readline() == b": here\n"
        yield (
            json.loads(line.removeprefix(b"data: ")) for line in answer if line.startswith(b"data:")
        )


def test_each_sender_tells_what_is_its_to_tell(api: Api) -> None:
    with followed(api) as events:
        whole = api.invoke("line").body["activationId"]
        told = [next(events) for _ in range(3)]
    for each in told:
        assert (each["userId"], each["namespace"], each["subject"]) == (UUID, "guest", "guest")
    metric, *activations = sorted(told, key=lambda each: each["eventType"] != "Metric")
    assert metric["source"] == "controller0"
    assert metric["body"] == {"metricName": "ConcurrentInvocations", "metricValue": 1}
    part, composite = sorted(activations, key=lambda each: "causedBy" not in each["body"])
    assert (part["source"], composite["source"]) == ("invoker0", "controller0")
    assert part["body"]["name"] == "guest/hello"
    assert part["body"]["userDefinedStatusCode"] == 201
    assert part["body"]["causedBy"] == "sequence"
    assert part["body"]["initTime"] > 0
    assert composite["body"]["activationId"] == whole
    assert (composite["body"]["kind"], composite["body"]["conductor"]) == ("sequence", False)


def test_a_composition_and_a_plain_call(api: Api) -> None:
    with followed(api, "?type=Activation") as events:
        api.invoke("leads")
        told = [next(events)["body"] for _ in range(2)]
        assert {each["conductor"] for each in told} == {False, True}
        api.invoke("hello")
        assert next(events)["body"]["name"] == "guest/hello"
    with followed(api, "?type=Metric") as events:
        api.invoke("hello")
        assert next(events)["body"]["metricName"] == "ConcurrentInvocations"


def test_a_platform_that_tells_none_says_so(platform: RunningPlatform) -> None:
    answer = Api(platform.url, platform.auth).call("GET", EVENTS)
    assert answer.status == 404
    assert "BRISK_USER_EVENTS__ENABLED" in answer.body["error"]


def test_refused_calls_are_told(tmp_path: Path) -> None:
    settings = ON | {"BRISK_THROTTLE__INVOCATIONS_PER_MINUTE": "1"}
    with running_platform(tmp_path, settings=settings) as running:
        api = prepared(running.url)
        with followed(api, "?type=Metric") as events:
            assert [api.invoke("hello").status for _ in range(2)] == [200, 429]
            names = [next(events)["body"]["metricName"] for _ in range(2)]
        assert names == ["ConcurrentInvocations", "TimedRateLimit"]


@pytest.mark.kafka
def test_in_a_cluster_any_controller_gives_what_everybody_tells(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    with running_cluster(tmp_path, controllers=2, invokers=1, settings=ON) as cluster:
        here, there = (Api(each.url, GUEST_AUTH) for each in cluster.controllers)
        prepared(there.url)
        with followed(here, "?type=Activation") as events:
            there.invoke("line")
            told = [next(events) for _ in range(2)]
        assert {each["source"] for each in told} == {"invoker0", "controller1"}
        wait_until(lambda: there.metric("brisk_user_events_sent_messages_total") >= 1)
