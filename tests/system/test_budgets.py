"""A namespace with a budget, on platforms that run: told, slowed down, stopped, let in again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import PASSWORD, running_cluster
from tests.fakes.embedded import GUEST_AUTH, ROOT, RunningPlatform, running_platform
from tests.fakes.traces import wait_until

QUICK = {"BRISK_PRICE__BUDGET_CHECK_S": "0.2", "BRISK_POOL__STEM_CELLS": "0"}
USAGE = "/api/brisk/v1/namespaces/_/usage"
HELLO = "def main(a): return a"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    with running_platform(tmp_path_factory.mktemp("budgets"), settings=QUICK) as running:
        yield running


def brisk(*words: str, **more: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BRISK_")}  # noqa: TID251
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=ROOT, env=clean | more, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_budget_is_told_of_stops_and_is_raised(platform: RunningPlatform) -> None:
    api = Api(platform.url, platform.auth)
    where = ("--data", str(platform.data))
    api.put_action("hello", HELLO)
    api.put_action("alarm", "def main(a):\n  print(a['level'], a['text'])\n  return a")
    assert api.call("PUT", "triggers/budget", {}).status == 200
    rule = {"trigger": "/_/budget", "action": "/_/alarm"}
    assert api.call("PUT", "rules/tell", rule).status == 200

    said = brisk(
        "admin", "budget", "set", "guest", "--activations", "6", "--warn", "0",
        "--trigger", "budget", *where,
    )  # fmt: skip
    assert said == 'Budget successfully set for "guest"'
    assert brisk("admin", "budget", "get", "guest", *where).splitlines() == [
        "measure = activations",
        "amount = 6",
        "warn = 0",
        "trigger = budget",
    ]
    wait_until(lambda: "budget" in api.call("GET", USAGE).body, "the budget is not seen")

    for number in range(6):
        assert api.invoke("hello", {"n": number}).status == 200
    wait_until(lambda: api.invoke("hello").status == 429, "it is not stopped")

    refused = api.invoke("hello")
    assert refused.headers["x-brisk-limit"] == "budget"
    assert int(refused.headers["retry-after"]) > 0
    assert refused.body["error"].startswith("The budget of namespace 'guest' is spent: ")
    assert "of 6 activations this month" in refused.body["error"]
    assert api.call("POST", "actions/hello", {}).status == 429
    of_alarm = "activations?name=alarm&docs=true"
    wait_until(lambda: api.call("GET", of_alarm).body, "the alarm was not raised")
    [alarm] = api.call("GET", of_alarm).body
    assert alarm["response"]["result"]["level"] == "stopped"
    assert alarm["response"]["result"]["namespace"] == "guest"

    shown = brisk("usage", "--apihost", platform.url, "--auth", platform.auth)
    assert "of 6 activations this month" in shown
    assert "stopped); it begins anew at " in shown

    brisk("admin", "budget", "set", "guest", "--activations", "1000", *where)
    wait_until(lambda: api.invoke("hello").status == 200, "it is not let in again")
    assert brisk("admin", "budget", "delete", "guest", *where) == "Budget deleted"
    wait_until(lambda: "budget" not in api.call("GET", USAGE).body, "the budget is still seen")
    assert "No budget found" in brisk("admin", "budget", "get", "guest", *where)


def test_a_budget_that_is_nearly_spent_slows_down(platform: RunningPlatform) -> None:
    api = Api(platform.url, platform.auth)
    where = ("--data", str(platform.data))
    api.put_action("hello", HELLO)
    used = api.call("GET", "/api/brisk/v1/namespaces/_/usage").body["total"]["activations"]
    brisk(
        "admin", "budget", "set", "guest", "--activations", str(used + 1000), "--warn", "0",
        "--throttle", "1", "--perMinute", "0", *where,
    )  # fmt: skip
    for _ in range(12):
        api.invoke("hello")
    wait_until(lambda: api.invoke("hello").status == 429, "it is not slowed down")
    refused = api.invoke("hello").body["error"]
    assert "is nearly spent" in refused
    assert "No more than 0 invocations a minute" in refused
    brisk("admin", "budget", "delete", "guest", *where)
    wait_until(lambda: api.invoke("hello").status == 200, "it is not let in again")


@pytest.mark.kafka
def test_a_budget_holds_at_every_controller(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    with running_cluster(tmp_path, controllers=2, invokers=1, settings=QUICK) as cluster:
        one, two = (Api(each.url, GUEST_AUTH) for each in cluster.controllers)
        one.put_action("hello", HELLO)
        store = {
            **{key: value for key, value in cluster.controller.environment.items()
               if key.startswith(("BRISK_COUCHDB__", "BRISK_SECRET_FILE"))},
            "BRISK_COUCHDB__PASSWORD": PASSWORD,
        }  # fmt: skip
        brisk("admin", "budget", "set", "guest", "--activations", "3", "--cluster", **store)
        for api in (one, two):
            wait_until(partial(_has_budget, api), "the budget is not seen")
        for _ in range(3):
            assert one.invoke("hello").status == 200
        for api in (one, two):
            wait_until(partial(_is_stopped, api), "it is not stopped")


def _has_budget(api: Api) -> bool:
    return "budget" in api.call("GET", USAGE).body


def _is_stopped(api: Api) -> bool:
    return api.invoke("hello").status == 429
