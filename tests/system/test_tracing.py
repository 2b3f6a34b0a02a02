"""A trace goes from the client's header to the code, and through all that is made of others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.ids import ActivationId
from common.tracing import step_of
from tests.fakes import kafka
from tests.fakes.api import Answered, Api
from tests.fakes.cluster import running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH, running_platform

TRACE, STEP = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{STEP}-01", "tracestate": "vendor=1"}
TELLS = """
import os
def main(args):
    told = {name: os.environ.get('__OW_' + name.upper()) for name in ('traceparent', 'tracestate')}
    return {**args, 'told': [*args.get('told', []), told]}
"""
NOTHING = {"traceparent": None, "tracestate": None}
WEB = [{"key": "web-export", "value": True}]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_platform(tmp_path_factory.mktemp("platform")) as running:
        yield prepared(running.url)


def prepared(url: str) -> Api:
    api = Api(url, GUEST_AUTH)
    api.put_action("tells", TELLS, annotations=WEB)
    line = {"exec": {"kind": "sequence", "components": ["/_/tells", "/_/tells"]}}
    assert api.call("PUT", "actions/line?overwrite=true", line).status == 200
    return api


def traced(api: Api, path: str, body: object = None) -> Answered:
    return api.call("POST", path, {} if body is None else body, headers=PARENT)


def of(trace: str, activation: str) -> str:
    return f"00-{trace}-{step_of(ActivationId(activation))}-01"


def test_code_is_told_its_own_step_and_the_client_that_of_the_edge(api: Api) -> None:
    answer = traced(api, "actions/tells?blocking=true")
    (told,) = answer.body["response"]["result"]["told"]
    assert told["traceparent"] == of(TRACE, answer.body["activationId"])
    assert told["tracestate"] == "vendor=1"
    version, trace, step, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert step not in (STEP, told["traceparent"].split("-")[2])


def test_a_trace_ends_with_its_call(api: Api) -> None:
    """The sandbox is the same: what it was told of one call must not be there in the next."""
    traced(api, "actions/tells?blocking=true")
    answer = api.invoke("tells")
    assert not any(each["key"] == "initTime" for each in answer.body["annotations"])
    assert answer.body["response"]["result"]["told"] == [NOTHING]
    assert "traceparent" not in answer.headers


def test_parts_of_a_sequence_are_steps_of_one_trace(api: Api) -> None:
    answer = traced(api, "actions/line?blocking=true")
    parts = answer.body["logs"]
    told = answer.body["response"]["result"]["told"]
    assert [each["traceparent"] for each in told] == [of(TRACE, part) for part in parts]


def test_a_sequence_that_nobody_waits_for_keeps_its_trace(api: Api) -> None:
    record = api.record(traced(api, "actions/line").body["activationId"])
    told = record["response"]["result"]["told"]
    assert [each["traceparent"] for each in told] == [of(TRACE, part) for part in record["logs"]]


def test_rules_and_web_actions_pass_it_on(api: Api) -> None:
    assert api.call("PUT", "triggers/tick?overwrite=true", {}).status == 200
    rule = {"trigger": "/_/tick", "action": "/_/tells"}
    assert api.call("PUT", "rules/tock?overwrite=true", rule).status == 200
    fired = api.record(traced(api, "triggers/tick").body["activationId"])
    assert TRACE in str(last_told(api))
    assert fired["logs"]
    shown = traced(api, "/api/v1/web/guest/default/tells.json")
    assert TRACE in shown.body["told"][0]["traceparent"]
    assert TRACE in shown.headers["traceparent"]


def last_told(api: Api) -> object:
    rows: list[dict[str, object]] = []

    def found() -> bool:
        rows[:] = api.call("GET", "activations?docs=true&name=tells&limit=1").body
        return bool(rows) and TRACE in str(rows[0])

    wait_until(found)
    return rows[0]


def test_a_trace_begins_here_where_that_is_wanted(tmp_path: Path) -> None:
    with running_platform(tmp_path, settings={"BRISK_TRACING__SAMPLE_SHARE": "1"}) as running:
        api = prepared(running.url)
        for _ in range(3):  # by the long way at first, by the short one when all is known
            answer = api.invoke("tells")
            _, trace, _, flags = answer.headers["traceparent"].split("-")
            assert flags == "01"
            (told,) = answer.body["response"]["result"]["told"]
            assert told["traceparent"] == of(trace, answer.body["activationId"])
        page = api.call("GET", "/api/v1/web/guest/default/tells.json")
        assert page.headers["traceparent"].split("-")[1] in page.body["told"][0]["traceparent"]


@pytest.mark.kafka
def test_a_trace_goes_over_the_bus(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    with running_cluster(tmp_path, invokers=1) as cluster:
        api = prepared(cluster.url)
        answer = traced(api, "actions/line?blocking=true")
        told = answer.body["response"]["result"]["told"]
        assert [each["traceparent"] for each in told] == [
            of(TRACE, part) for part in answer.body["logs"]
        ]
