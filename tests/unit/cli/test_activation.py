import json
from pathlib import Path
from typing import Any

import pytest

from cli import following
from cli.following import OVERLAP_MS, Watch
from cli.jsontext import decode
from cli.render import duration_text, local_time, stripped_log
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

STREAM = "/api/brisk/v1/namespaces/_/activations/stream"
ID = "0123456789abcdef0123456789abcdef"
ROW: dict[str, Any] = {
    "namespace": "guest",
    "name": "hello",
    "version": "0.0.1",
    "activationId": ID,
    "start": 1_700_000_000_000,
    "end": 1_700_000_003_144,
    "duration": 3144,
    "statusCode": 0,
    "annotations": [{"key": "kind", "value": "python:3.11"}, {"key": "initTime", "value": 9}],
}
RECORD = ROW | {
    "subject": "guest",
    "response": {"success": False, "status": "application error", "result": {"error": "x"}},
    "logs": ["2023-11-14T22:13:20.001000Z stdout: hello"],
    "publish": False,
}

pytestmark = pytest.mark.usefixtures("configured")


def test_the_table(line: Run, api: FakeApi) -> None:
    warm = ROW | {"annotations": [], "duration": 0, "statusCode": 1, "name": "n" * 40}
    api.answer("GET activations", [ROW, warm])
    when = local_time(ROW["start"])
    assert line("wsk activation list").stdout.splitlines() == [
        "Datetime            Activation ID                    Kind        Start Duration   "
        "Status            Entity",
        f"{when} {ID} python:3.11 cold  3.144s     success           guest/hello:0.0.1",
        f"{when} {ID} unknown     warm  0s         application error guest/"
        + "n" * 14
        + "..."
        + "n" * 13
        + ":0.0.1",
    ]


def test_an_empty_list_is_an_empty_line(line: Run, api: FakeApi) -> None:
    api.answer("GET activations", [])
    assert line("wsk activation list").stdout == "\n"
    assert line("wsk activation list --full").stdout == "activations\n"
    assert line("brisk activation list --json").stdout == "[]\n"


def test_what_a_list_asks_for(line: Run, api: FakeApi) -> None:
    api.answer("GET activations", [RECORD])
    line("wsk activation list pk/act -l 1 -s 2 --since 5 --upto 6 -f")
    line("wsk activation list /ns")
    line("wsk activation list /ns/hello")
    assert api.targets == [
        "GET activations?docs=true&limit=1&name=pk%2Fact&since=5&skip=2&upto=6",
        "GET activations?limit=30&skip=0",
        "GET activations?limit=30&name=hello&skip=0",
    ]


def test_a_list_that_is_refused(line: Run, api: FakeApi) -> None:
    api.refuse("GET activations", 400, "too many")
    refused = line("wsk activation list --limit 500")
    assert refused.exit == 144
    assert refused.stderr == (
        "error: Unable to obtain the list of activations for namespace 'default': "
        "too many (code tid42)\n"
    )


def test_get_tells_the_status_in_a_number_too(line: Run, api: FakeApi) -> None:
    api.answer(f"GET activations/{ID}", RECORD)
    shown = line(f"wsk activation get {ID}")
    head, _, text = shown.stdout.partition("\n")
    assert head == f"ok: got activation {ID}"
    assert decode(text)["statusCode"] == 1
    assert list(decode(text))[:5] == ["namespace", "name", "version", "subject", "activationId"]
    field = line(f"wsk activation get {ID} Response").stdout
    assert field.startswith(f"ok: got activation {ID}, displaying field Response\n{{\n")
    unknown = line(f"wsk activation get {ID} nosuch")
    assert (unknown.exit, unknown.stderr.splitlines()[0]) == (
        1,
        "error: Invalid field filter 'nosuch'.",
    )


def test_the_newest(line: Run, api: FakeApi) -> None:
    api.answer("GET activations?limit=1&skip=0", [ROW])
    api.answer(f"GET activations/{ID}", RECORD)
    api.answer(f"GET activations/{ID}/logs", {"logs": RECORD["logs"]})
    api.answer(f"GET activations/{ID}/result", {"result": {"b": 1, "a": 2}, "success": True})
    assert "displaying field logs" in line("wsk activation get --last logs").stdout
    assert line("wsk activation logs -l").stdout == RECORD["logs"][0] + "\n"
    assert line("wsk activation logs -l -r").stdout == "hello\n"
    assert line("wsk activation get -l -g").stdout == "hello\n"
    assert line("wsk activation result -l").stdout == '{\n    "a": 2,\n    "b": 1\n}\n'
    summary = line("wsk activation get -l -s").stdout
    assert summary.startswith("activation result for '/guest/hello' (application error at ")
    assert api.targets.count("GET activations?limit=1&skip=0") == 6


def test_there_is_no_newest(line: Run, api: FakeApi) -> None:
    api.answer("GET activations", [])
    refused = line("wsk activation result --last")
    assert refused.exit == 1
    said = "Activation list does not contain any activations."
    assert refused.stderr.startswith(f"error: Unable to get result for activation: {said}\n")


@pytest.mark.parametrize("verb", ["get", "logs", "result"])
def test_an_id_is_needed(line: Run, verb: str) -> None:
    refused = line(f"wsk activation {verb}")
    assert refused.exit == 1
    assert refused.stderr == (
        "error: Invalid argument(s). An activation ID is required.\nRun 'wsk --help' for usage.\n"
    )


@pytest.mark.parametrize(
    ("verb", "text"),
    [("get", "get"), ("logs", "get logs for"), ("result", "get result for")],
)
def test_an_activation_that_is_not_there(line: Run, verb: str, text: str) -> None:
    refused = line(f"wsk activation {verb} nosuch")
    assert refused.exit == 148
    assert refused.stderr == (
        f"error: Unable to {text} activation 'nosuch': The requested resource does not exist. "
        "(code tid42)\n"
    )


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on only while the program sleeps."""
    slept_s = [0.0]

    class Clock:
        def elapsed_s(self) -> float:
            return sum(slept_s)

    monkeypatch.setattr(following, "SystemClock", Clock)
    monkeypatch.setattr(following, "sleep", slept_s.append)


@pytest.mark.usefixtures("patient")
def test_polling_begins_after_the_newest(line: Run, api: FakeApi) -> None:
    api.answer("GET activations?docs=true&limit=1&skip=0", [ROW])
    api.answer("GET activations?docs=true&limit=0", [RECORD | {"start": ROW["start"] + 5}])
    shown = line("wsk activation poll hello --exit 1")
    assert shown.exit == 0
    assert shown.stdout == (
        "Enter Ctrl-c to exit.\nPolling for activation logs\n"
        f"\nActivation: 'hello' ({ID})\n"
        '[\n    "2023-11-14T22:13:20.001000Z stdout: hello"\n]\n'
    )
    since = ROW["start"] + 1
    assert api.targets[1:3] == [
        f"GET {STREAM}?name=hello&since={since}",  # which an OpenWhisk does not have
        f"GET activations?docs=true&limit=0&name=hello&since={since}&skip=0",
    ]
    assert not any(STREAM in target for target in api.targets[2:]), "it is not asked for again"


@pytest.mark.usefixtures("patient")
def test_a_round_that_fails_is_made_up_for(line: Run, api: FakeApi) -> None:
    api.answer("GET activations?docs=true&limit=1&skip=0", [])
    api.refuse("GET activations?docs=true&limit=0", 500, "no")
    api.answer("GET activations?docs=true&limit=0", [RECORD])
    shown = line("wsk activation poll --exit 7")
    assert (shown.exit, shown.stderr) == (0, "")
    assert shown.stdout.count(f"({ID})") == 1
    assert len(api.asked) == 7


def event(record: dict[str, Any], name: str) -> str:
    return f"id: {name}\nevent: activation\ndata: {json.dumps(record)}\n\n"


@pytest.mark.usefixtures("patient")
def test_what_is_streamed_is_told_at_once_and_a_stream_that_breaks_goes_on(
    line: Run, api: FakeApi
) -> None:
    """The fake's clock stands still while a stream is read, so only its end lets time pass."""
    later = RECORD | {"start": ROW["start"] + 5}
    others = [later | {"activationId": f"{number:032x}"} for number in range(4)]
    others[1]["start"] = ROW["start"] - 5  # it began long ago, and was not there before
    api.answer("GET activations?docs=true&limit=1&skip=0", [ROW])
    api.answer("GET activations?docs=true&limit=0", [others[0], others[2]])
    kind = {"Content-Type": "text/event-stream; charset=utf-8"}
    begun = ": here\n\n" + event(others[0], "7-a") + "event: missed\ndata: {}\n\n"
    api.answer(f"GET {STREAM}", begun + event(others[1], "8-b"), headers=kind)
    api.answer(f"GET {STREAM}", event(others[1], "8-b") + event(others[3], "9-c"), headers=kind)
    shown = line("wsk activation poll --exit 3")
    assert (shown.exit, shown.stderr) == (0, "")
    told = [text.split("(")[1][:32] for text in shown.stdout.splitlines() if "Activation:" in text]
    assert told == [others[number]["activationId"] for number in (0, 2, 1, 3)]
    streams = [one for one in api.asked if STREAM in one.target]
    assert [one.headers.get("last-event-id") for one in streams] == [None, "8-b", "9-c"]


@pytest.mark.usefixtures("patient")
def test_logs_are_followed_by_line(line: Run, api: FakeApi, monkeypatch: Any) -> None:
    def enough(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following, "sleep", enough)
    api.answer("GET activations?docs=true&limit=1&skip=0", [ROW])
    api.answer("GET activations?docs=true&limit=0", [RECORD])
    shown = line("wsk activation logs --follow --strip")
    assert (shown.exit, shown.stdout) == (1, "hello: hello\n")
    shown = line("wsk activation logs --follow hello")
    assert shown.stdout == f"{RECORD['logs'][0]}\n"
    assert "name=hello" in api.targets[-1]


def test_watching_forgets_what_cannot_come_again() -> None:
    watch = Watch(since_ms=10)
    old = {"activationId": "a", "start": 20}
    new = {"activationId": "b", "start": 30 + OVERLAP_MS}

    assert watch.unseen([old]) == [old]
    assert watch.unseen([new, old]) == [new]
    assert watch.since_ms == 30
    assert watch.starts_ms == {"b": new["start"]}
    assert watch.unseen([new]) == []


def test_durations_are_told_as_go_tells_them() -> None:
    told = {0: "0s", 123: "123ms", 3144: "3.144s", 62_500: "1m2.5s", 60_000: "1m0s", 1000: "1s"}
    assert {duration: duration_text(duration) for duration in told} == told
    assert duration_text(3_600_000) == "1h0m0s"


def test_logs_are_stripped_of_time_and_stream_only_where_both_are() -> None:
    assert stripped_log("2023-11-14T22:13:20.001Z stderr: a: b") == "a: b"
    assert stripped_log("2023-11-14T22:13:20.001Z stdout: ") == (
        "2023-11-14T22:13:20.001Z stdout: "
    )
    assert stripped_log("plain") == "plain"


def test_files_are_not_touched(configured: Path) -> None:
    assert [one.name for one in configured.iterdir()] == ["wskprops"]
