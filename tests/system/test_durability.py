"""What was accepted ends in one record and one bill, whenever the platform is killed.

A call that had begun when the platform died is not run again; its record says so. One that had not
begun is run by the next platform.
"""

import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH, running_platform, start, wait_ready
from tests.fakes.traces import wait_until

INTERRUPTED = "The platform stopped while this activation was running. It is not run a second time."
SLEEPS = "import time\ndef main(a):\n time.sleep(a['s'])\n return a"
SMALL = {"BRISK_POOL__MEMORY_MB": "512", "BRISK_CHECK_INVARIANTS": "true"}
KILLS = 3
CALLS = 40
"""Of each caller in a round: more than two sandboxes can do before the kill."""
BUSY = 'brisk_pool_sandboxes{state="busy"}'
PROMISED = "brisk_bus_journal_pending_messages"
WAITING = "brisk_pool_waiting_activations"


class Clients:
    """Callers that go on while the platform answers, and know what they were promised."""

    def __init__(self, seed: int) -> None:
        self.promised: list[str] = []
        self.answered: dict[str, Any] = {}
        self.faults: list[str] = []
        self._random = random.Random(seed)

    def call_until_killed(self, process_id: int, api: Api) -> None:
        wait_until(lambda: api.metric(PROMISED) == 0, "what was left does not run", within_s=30)
        # One sandbox is at work for as long as the platform lives, so each kill breaks one off.
        self.promised.append(api.call("POST", "actions/sleeps", {"s": 60}).body["activationId"])
        wait_until(lambda: api.metric(BUSY) == 1, "nothing runs")
        enough = len(self.promised) + self._random.randint(25, 80)
        callers = [threading.Thread(target=self._call, args=(api, n)) for n in range(4)]
        for caller in callers:
            caller.start()
        # The moment is what is tried. By promises, of which a busy machine makes fewer in a time.
        wait_until(lambda: len(self.promised) >= enough, "too little is promised", within_s=30)
        os.kill(process_id, signal.SIGKILL)
        for caller in callers:
            caller.join(20)

    def _call(self, api: Api, number: int) -> None:
        path = "actions/sleeps" + "?blocking=true&timeout=100" * (number == 0)
        for _ in range(CALLS):
            try:
                answer = api.call(
                    "POST", path, {"s": self._random.choice((0, 0, 0, 0, 0, 0, 0, 0.1))}
                )
            except OSError:  # killed
                return
            if answer.status == 202:
                self.promised.append(answer.body["activationId"])
            elif answer.status == 200:
                self.answered[answer.body["activationId"]] = answer.body["response"]
            else:
                self.faults.append(str(answer))


def every_end(api: Api) -> dict[str, Any]:
    """Return the response of every record by its id; none is there twice."""
    found: list[dict[str, Any]] = []
    while page := api.call("GET", f"activations?docs=true&limit=200&skip={len(found)}").body:
        found += page
    ends = {record["activationId"]: record["response"] for record in found}
    assert len(ends) == len(found) == api.call("GET", "activations?count=true").body["activations"]
    return ends


def billed_ms(api: Api, activation_id: str) -> int:
    whole = api.call("GET", f"/api/brisk/v1/namespaces/_/activations/{activation_id}")
    return int(whole.body["billed_ms"])


def test_what_was_accepted_has_one_record_and_one_bill_after_every_kill(tmp_path: Path) -> None:
    clients = Clients(seed=7)
    for _ in range(KILLS):
        process = start(tmp_path / "data", settings=SMALL)
        api = Api(wait_ready(process), GUEST_AUTH)
        api.put_action("sleeps", SLEEPS)
        clients.call_until_killed(process.pid, api)
        process.communicate(timeout=15)
    assert clients.faults == []
    assert len(clients.promised) > 20 * KILLS

    with running_platform(tmp_path, settings=SMALL) as platform:
        api = Api(platform.url, platform.auth)
        wait_until(lambda: api.metric(PROMISED) == 0, "one never ends", within_s=20)
        wait_until(lambda: api.metric(BUSY) + api.metric(WAITING) == 0, "somebody still waits")
        ends = every_end(api)
        assert ends.keys() >= set(clients.promised)
        assert {each: ends.get(each) for each in clients.answered} == clients.answered
        total = api.call("GET", "/api/brisk/v1/namespaces/_/usage").body["total"]
        assert total["activations"] == len(ends)
        assert total["billed_ms"] == sum(billed_ms(api, each) for each in ends)
    broken_off = [end for end in ends.values() if not end["success"]]
    assert {(end["status"], end["result"]["error"]) for end in broken_off} == {
        ("whisk internal error", INTERRUPTED)
    }
    # At the moment of a kill at most the two sandboxes were at work.
    assert len(broken_off) <= 2 * KILLS


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_only_waited_is_run_by_the_next_platform(tmp_path: Path, number: int) -> None:
    process = start(tmp_path / "data", settings=SMALL | {"BRISK_HTTP__DRAIN_S": "0.3"})
    api = Api(wait_ready(process), GUEST_AUTH)
    api.put_action("sleeps", SLEEPS)
    begun = [api.call("POST", "actions/sleeps", {"s": 30}) for _ in range(2)]
    wait_until(lambda: api.metric(BUSY) == 2, "they do not run")
    waiting = [api.call("POST", "actions/sleeps", {"s": 0}) for _ in range(5)]
    waiting.append(api.call("POST", "actions/sleeps?blocking=true&timeout=50", {"s": 0}))
    assert [each.status for each in (*begun, *waiting)] == [202] * 8
    with ThreadPoolExecutor(1) as caller:
        blocking = caller.submit(api.invoke, "sleeps", {"s": 0})
        wait_until(lambda: api.metric(WAITING) == 7, "they do not wait")
        os.kill(process.pid, number)
        process.communicate(timeout=15)
    if number == signal.SIGTERM:  # there was time to promise it
        waiting.append(blocking.result())
    else:
        assert isinstance(blocking.exception(), OSError)

    with running_platform(tmp_path, settings=SMALL) as platform:
        api = Api(platform.url, platform.auth)
        for each in begun:
            response = api.record(each.body["activationId"])["response"]
            assert response["status"] == "whisk internal error"
            assert response["result"] == {"error": INTERRUPTED}
            assert billed_ms(api, each.body["activationId"]) == 0
        for each in waiting:
            response = api.record(each.body["activationId"])["response"]
            assert (response["status"], response["result"]) == ("success", {"s": 0})
        assert len(every_end(api)) == len(begun) + len(waiting)


def test_a_call_that_was_answered_is_on_record_however_soon_the_kill(tmp_path: Path) -> None:
    answered = []
    for _ in range(2):
        process = start(tmp_path / "data")
        api = Api(wait_ready(process), GUEST_AUTH)
        api.put_action("sleeps", SLEEPS)
        answered += [api.invoke("sleeps", {"s": 0}) for _ in range(3)]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=15)
    with running_platform(tmp_path) as platform:
        api = Api(platform.url, platform.auth)
        for each in answered:
            record = api.call("GET", f"activations/{each.body['activationId']}")
            assert record.status == 200
            assert record.body["response"] == each.body["response"]
        assert len(every_end(api)) == 6
