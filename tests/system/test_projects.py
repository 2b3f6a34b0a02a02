"""Projects at a live platform: deployed, deployed again, written down, compared, removed.

Each folder of `data/projects` is a manifest with its code; together they use every key that a
manifest has. What the client asks of the platform is counted: a second deployment writes nothing.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform
from tests.fakes.projects import (
    DATA,
    NAMES,
    annotations,
    at_work,
    done,
    parameters,
    there,
    there_and_back,
    typed,
    watched,
)


@pytest.fixture
def api(
    platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Api]:
    with at_work(platform.url, platform.auth, tmp_path, monkeypatch) as working:
        yield working


@pytest.mark.parametrize("name", NAMES)
def test_a_project_is_deployed_written_down_and_removed(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    there_and_back(api, name, tmp_path, monkeypatch)


def test_inputs_come_out_as_they_are_declared(api: Api) -> None:
    done(f"project deploy --project {DATA / 'inputs'} --param needed here")
    assert parameters(api.call("GET", "packages/inputs").body) == {
        "mark": "!",
        "where": "north",
        "PROJECTS_TEST_WORD": "spoken",
        "region": "north",
        "retries": 3,
    }
    found = parameters(api.call("GET", "actions/inputs/echo").body)
    assert {
        "text": "plain",
        "number": 12,
        "fraction": 1.5,
        "truth": True,
        "list": [1, "two", {"three": 3}],
        "table": {"inner": {"deep": "spoken"}},
        "bare": 0,
        "nothing": "",
        "typed_int": 7,
        "typed_float": 2,
        "typed_bool": True,
        "typed_json": {"a": [1, 2]},
        "typed_map": {"a": 1},
        "typed_slice": ["a", "b"],
        "typed_zero": 0.0,
        "needed": "here",
        "from_package": "!",
        "from_project": "north-3",
        "number_of_project": 3,
        "variable": "before-spoken-after",
        "escaped": "${PROJECTS_TEST_WORD}",
        "unset": "<>",
        "like_yes": "yes",
        "time": "12:30",
        "day": "2026-11-28",
    }.items() <= found.items()


def test_a_required_input_without_a_value_is_refused_before_any_call(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched(monkeypatch) as asked:
        refused = typed(f"project deploy --project {DATA / 'inputs'}")
    assert refused.exit == 1
    assert refused.stdout == ""
    assert "manifest.yaml:37: required inputs without a value: needed" in refused.stderr
    assert refused.stderr.endswith("fix: add --param needed VALUE\n")
    assert not [line for line in asked if not line.startswith("GET ")]


def test_code_of_each_kind_runs(api: Api) -> None:
    done(f"project deploy --project {DATA / 'kinds'}")
    for action, said in {
        "file": {"from": "file"},
        "folder": {"from": "folder"},
        "text": {"text": "given"},
        "packed": {"from": "PARTS", "data": {"answer": 42}, "tests": False},
        "script": {"from": "script"},
    }.items():
        answered = api.call(
            "POST", f"actions/kinds/{action}?blocking=true&result=true", {"word": "given"}
        )
        assert (answered.status, answered.body) == (200, said), action
    image = api.call("GET", "actions/kinds/image").body
    assert (image["exec"]["image"], image["version"]) == ("example/image", "3.2.1")
    program = api.call("GET", "actions/kinds/program").body["exec"]
    assert (program["kind"], program["image"]) == ("blackbox", "openwhisk/dockerskeleton")


def test_events_reach_the_actions_that_rules_name(api: Api) -> None:
    done(f"project deploy --project {DATA / 'events'}")
    rule = api.call("GET", "rules/note-departure").body
    assert rule["action"] == {"path": "guest/events", "name": "second-note"}
    assert rule["status"] == "active"
    trigger = api.call("GET", "triggers/arrival").body
    assert annotations(trigger) == {"source": "door", "description": "somebody has come"}
    fired = api.call("POST", "triggers/arrival", {"who": "Ada"})
    [entry] = api.record(fired.body["activationId"])["logs"]
    started = json.loads(entry)["activationId"]
    assert "noted Ada" in api.record(started)["logs"][0]


def test_a_feed_hears_of_its_trigger_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"project deploy --project {DATA / 'feeds'}"
    with watched(monkeypatch) as asked:
        done(line)
    assert [one for one in asked if "blocking" in one] == [
        "POST /api/v1/namespaces/_/actions/feeder/ticks?blocking=true&result=false"
    ]
    trigger = api.call("GET", "triggers/tick").body
    assert annotations(trigger)["feed"] == "/_/feeder/ticks"
    assert trigger["parameters"] == [], "they are the feed's"


def test_a_feed_that_refuses_leaves_no_trigger_and_the_rest_goes_on(
    api: Api, tmp_path: Path
) -> None:
    folder = tmp_path / "refused"
    folder.mkdir()
    text = (DATA / "feeds" / "manifest.yaml").read_text()
    (folder / "manifest.yaml").write_text(text.replace("every: 5", "every: 0"))
    (folder / "feed.py").write_text((DATA / "feeds" / "feed.py").read_text())

    stopped = typed(f"project deploy --project {folder}")
    assert stopped.exit == 1
    assert len(stopped.stderr.splitlines()) == 3, "what failed, why, and what mends it"
    assert "Unable to create trigger 'tick': the feed /_/feeder/ticks failed" in stopped.stderr
    assert "3 of 5 changes were made, and stay; not made: create trigger tick" in stopped.stderr
    assert there(api)["triggers"] == []

    (folder / "manifest.yaml").write_text(text)
    went_on = done(f"project deploy --project {folder}")
    assert went_on == (
        "ok: created trigger tick\nok: created rule counting\n"
        "Success: Deployment completed successfully.\n"
    )


def test_web_annotations_are_those_of_the_words(api: Api) -> None:
    done(f"project deploy --project {DATA / 'web'}")
    for name, export, raw in (
        ("open", True, False), ("raw", True, True), ("old", True, False),
        ("closed", False, False), ("never", False, False),
    ):  # fmt: skip
        found = annotations(api.call("GET", f"actions/web/{name}").body)
        assert (found["web-export"], found["raw-http"]) == (export, raw), name
    assert annotations(api.call("GET", "actions/web/keyed").body)["provide-api-key"] is True
