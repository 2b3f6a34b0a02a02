"""Traces arrive at a collector whole; one that is away is no matter to anybody."""

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from common.ids import ActivationId
from common.tracing import step_of
from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH, ROOT, running_platform
from tests.fakes.otlp import Sink, attributes, collecting
from tests.fakes.ports import free_port

TRACE, STEP = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HELLO = "def main(args):\n    return {'body': 'hello'}"
WEB = [{"key": "web-export", "value": True}]
TAKEN, DROPPED = (f'brisk_tracing_spans_total{{fate="{fate}"}}' for fate in ("taken", "dropped"))


def settings(url: str) -> dict[str, str]:
    return {"BRISK_TRACING__OTLP_ENDPOINT": url, "BRISK_TRACING__FLUSH_MS": "10"}


def prepared(url: str) -> Api:
    api = Api(url, GUEST_AUTH)
    api.put_action("hello", HELLO, annotations=WEB)
    line = {"exec": {"kind": "sequence", "components": ["/_/hello", "/_/hello"]}}
    assert api.call("PUT", "actions/line?overwrite=true", line).status == 200
    return api


def parent(trace: str = TRACE, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{STEP}-{flags}", "tracestate": "vendor=1"}


def is_one_tree_of_a_line(api: Api, sink: Sink) -> None:
    """A sequence of two: the client's step, the edge, the sequence, its two parts."""
    answer = api.call("POST", "actions/line?blocking=true", {}, headers=parent())
    edge = answer.headers["traceparent"].split("-")[2]
    whole, parts = answer.body["activationId"], answer.body["logs"]
    spans = sink.spans(4, TRACE)
    assert {each.span_id.hex(): each.parent_span_id.hex() for each in spans} == {
        edge: STEP,
        own(whole): edge,
        **{own(part): own(whole) for part in parts},
    }
    by_step = {each.span_id.hex(): each for each in spans}
    assert (by_step[edge].kind, by_step[edge].name) == (Span.SPAN_KIND_SERVER, "POST invoke")
    assert by_step[edge].trace_state == "vendor=1"
    first, second = (by_step[own(part)] for part in parts)
    assert first.name == second.name == "hello"
    assert first.end_time_unix_nano <= second.end_time_unix_nano
    told = attributes(second)
    assert (told["brisk.namespace"], told["brisk.cause"]) == ("guest", whole)
    assert told["faas.invocation_id"] == parts[1]
    record = api.record(whole)
    assert by_step[own(whole)].end_time_unix_nano == record["end"] * 1_000_000


def own(activation: str) -> str:
    return step_of(ActivationId(activation))


def test_a_sequence_is_one_tree(tmp_path: Path) -> None:
    with collecting() as sink:
        with running_platform(tmp_path, settings=settings(sink.url)) as running:
            api = prepared(running.url)
            is_one_tree_of_a_line(api, sink)
            wait_until(lambda: api.metric(TAKEN) == 4)
            other = TRACE[::-1]
            api.call("POST", "actions/hello?blocking=true", {}, headers=parent(other, "00"))
            api.invoke("hello")
            missing = api.call("POST", "actions/none?blocking=true", {}, headers=parent(other))
            assert missing.status == 404
        (refused,) = sink.spans(1, other)
        assert attributes(refused)["http.response.status_code"] == 404
        assert refused.status.code == Status.STATUS_CODE_UNSET
        assert sink.count == 5, "what is not sampled, or not traced, has no span"
        assert sink.paths == {"/v1/traces"}
        assert sink.resources[0]["service.name"] == "brisk"
        sources = {each["service.instance.id"] for each in sink.resources}
        assert sources == {"controller0", "invoker0"}


def test_traces_that_begin_here_have_roots_and_firings_and_pages_are_in_them(
    tmp_path: Path,
) -> None:
    with collecting() as sink:
        chosen = settings(sink.url) | {"BRISK_TRACING__SAMPLE_SHARE": "1"}
        with running_platform(tmp_path, settings=chosen) as running:
            api = prepared(running.url)
            for _ in range(3):  # by the long way at first, by the short one when all is known
                is_rooted(sink, api.invoke("hello").headers["traceparent"], "POST invoke")
                page = api.call("GET", "/api/v1/web/guest/default/hello.http")
                is_rooted(sink, page.headers["traceparent"], "GET web")
            assert api.call("PUT", "triggers/tick?overwrite=true", {}).status == 200
            rule = {"trigger": "/_/tick", "action": "/_/hello"}
            assert api.call("PUT", "rules/tock?overwrite=true", rule).status == 200
            fired = api.call("POST", "triggers/tick", {}, headers=parent())
            names = {each.name: each.span_id.hex() for each in sink.spans(3, TRACE)}
            assert set(names) == {"POST trigger", "tick", "hello"}
            assert names["tick"] == own(fired.body["activationId"])


def is_rooted(sink: Sink, traceparent: str, name: str) -> None:
    _, trace, step, _ = traceparent.split("-")
    spans = {each.name: each for each in sink.spans(2, trace)}
    assert set(spans) == {name, "hello"}
    assert spans[name].parent_span_id == b""
    assert spans[name].span_id == spans["hello"].parent_span_id == bytes.fromhex(step)


def test_a_collector_that_is_away_is_no_matter(tmp_path: Path) -> None:
    chosen = settings(f"http://127.0.0.1:{free_port()}")
    chosen |= {"BRISK_TRACING__OTLP_TIMEOUT_S": "0.2", "BRISK_TRACING__MAX_WAITING": "3"}
    with running_platform(tmp_path, settings=chosen) as running:
        api = prepared(running.url)
        for _ in range(5):
            answer = api.call("POST", "actions/line?blocking=true", {}, headers=parent())
            assert answer.status == 200
        wait_until(lambda: api.metric(DROPPED) == 20)
        assert api.metric(TAKEN) == 0
        assert api.metric("brisk_tracing_pending_spans") == 0


def test_nothing_of_the_library_is_loaded_until_it_is_wanted() -> None:
    asked = "import sys, cli.standalone; print('opentelemetry' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout == "False\n"


@pytest.mark.parametrize("process", ["cli", "controller", "invoker"])
def test_without_the_library_a_start_ends_with_what_to_do(tmp_path: Path, process: str) -> None:
    begin = (
        "import runpy, sys; sys.modules['opentelemetry'] = None;"
        f"sys.argv = ['brisk', *{['serve', '--port', '0'] if process == 'cli' else []}];"
        f"runpy.run_module('{process}', run_name='__main__', alter_sys=True)"
    )
    chosen = settings("http://127.0.0.1:1") | {"BRISK_DATA": str(tmp_path / "data")}
    said = subprocess.run(
        [sys.executable, "-c", begin], cwd=ROOT, env=chosen, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert said.returncode == 1
    assert "BRISK_TRACING__OTLP_ENDPOINT names" in said.stderr
    assert "pip install 'brisk-faas[otel]'" in said.stderr
    assert not (tmp_path / "data").exists(), "nothing was begun"


@pytest.mark.kafka
def test_in_a_cluster_both_sides_of_the_bus_tell(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    with (
        collecting() as sink,
        running_cluster(tmp_path, invokers=1, settings=settings(sink.url)) as cluster,
    ):
        is_one_tree_of_a_line(prepared(cluster.url), sink)
        sources = {each["service.instance.id"] for each in sink.resources}
        assert sources == {"controller0", "invoker0"}
