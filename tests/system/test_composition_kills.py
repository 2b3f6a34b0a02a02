"""Every sequence and composition ends in exactly one record, whenever the platform is killed.

One that had begun is not begun again: its record says so. One that had not begun is run.
"""

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH, running_platform, start, wait_ready
from tests.fakes.traces import wait_until

INTERRUPTED = "The platform stopped while this activation was running. It is not run a second time."
SLEEPS = "import time\ndef main(a):\n    time.sleep(a.get('s', 0))\n    return a"
TWICE = """
def main(a):
    i = a.get('i', 0)
    if i == 2:
        return {'params': {'s': a.get('s')}}
    return {'action': 'inner', 'params': {'s': a.get('s', 0)}, 'state': {'i': i + 1}}
"""
PROMISED = "brisk_bus_journal_pending_messages"
UNDER_WAY = "brisk_controller_compositions"
KILLS = 2


def prepare(api: Api) -> None:
    api.put_action("sleeps", SLEEPS)
    for name, parts in (("inner", ["sleeps", "sleeps"]), ("outer", ["inner", "sleeps"])):
        document = {"exec": {"kind": "sequence", "components": [f"/_/{part}" for part in parts]}}
        assert api.call("PUT", f"actions/{name}?overwrite=true", document).status == 200
    api.put_action("twice", TWICE, annotations=[{"key": "conductor", "value": True}])


def every_record(api: Api) -> dict[str, dict[str, Any]]:
    """Return all records by id; none is there twice."""
    found: list[dict[str, Any]] = []
    while page := api.call("GET", f"activations?docs=true&limit=200&skip={len(found)}").body:
        found += page
    records = {record["activationId"]: record for record in found}
    assert len(records) == len(found)
    return records


def is_composite(record: dict[str, Any]) -> bool:
    return {"key": "kind", "value": "sequence"} in record["annotations"]


def call_until_killed(api: Api, process_id: int, moment: random.Random) -> list[str]:
    """Invoke from several threads until the platform is gone; return what was promised."""
    promised: list[str] = []

    def calls(number: int) -> None:
        name = ("outer", "twice")[number % 2]
        path = f"actions/{name}" + "?blocking=true&timeout=40" * (number >= 2)
        for _ in range(15):
            try:
                answer = api.call("POST", path, {"s": 0.01})
            except OSError:
                return
            if answer.status == 202:
                promised.append(answer.body["activationId"])
            else:
                assert answer.status == 200, answer

    callers = [threading.Thread(target=calls, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    time.sleep(moment.uniform(0.1, 0.3))  # the moment is what is tried
    os.kill(process_id, signal.SIGKILL)
    for caller in callers:
        caller.join(20)
    return promised


def test_no_composition_is_left_without_a_record_whenever_the_kill(tmp_path: Path) -> None:
    moment, promised = random.Random(11), list[str]()
    for _ in range(KILLS):
        process = start(tmp_path / "data")
        api = Api(wait_ready(process), GUEST_AUTH)
        prepare(api)
        promised += call_until_killed(api, process.pid, moment)
        process.communicate(timeout=15)
    assert promised

    with running_platform(tmp_path) as platform:
        api = Api(platform.url, platform.auth)
        wait_until(lambda: api.metric(PROMISED) == 0, "one never ends", within_s=30)
        records = every_record(api)
    assert records.keys() >= set(promised)
    causes = {record["cause"] for record in records.values() if "cause" in record}
    assert causes <= records.keys(), "a part has no whole"
    composites = [record for record in records.values() if is_composite(record)]
    assert {record["activationId"] for record in composites} >= causes
    for record in composites:
        response = record["response"]
        if response["success"]:
            assert all(records[part]["cause"] == record["activationId"] for part in record["logs"])
        else:
            assert response["status"] == "whisk internal error"
            assert response["result"] == {"error": INTERRUPTED}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_had_begun_is_ended_and_what_had_not_is_run(tmp_path: Path, number: int) -> None:
    one = {"BRISK_CONTROLLER__MAX_COMPOSITIONS": "1", "BRISK_HTTP__DRAIN_S": "0.3"}
    process = start(tmp_path / "data", settings=one)
    api = Api(wait_ready(process), GUEST_AUTH)
    prepare(api)
    begun = api.call("POST", "actions/outer", {"s": 30}).body["activationId"]
    wait_until(lambda: api.metric('brisk_pool_sandboxes{state="busy"}') == 1, "it does not begin")
    waiting = [api.call("POST", f"actions/{name}", {"s": 0}) for name in ("outer", "twice")]
    refused = api.invoke("outer", {})
    assert refused.status == 503
    assert refused.headers["x-brisk-limit"] == "controller.max_compositions"
    os.kill(process.pid, number)
    process.communicate(timeout=15)

    with running_platform(tmp_path, settings=one) as platform:
        api = Api(platform.url, platform.auth)
        broken_off = api.record(begun)
        assert broken_off["response"]["status"] == "whisk internal error"
        assert broken_off["response"]["result"] == {"error": INTERRUPTED}
        for each in waiting:
            ended = api.record(each.body["activationId"])
            assert ended["response"]["result"] == {"s": 0}, ended
        wait_until(lambda: api.metric(PROMISED) == 0, "one never ends")
        assert api.metric(UNDER_WAY) == 0
        records = every_record(api)
    inner = [each for each in records.values() if each.get("cause") == begun]
    assert [each["response"]["result"] for each in inner] == [{"error": INTERRUPTED}]
    assert [each["name"] for each in inner] == ["inner"]
    if number == signal.SIGTERM:  # there was time to note what had been invoked
        assert broken_off["logs"] == [inner[0]["activationId"]]
