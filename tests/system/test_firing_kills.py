"""A cluster whose controller and invoker are killed while triggers are fired: nothing is lost.

Every firing that was accepted has one record, and each line of it names an activation that has
exactly one, too: of an action, or of a sequence with its parts. No function runs twice.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import pytest

from controller.edge.errors import UNAVAILABLE
from invoker import outcome
from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, Member, health, running_cluster, wait_until
from tests.fakes.ledger import TELLS
from tests.fakes.teller import teller
from tests.system.test_composition_kills import every_record, is_composite

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

FIRINGS: Final = 150
CALLERS: Final = 3
END_S: Final = 60.0
RULES: Final = {"one": "tells", "both": "line"}


class Fired:
    """What was promised to who fired, and which functions ran."""

    def __init__(self) -> None:
        self.promised: list[str] = []
        self.unknown = 0
        self.odd: list[str] = []
        self.ran: Counter[str] = Counter()
        self.is_over = threading.Event()

    def hear(self, activation_id: str) -> None:
        self.ran[activation_id] += 1

    def has(self, promised: int) -> bool:
        return len(self.promised) >= promised or bool(self.odd)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if reason := kafka.absence():
        pytest.skip(reason)
    settings = {"BRISK_SANDBOX__NETWORK": "host", "BRISK_CHECK_INVARIANTS": "true"}
    with running_cluster(tmp_path, invokers=1, settings=settings) as running:
        yield running


@pytest.mark.xfail(
    strict=False,
    reason="once in six runs a rule's activation, begun amid a kill, had no record after a minute",
)
def test_whoever_is_killed_each_accepted_firing_ends_in_one_record_of_each_part(
    cluster: Cluster,
) -> None:
    fired, api = Fired(), cluster.api
    with teller(fired.hear) as port:
        prepare(api, port)
        with firing(api, fired):
            killed(cluster, fired, cluster.controller, after=FIRINGS // 3)
            killed(cluster, fired, cluster.invokers[0], after=FIRINGS * 2 // 3)
            wait_until(partial(fired.has, FIRINGS), within_s=END_S)
        check(cluster, fired)


def prepare(api: Api, port: int) -> None:
    api.put_action("tells", TELLS.format(port=port))
    parts = {"kind": "sequence", "components": ["/_/tells", "/_/tells"]}
    assert api.call("PUT", "actions/line", {"exec": parts}).status == 200
    assert api.call("PUT", "triggers/tick", {}).status == 200
    for rule, action in RULES.items():
        body = {"trigger": "/_/tick", "action": f"/_/{action}"}
        assert api.call("PUT", f"rules/{rule}", body).status == 200


@contextmanager
def firing(api: Api, fired: Fired) -> Iterator[None]:
    """Have clients fire while inside."""
    callers = [threading.Thread(target=_fire, args=(api, fired)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        fired.is_over.set()
        for caller in callers:
            caller.join(END_S)
    assert fired.odd == []


def _fire(api: Api, fired: Fired) -> None:
    """Fire; what is refused or breaks off is fired again later, as a client would."""
    while not fired.is_over.is_set():
        try:
            answer = api.call("POST", "triggers/tick", {"number": 1})
        except (OSError, HTTPException):
            fired.unknown += 1
            fired.is_over.wait(0.2)
            continue
        if answer.status == 202:
            fired.promised.append(answer.body["activationId"])
        elif answer.status not in (429, 503):
            fired.odd.append(str(answer))
            return
        fired.is_over.wait(0.02)


def killed(cluster: Cluster, fired: Fired, member: Member, *, after: int) -> None:
    """Kill *member* when there were so many firings, and start it again."""
    wait_until(partial(fired.has, after), within_s=END_S)
    member.kill()
    member.start()
    wait_until(lambda: member.health().get("state") == "healthy", cluster.logs)
    wait_until(lambda: health(cluster) == ["up"], cluster.logs)


def check(cluster: Cluster, fired: Fired) -> None:
    """Compare what was promised with the records, and those with what ran."""
    api = cluster.api
    lines = {each: told_by(api.record(each, within_s=END_S)) for each in fired.promised}
    started = [line["activationId"] for told in lines.values() for line in told]
    assert len(set(started)) == len(started) > len(fired.promised)
    for each in started:
        api.record(each, within_s=END_S)
    settled(lambda: every_record(api).keys() >= set(started))
    records = every_record(api)
    causes = {record["cause"] for record in records.values() if "cause" in record}
    assert causes <= records.keys(), "a part has no whole"
    for activation_id, record in records.items():
        if "end" not in record:
            continue  # a firing
        ends_well(record, fired.ran[activation_id])
        if is_composite(record) and record["response"]["success"]:
            parts = [records[part] for part in record["logs"]]
            assert [part["cause"] for part in parts] == [activation_id] * 2
    assert fired.ran.keys() <= records.keys()
    beyond = [
        each for each, record in records.items()
        if "cause" not in record and each not in {*started, *fired.promised}
    ]  # fmt: skip
    # Of firings whose answer never came, and their actions.
    assert len(beyond) <= (1 + len(RULES)) * fired.unknown


def told_by(firing: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of a firing's record about actions that were started.

    There is one about each rule; while the only invoker is away, none takes what is started.
    """
    lines = [json.loads(line) for line in firing["logs"]]
    assert [line["rule"].partition("/")[2] for line in lines] == list(RULES)
    for line in lines:
        assert line["success"] or line["error"] == UNAVAILABLE, line
    return [line for line in lines if line["success"]]


def ends_well(record: dict[str, Any], runs: int) -> None:
    response = record["response"]
    if response["success"]:
        assert runs == (0 if is_composite(record) else 1), record
        return
    assert response["status"] == "whisk internal error", record
    assert response["result"]["error"] == outcome.INTERRUPTED, record
    assert runs <= 1


def settled(condition: Callable[[], bool]) -> None:
    wait_until(condition, within_s=END_S)
