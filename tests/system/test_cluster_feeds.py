"""Alarms of a cluster: providers of their own, which die, and a controller that does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH

pytestmark = pytest.mark.kafka
NAMES = ("a", "b", "c", "d", "e", "f")
ALARM = "/api/v1/namespaces/whisk.system/actions/alarms/alarm?blocking=true"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if reason := kafka.absence():
        pytest.skip(reason)
    with running_cluster(tmp_path, invokers=1, providers=2) as running:
        yield running


def told(api: Api, trigger: str, event: str, **given: Any) -> Any:
    asked = {
        "lifecycleEvent": event, "triggerName": f"/_/{trigger}", "authKey": GUEST_AUTH, **given,
    }  # fmt: skip
    return api.call("POST", ALARM, asked).body["response"]["result"]


def firings(api: Api, trigger: str) -> list[dict[str, Any]]:
    found = api.call("GET", f"activations?name={trigger}&limit=200&docs=true").body
    assert isinstance(found, list)
    return found


def test_providers_that_die_leave_their_alarms_to_the_others(cluster: Cluster) -> None:
    api = cluster.api
    api.put_action("echo", "def main(a): return {}")
    for name in NAMES:
        assert api.call("PUT", f"triggers/{name}", {}).status == 200
        given = {"cron": "*/2 * * * * *", "missed": "all"}
        assert told(api, name, "CREATE", **given) == {"status": "success"}
        body = {"trigger": f"/_/{name}", "action": "/_/echo"}
        assert api.call("PUT", f"rules/r-{name}", body).status == 200

    def all_fire(least: int) -> bool:
        return all(len(firings(api, name)) >= least for name in NAMES)

    wait_until(lambda: all_fire(2), cluster.logs)
    served = [member.metric("brisk_events_feeds") for member in cluster.providers]
    assert sum(served) == len(NAMES)
    first, second = cluster.providers
    first.kill()
    wait_until(lambda: second.metric("brisk_events_feeds") == len(NAMES), cluster.logs)
    # Feed actions find the one that is left.
    assert told(api, "a", "READ")["status"]["active"]
    first.start()
    wait_until(lambda: first.health().get("state") == "healthy", cluster.logs)
    second.kill()
    wait_until(lambda: first.metric("brisk_events_feeds") == len(NAMES), cluster.logs)
    second.start()
    known = max(len(firings(api, name)) for name in NAMES)
    wait_until(lambda: all_fire(known + 2), cluster.logs)
    for name in NAMES:
        api.call("POST", f"rules/r-{name}", {"status": "inactive"})
    for name in NAMES:
        seen = firings(api, name)
        span = seen[0]["start"] // 2000 - seen[-1]["start"] // 2000 + 1
        assert abs(len(seen) - span) <= 1, "each of them, once"
        ran = [json.loads(line)["activationId"] for each in seen for line in each["logs"]]
        assert len(set(ran)) == len(ran) == len(seen)
        assert told(api, name, "DELETE") == {"status": "success"}
        assert told(api, name, "READ")["error"].startswith("There is no feed for this trigger.")
