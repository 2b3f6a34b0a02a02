"""Following a namespace: the stream of a platform, and of a cluster, whoever accepted the call."""

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH, ROOT, RunningPlatform

HELLO = "def main(args):\n    print('said', args.get('n'))\n    return args"
STREAM = "/api/brisk/v1/namespaces/_/activations/stream"
WAIT_S = 20.0


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    made = Api(platform.url, platform.auth)
    made.put_action("hello", HELLO)
    return made


@contextmanager
def followed(api: Api, query: str = "") -> Iterator["Queue[dict[str, Any]]"]:
    """Yield what is sent to who follows, as it comes; begun when this is entered."""
    request = urllib.request.Request(
        api.url + STREAM + query, headers={"Authorization": api.authorization}
    )
    records: Queue[dict[str, Any]] = Queue()
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        assert answer.readline() == b": here\n"

        def read() -> None:
            for line in answer:
                if line.startswith(b"data: "):
                    records.put(json.loads(line.removeprefix(b"data: ")))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield records
        finally:
            answer.fp.raw._sock.shutdown(2)
            reader.join(WAIT_S)
            assert not reader.is_alive()


def test_everything_that_ends_is_sent_with_its_log(api: Api) -> None:
    components = ["/_/hello", "/_/hello"]
    line = {"exec": {"kind": "sequence", "components": components}}
    assert api.call("PUT", "actions/line?overwrite=true", line).status == 200
    assert api.call("PUT", "triggers/tick?overwrite=true", {}).status == 200
    rule = {"trigger": "/_/tick", "action": "/_/hello"}
    assert api.call("PUT", "rules/tock?overwrite=true", rule).status == 200
    with followed(api) as records:
        plain = api.invoke("hello", {"n": 1}).body["activationId"]
        first = records.get(timeout=WAIT_S)
        assert first["activationId"] == plain
        assert first["logs"][0].endswith("stdout: said 1")
        assert first == api.record(plain)

        whole = api.invoke("line", {"n": 2}).body["activationId"]
        three = [records.get(timeout=WAIT_S) for _ in range(3)]
        assert [each["name"] for each in three] == ["hello", "hello", "line"]
        assert three[-1]["activationId"] == whole
        assert [each["cause"] for each in three[:2]] == [whole, whole]

        fired = api.call("POST", "triggers/tick", {"n": 3}).body["activationId"]
        two = {each["name"]: each for each in (records.get(timeout=WAIT_S) for _ in range(2))}
        assert two["tick"]["activationId"] == fired
        assert two["hello"]["logs"][0].endswith("said 3")
    wait_until(lambda: api.metric("brisk_stream_open_connections") == 0)


def test_the_command_line_prints_what_is_streamed(api: Api, platform: RunningPlatform) -> None:
    flags = ["--apihost", platform.url, "--auth", platform.auth]
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "activation", "logs", "--follow", "hello", "-r", *flags],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    ) as shown:  # fmt: skip
        wait_until(lambda: api.metric("brisk_stream_open_connections") == 1)
        api.call("POST", "actions/hello", {"n": 77})
        assert shown.stdout
        assert shown.stdout.readline() == "said 77\n"
        shown.terminate()


@pytest.mark.kafka
def test_what_one_controller_accepted_is_followed_at_the_other(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    with running_cluster(tmp_path, controllers=2, invokers=1) as cluster:
        here, there = (Api(each.url, GUEST_AUTH) for each in cluster.controllers)
        there.put_action("hello", HELLO)
        with followed(here) as records:
            for number in range(3):
                accepted = there.invoke("hello", {"n": number}).body["activationId"]
                record = records.get(timeout=WAIT_S)
                assert record["activationId"] == accepted
                assert record["logs"][0].endswith(f"said {number}")
        line = {"exec": {"kind": "sequence", "components": ["/_/hello"]}}
        assert there.call("PUT", "actions/line", line).status == 200
        with followed(here, "?name=line") as records:
            whole = there.invoke("line").body["activationId"]
            assert records.get(timeout=WAIT_S)["activationId"] == whole
