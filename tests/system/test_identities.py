"""Subjects of a platform that runs: made, limited, blocked, given new keys, from outside."""

import os
import subprocess
import sys
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
