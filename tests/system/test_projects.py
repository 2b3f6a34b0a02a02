"""Projects at a live platform: deployed, deployed again, written down, compared, removed.

Each folder of `data/projects` is a manifest with its code; together they use every key that a
manifest has. What the client asks of the platform is counted: a second deployment writes nothing.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from cli.transport import Transport
from tests.fakes.api import Api
from tests.fakes.embedded import ROOT, RunningPlatform
from tests.system.test_cli_recorded import Outcome, in_process

DATA: Final = ROOT / "tests" / "data" / "projects"
NAMES: Final = sorted(path.name for path in DATA.iterdir())
TYPED: Final = {"inputs": "--param needed here"}
"""What has to be typed beside the folder."""
VARIABLES: Final = {
    "PROJECTS_TEST_PACKAGE": "inputs",
    "PROJECTS_TEST_WORD": "spoken",
    "PROJECTS_TEST_NUMBER": "7",
    "PROJECTS_TEST_ACTION": "second-note",
}
COLLECTIONS: Final = ("packages", "actions", "triggers", "rules")


@pytest.fixture
def api(
    platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Api]:
    (tmp_path / "props").write_text(f"APIHOST={platform.url}\nAUTH={platform.auth}\n")
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "props"))
    for name in ("WHISK_APIHOST", "WHISK_AUTH", "WHISK_APIVERSION", "WSK_CLI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    yield Api(platform.url, platform.auth)
    leave_nothing(Api(platform.url, platform.auth))


def leave_nothing(api: Api) -> None:
    for collection in ("rules", "triggers"):
        for row in api.call("GET", f"{collection}?limit=200").body:
            api.call("DELETE", f"{collection}/{row['name']}")
    for row in api.call("GET", "packages?limit=200").body:
        api.call("DELETE", f"packages/{row['name'].replace(' ', '%20')}?force=true")
    for row in api.call("GET", "actions?limit=200").body:
        api.call("DELETE", f"actions/{row['name']}")


def typed(line: str, program: str = "brisk") -> Outcome:
    return in_process(line.split(), program)


def done(line: str, program: str = "brisk") -> str:
    outcome = typed(line, program)
    assert outcome.exit == 0, outcome
    return outcome.stdout


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield what the client asks for within the block, as methods and paths."""
    asked: list[str] = []
    whole = Transport.exchange

    def witness(self: Transport, method: str, target: str, *rest: Any, **more: Any) -> Any:
        asked.append(f"{method} {target}")
        return whole(self, method, target, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "exchange", witness)
        yield asked


def there(api: Api) -> dict[str, list[str]]:
    """Return the names of everything in the namespace."""
    found = {}
    for collection in COLLECTIONS:
        rows = api.call("GET", f"{collection}?limit=200").body
        found[collection] = sorted(
            f"{row['namespace']}/{row['name']}".removeprefix("guest/") for row in rows
        )
    return found


NOTHING: Final[dict[str, list[str]]] = {collection: [] for collection in COLLECTIONS}


@pytest.mark.parametrize("name", NAMES)
def test_a_project_is_deployed_written_down_and_removed(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    flags = f"--project {DATA / name} --projectname {name} {TYPED.get(name, '')}"

    first = done(f"project deploy --managed {flags}")
    assert first.endswith("Success: Deployment completed successfully.\n")
    assert first.count("ok: created ") == first.count("\n") - 1 > 0
    made = there(api)
    assert made != NOTHING

    with watched(monkeypatch) as asked:
        again = done(f"project deploy --managed {flags}")
    assert again == "nothing to change\nSuccess: Deployment completed successfully.\n"
    assert {line.split()[0] for line in asked} == {"GET"}, "a second deployment writes nothing"

    done(f"project export --projectname {name} --manifest {tmp_path / 'out' / 'manifest.yaml'}")
    same = done(f"project diff --managed --project {tmp_path / 'out'} --projectname {name}")
    assert same == "nothing to change\n", (tmp_path / "out" / "manifest.yaml").read_text()

    done(f"project undeploy --projectname {name}")
    assert there(api) == NOTHING

    done(f"project deploy --managed --project {tmp_path / 'out'} --projectname {name}")
    assert there(api) == made, "what was written down deploys the same"
    done(f"project undeploy --project {tmp_path / 'out'}")
    assert there(api) == NOTHING


def parameters(document: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in document["parameters"]}


def annotations(document: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in document["annotations"]}


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


def test_what_is_changed_is_written_and_nothing_else(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "changing"
    folder.mkdir()
    for name in ("manifest.yaml", "price.py", "deployment.yaml"):
        (folder / name).write_text((DATA / "overlaid" / name).read_text())
    done(f"project deploy --project {folder}")
    price = parameters(api.call("GET", "actions/shop/price").body)
    assert price == {"currency": "EUR", "factor": 3, "unit": "piece"}
    sold = parameters(api.call("GET", "triggers/sold").body)
    assert sold == {"place": "counter", "till": 7}

    text = (folder / "deployment.yaml").read_text()
    (folder / "deployment.yaml").write_text(text.replace("till: 7", "till: 8"))
    assert done(f"project diff --project {folder}") == "~ update trigger sold: parameters.till\n"
    with watched(monkeypatch) as asked:
        done(f"project deploy --project {folder}")
    assert [one for one in asked if not one.startswith("GET")] == [
        "PUT /api/v1/namespaces/_/triggers/sold?overwrite=true"
    ]

    (folder / "price.py").write_text("def main(args):\n    return {}\n")
    (folder / "deployment.yaml").write_text(text.replace("owner: shop", "holder: shop"))
    assert done(f"project diff --project {folder}") == (
        "~ update action shop/price: annotations.holder, annotations.owner, code\n"
        "~ update trigger sold: parameters.till\n"
    )
    done(f"project deploy --project {folder}")
    found = annotations(api.call("GET", "actions/shop/price").body)
    assert found["holder"] == "shop"
    assert "owner" not in found
    assert done(f"project diff --project {folder}") == "nothing to change\n"


def test_a_parameter_that_moves_between_package_and_action_is_not_lost(
    api: Api, tmp_path: Path
) -> None:
    """An action is shown with its package's parameters: which of them are its own is not seen."""
    (tmp_path / "a.py").write_text("def main(args):\n    return args\n")

    def deploy(of_package: str, of_action: str) -> dict[str, Any]:
        (tmp_path / "manifest.yaml").write_text(
            f"packages:\n  p:\n    inputs: {of_package}\n    actions:\n"
            f"      a: {{function: a.py, inputs: {of_action}}}\n"
        )
        done("project deploy")
        assert done("project diff") == "nothing to change\n"
        return parameters(api.call("GET", "actions/p/a").body)

    assert deploy("{x: 1}", "{x: 1}") == {"x": 1}
    assert deploy("{x: 2}", "{}") == {"x": 2}
    assert deploy("{x: 2}", "{x: 2}") == {"x": 2}
    assert deploy("{x: 3}", "{x: 2}") == {"x": 2}
    assert deploy("{}", "{x: 2}") == {"x": 2}


def test_a_sync_removes_what_the_manifest_has_no_more(api: Api, tmp_path: Path) -> None:
    for name in ("manifest.yaml", "step.py"):
        (tmp_path / name).write_text((DATA / "sequences" / name).read_text())
    refused = typed("project sync")
    assert refused.exit == 1
    assert "add --projectname NAME" in refused.stderr

    done("project sync --projectname steps")
    api.put_action("first/by-hand", "def main(args):\n    return {}\n")
    (tmp_path / "manifest.yaml").write_text(
        "packages:\n  second:\n    actions:\n      three:\n        function: step.py\n"
    )
    gone = done("project sync --projectname steps --preview")
    assert sorted(gone.splitlines()) == [
        "- delete action first/one",
        "- delete action first/two",
        "- delete sequence first/both",
        "- delete sequence first/nested",
        "= keep package first: it holds first/by-hand",
        "~ update action second/three: annotations.description",
    ]
    done("project sync --projectname steps")
    assert there(api)["actions"] == ["first/by-hand", "second/three"]
    taken = typed("project sync --projectname other")
    assert taken.exit == 1
    assert "belongs to the project 'steps'" in taken.stderr


def test_a_deployment_that_is_not_managed_leaves_the_mark_of_the_project(api: Api) -> None:
    flags = f"--project {DATA / 'events'}"
    done(f"project sync {flags} --projectname events")
    assert done(f"project deploy {flags}").startswith("nothing to change\n")


def test_a_binding_has_its_own_parameters_over_those_of_the_package(api: Api) -> None:
    done(f"project deploy --project {DATA / 'dependencies'}")
    assert there(api)["packages"] == ["dependent", "library", "more-words", "words"]
    said = api.call(
        "POST", "actions/more-words/say?blocking=true&result=true", {"name": "Ada"}
    ).body
    assert said == {"said": "Welcome Ada?"}


def test_wsk_says_what_wskdeploy_says(api: Api) -> None:
    flags = f"--project {DATA / 'plain'}"
    deployed = typed(f"project deploy {flags}", "wsk")
    assert deployed == Outcome(0, "Success: Deployment completed successfully.\n", "")
    removed = typed(f"project undeploy {flags}", "wsk")
    assert removed == Outcome(0, "Success: Undeployment completed successfully.\n", "")
    report = done(f"project report --project {DATA / 'default'}", "wsk")
    assert '"Name": "action alone"' in report


def test_a_plan_is_printed_for_programs(api: Api) -> None:
    plan = json.loads(done(f"project diff --project {DATA / 'plain'} -o json"))
    assert plan == {
        "changes": [
            {"change": "create", "kind": "package", "name": "plain", "fields": []},
            {"change": "create", "kind": "action", "name": "plain/hello", "fields": []},
        ],
        "kept": {},
    }
    changed = typed(f"project diff --project {DATA / 'plain'} --exit-code")
    assert changed.exit == 1


def test_packages_that_nobody_manages_are_written_down_as_well(api: Api, tmp_path: Path) -> None:
    done(f"project deploy --project {DATA / 'sequences'}")
    done(f"project export first second --manifest {tmp_path / 'out' / 'manifest.yaml'}")
    assert done(f"project diff --project {tmp_path / 'out'}") == "nothing to change\n"
    refused = typed(f"project export first --manifest {tmp_path / 'out' / 'manifest.yaml'}")
    assert "already exists" in refused.stderr
