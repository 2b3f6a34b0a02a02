"""Many callers at once, on a pool that is too small for them: everyone gets their own answer.

The pool checks its sums after every step; what it finds is in the log as an error, and so is
anything else that nobody foresaw.
"""

import json
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import pytest

from tests.fakes.api import Answered, Api
from tests.fakes.embedded import RunningPlatform, running_platform
from tests.fakes.traces import wait_until

SETTINGS = {"BRISK_POOL__MEMORY_MB": "512", "BRISK_CHECK_INVARIANTS": "true"}
BUSY = 'brisk_pool_sandboxes{state="busy"}'
WAITING = "brisk_pool_waiting_activations"
SMALL = {"memory": 128}
DELETED = "Action could not be found or may have been deleted."


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[RunningPlatform]:
    """A platform with room for four sandboxes, of which no error may be logged."""
    with running_platform(tmp_path, settings=SETTINGS) as running:
        yield running
    events = map(json.loads, (running.data / "brisk.log").read_text().splitlines())
    assert [event for event in events if event["level"] == "error"] == []


@pytest.fixture
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


def expect_exact_books(api: Api, activations: int) -> None:
    """Expect that many records, once the last call has ended, and a bill that is their sum."""
    wait_until(lambda: api.metric(BUSY) + api.metric(WAITING) == 0, "somebody is still at work")
    assert api.call("GET", "activations?count=true").body == {"activations": activations}
    ids: set[str] = set()
    while page := api.call("GET", f"activations?limit=200&skip={len(ids)}").body:
        ids |= {record["activationId"] for record in page}
    assert len(ids) == activations
    own = "/api/brisk/v1/namespaces/_"
    records = [api.call("GET", f"{own}/activations/{each}").body for each in ids]
    total = api.call("GET", f"{own}/usage").body["total"]
    assert total == {
        "activations": activations,
        "billed_ms": sum(record["billed_ms"] for record in records),
        "mb_ms": sum(record["billed_ms"] * record["memory_mb"] for record in records),
    }


def test_two_hundred_at_once_over_many_actions(api: Api) -> None:
    names = [f"action{number}" for number in range(6)]
    for name in names:
        code = f"def main(a): return {{'by': '{name}', 'n': a['n'], 'text': a['text'] * 2}}"
        api.put_action(name, code, limits=SMALL)

    def call(number: int) -> Answered:
        arguments = {"n": number, "text": f"{number}," * (number % 50)}
        return api.invoke(names[number % 6], arguments)

    with ThreadPoolExecutor(200) as callers:
        answers = list(callers.map(call, range(200)))
    for number, answer in enumerate(answers):
        assert answer.status == 200
        assert answer.body["name"] == names[number % 6]
        assert answer.body["response"]["result"] == {
            "by": names[number % 6],
            "n": number,
            "text": f"{number}," * (number % 50) * 2,
        }
    assert len({answer.body["activationId"] for answer in answers}) == 200
    expect_exact_books(api, 200)


def test_an_action_is_changed_and_deleted_while_it_is_invoked(api: Api) -> None:
    def put(number: int) -> None:
        api.put_action("changes", f"def main(a): return {{'v': '0.0.{number}'}}", limits=SMALL)

    put(1)
    deleted = Event()
    answers: list[Answered] = []

    def call_for_ever() -> None:
        while not deleted.is_set():
            answers.append(api.invoke("changes"))
        answers.append(api.invoke("changes"))

    with ThreadPoolExecutor(6) as callers:
        calls = [callers.submit(call_for_ever) for _ in range(6)]
        try:
            for number in range(2, 22):
                put(number)
                wait_until(partial(has_grown, answers, len(answers) + 8), "nobody is answered")
            assert api.call("DELETE", "actions/changes").status == 200
        finally:
            deleted.set()
        for ended in calls:
            ended.result()

    accepted = [answer for answer in answers if "activationId" in answer.body]
    for answer in accepted:
        if answer.status == 502:  # it was on its way when the action went
            assert answer.body["response"]["result"] == {"error": DELETED}
        else:  # whose code ran is what the record says
            assert answer.status == 200
            assert answer.body["response"]["result"] == {"v": answer.body["version"]}
    versions = [answer.body["version"] for answer in accepted]
    assert set(versions) >= {f"0.0.{number}" for number in range(1, 21)}
    refused = [answer for answer in answers if "activationId" not in answer.body]
    assert {answer.status for answer in refused} == {404}
    assert len(refused) >= 6
    expect_exact_books(api, len(accepted))


def has_grown(answers: list[Answered], size: int) -> bool:
    return len(answers) >= size


def test_clients_that_leave_in_the_middle(api: Api, platform: RunningPlatform) -> None:
    api.put_action("sleeps", "import time\ndef main(a):\n time.sleep(0.1)\n return a", limits=SMALL)
    for number in range(24):
        leave(platform, number, whole=number % 3 != 2)
    wait_until(lambda: sleeping(api) == 16, "not every request was taken")
    answers = [api.invoke("sleeps", {"n": -1}).status for _ in range(4)]
    assert answers == [200] * 4
    expect_exact_books(api, 20)


def sleeping(api: Api) -> int:
    """Return how many calls have ended, are at work, or wait."""
    ended = int(api.call("GET", "activations?count=true").body["activations"])
    return ended + int(api.metric(BUSY) + api.metric(WAITING))


def leave(platform: RunningPlatform, number: int, *, whole: bool) -> None:
    """Send a request, or half of one, and hang up; each way of it by turns."""
    address = urlsplit(platform.url)
    body = json.dumps({"n": number})
    # Behind the plain face and behind the other one.
    accept = ("application/json", "application/json, */*")[number % 2]
    head = (
        f"POST /api/v1/namespaces/_/actions/sleeps?blocking=true HTTP/1.1\r\nHost: h\r\n"
        f"Authorization: {Api(platform.url, platform.auth).authorization}\r\nAccept: {accept}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as client:
        client.sendall((head + body if whole else head + body[:3]).encode())
        if number % 4 < 2:
            # What the client's end has is thrown away at once: the platform sees a reset. The
            # request has to be there by then, so the client waits until it could be answered.
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
