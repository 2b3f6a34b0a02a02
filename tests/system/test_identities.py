"""Subjects of a platform that runs: made, limited, blocked, given new keys, from outside."""

import http.client
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import ROOT, RunningPlatform
from tests.fakes.traces import wait_until

TEAM = "team"


@pytest.fixture
def operator(platform: RunningPlatform) -> "Operator":
    return Operator(platform.data)


class Operator:
    """Types `brisk admin …` beside the platform."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def types(self, *words: str) -> str:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("BRISK_")}  # noqa: TID251
        done = subprocess.run(
            [sys.executable, "-m", "cli", "admin", *words, "--data", str(self._data)],
            cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def test_a_second_namespace_is_used_limited_blocked_and_opened_again(
    platform: RunningPlatform, operator: Operator
) -> None:
    alice = Api(platform.url, operator.types("user", "create", "alice", "-ns", TEAM))
    guest = Api(platform.url, platform.auth)
    assert alice.call("GET", "/api/v1/namespaces").body == [TEAM]
    alice.put_action(
        "hello", "def main(a): return {'of': __import__('os').environ['__OW_NAMESPACE']}"
    )
    assert alice.invoke("hello").body["response"]["result"] == {"of": TEAM}
    assert guest.call("GET", "actions/hello").status == 404
    assert guest.call("GET", f"/api/v1/namespaces/{TEAM}/actions").status == 403

    operator.types("limits", "set", TEAM, "--invocationsPerMinute", "2")
    limits = f"/api/v1/namespaces/{TEAM}/limits"
    wait_until(
        lambda: alice.call("GET", limits).body["invocationsPerMinute"] == 2, "the limit is not seen"
    )
    # One was charged before: the limit is for the same sixty seconds.
    assert alice.invoke("hello").status == 200
    refused = alice.invoke("hello")
    assert (refused.status, refused.body["error"]) == (
        429, "Too many requests in the last minute (count: 3, allowed: 2).",
    )  # fmt: skip
    assert refused.headers["x-brisk-limit"] == "invocationsPerMinute"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    operator.types("limits", "delete", TEAM)

    operator.types("user", "block", "alice")
    wait_until(lambda: alice.call("GET", "actions").status == 401, "a blocked subject goes on")
    assert alice.invoke("hello").body["error"] == "The supplied authentication is invalid"
    assert guest.call("GET", "actions").status == 200
    operator.types("user", "unblock", "alice")
    wait_until(lambda: alice.invoke("hello").status == 200, "it is not opened again")

    new = Api(platform.url, operator.types("user", "rotate", "alice", "-ns", TEAM))
    wait_until(lambda: alice.invoke("hello").status == 401, "the old key goes on")
    assert new.invoke("hello").body["response"]["result"] == {"of": TEAM}

    operator.types("user", "delete", "alice")
    wait_until(lambda: new.invoke("hello").status == 401, "the key of nobody goes on")
    heir = Api(platform.url, operator.types("user", "create", "heiress", "-ns", TEAM))
    assert [each["name"] for each in heir.call("GET", "actions").body] == ["hello"]


def test_a_namespace_that_stores_nothing_is_answered_and_billed(
    platform: RunningPlatform, operator: Operator
) -> None:
    quiet = operator.types("user", "create", "quiet")
    operator.types("limits", "set", "quiet", "--storeActivations", "false", "--maxPayloadSize=99 B")
    api = Api(platform.url, quiet)
    api.put_action("says", "def main(a):\n print('secret')\n return {'n': a.get('n', 0)}")
    answers = [api.invoke("says", {"n": 7}) for _ in range(3)]
    assert [each.body["response"]["result"] for each in answers] == [{"n": 7}] * 3
    for each in answers:
        record = api.record(each.body["activationId"])
        assert (record["response"]["result"], record["logs"]) == ({}, [])
        assert record["response"]["status"] == "success"
    used = api.call("GET", "/api/brisk/v1/namespaces/_/usage").body["total"]
    assert used["activations"] == 3
    assert used["billed_ms"] == sum(each.body["duration"] for each in answers)

    # One connection, so that the short way of plain invocations is taken, too.
    connection = http.client.HTTPConnection(api.url.removeprefix("http://"), timeout=30)
    for size, status in ((50, 200), (50, 200), (200, 413), (50, 200)):
        body = json.dumps({"p": "x" * size})
        headers = {"Authorization": api.authorization, "Content-Type": "application/json"}
        path = "/api/v1/namespaces/_/actions/says?blocking=true"
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_of_many_at_once_as_many_pass_as_the_limit_says(
    platform: RunningPlatform, operator: Operator
) -> None:
    allowed, callers, calls = 100, 4, 60
    api = Api(platform.url, operator.types("user", "create", "rushing"))
    operator.types("limits", "set", "rushing", f"--invocationsPerMinute={allowed}")
    api.put_action("quick", "def main(a): return a")
    path = "/api/v1/namespaces/_/actions/quick?blocking=true"

    def rush(_: int) -> list[int]:
        connection = http.client.HTTPConnection(api.url.removeprefix("http://"), timeout=30)
        statuses = []
        for _ in range(calls):
            connection.request("POST", path, headers={"Authorization": api.authorization})
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()
        return statuses

    began_s = time.monotonic()
    with ThreadPoolExecutor(callers) as threads:
        statuses = [status for each in threads.map(rush, range(callers)) for status in each]
    assert time.monotonic() - began_s < 60, "the window has moved on"
    assert statuses.count(200) == allowed
    assert statuses.count(429) == callers * calls - allowed
