"""`project`: what is asked of a platform, in which order, and how it ends when it is refused."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

HOST: Final = {"runtimes": {"python": [{"kind": "python:3.11", "default": True}]}}
MANIFEST: Final = """\
project:
  name: shop
  packages:
    p:
      public: true
      inputs: {mark: "!"}
      annotations: {owner: nobody}
      actions:
        a:
          function: a.py
          inputs: {n: 1}
          limits: {timeout: 1000, memorySize: 128, logSize: 1}
          web: true
      sequences:
        s: {actions: "a, /whisk.system/utils/echo"}
      triggers:
        t: {inputs: {who: Ada}}
        fed: {feed: /whisk.system/alarms/interval, inputs: {minutes: 5}}
      rules:
        r: {trigger: t, action: a}
"""
CODE: Final = "def main(args):\n    return args\n"
WEB: Final = [
    {"key": "web-export", "value": True},
    {"key": "raw-http", "value": False},
    {"key": "final", "value": True},
]


@pytest.fixture(autouse=True)
def shop(configured: Path, api: FakeApi) -> FakeApi:
    (configured / "manifest.yaml").write_text(MANIFEST)
    (configured / "a.py").write_text(CODE)
    api.answer("GET /api/v1/namespaces", ["guest"])
    api.answer("GET /", HOST)
    api.answer("PUT ", {})
    api.answer("POST rules/r", {})
    api.answer("POST /api/v1/namespaces/whisk.system", {"activationId": "a" * 32})
    return api


def written(api: FakeApi) -> list[tuple[str, Any]]:
    """Return what was asked for that changes something, with its bodies."""
    return [
        (target.partition("?")[0], one.body)
        for target, one in zip(api.targets, api.asked, strict=True)
        if one.method != "GET"
    ]


def test_a_deployment_sends_what_wskdeploy_sends(line: Run, api: FakeApi) -> None:
    done = line("wsk project deploy")
    assert (done.exit, done.stdout) == (0, "Success: Deployment completed successfully.\n")
    sent = written(api)
    assert [target for target, _ in sent] == [
        "PUT packages/p", "PUT actions/p/a", "PUT actions/p/s", "PUT triggers/t",
        "PUT triggers/fed",
        "POST /api/v1/namespaces/whisk.system/actions/alarms/interval",
        "PUT rules/r", "POST rules/r",
    ]  # fmt: skip
    assert all("overwrite=true" in one.target for one in api.asked if one.method == "PUT")
    bodies = dict(sent)
    assert bodies["PUT packages/p"] == {
        "namespace": "_",
        "name": "p",
        "publish": True,
        "annotations": [{"key": "owner", "value": "nobody"}],
        "parameters": [{"key": "mark", "value": "!"}],
    }
    assert bodies["PUT actions/p/a"] == {
        "namespace": "_",
        "name": "p/a",
        "publish": False,
        "exec": {"kind": "python:3.11", "code": CODE},
        "annotations": WEB,
        "parameters": [{"key": "n", "value": 1}],
        "limits": {"timeout": 1000, "memory": 128, "logs": 1},
    }
    assert bodies["PUT actions/p/s"]["exec"] == {
        "kind": "sequence",
        "components": ["/_/p/a", "/whisk.system/utils/echo"],
    }
    assert bodies["PUT triggers/t"] == {
        "namespace": "_",
        "name": "t",
        "publish": True,
        "annotations": [],
        "parameters": [{"key": "who", "value": "Ada"}],
    }
    fed = bodies["PUT triggers/fed"]
    assert fed["annotations"][0] == {"key": "feed", "value": "/whisk.system/alarms/interval"}
    assert fed["parameters"] == []
    assert bodies["POST /api/v1/namespaces/whisk.system/actions/alarms/interval"] == {
        "minutes": 5,
        "lifecycleEvent": "CREATE",
        "triggerName": "/_/fed",
        "authKey": "uuid:key",
    }
    assert bodies["PUT rules/r"] == {
        "namespace": "_",
        "name": "r",
        "status": "",
        "trigger": "/_/t",
        "action": "/_/p/a",
        "annotations": [],
    }
    assert bodies["POST rules/r"]["status"] == "active"


def test_a_managed_deployment_marks_everything(line: Run, api: FakeApi, configured: Path) -> None:
    for collection in ("packages", "actions", "triggers", "rules"):
        api.answer(f"GET {collection}?limit", [])
    api.answer("GET /api/v1/web/whisk.system/apimgmt/getApi", {"apis": []})
    assert line("wsk project sync").exit == 0
    marks = [
        {pair["key"]: pair["value"] for pair in body["annotations"]}["whisk-managed"]
        for target, body in written(api)
        if target.startswith("PUT")
    ]
    assert len(marks) == 6
    # By the rule of wskdeploy: sha1 of "OpenWhisk", the character of the size, "golang", NUL, text.
    assert marks == [
        {
            "projectName": "shop",
            "projectHash": "acbd1634abde2a68a22442a7377649e45ece8c0c",
            "file": "manifest.yaml",
            "projectDeps": [],
        }
    ] * len(marks)


def test_a_deployment_that_is_refused_says_how_far_it_came(line: Run, api: FakeApi) -> None:
    api.refuse("PUT actions/p/s", 403, "The supplied authentication is not authorized")
    stopped = line("brisk project deploy")
    assert stopped.exit == 1
    assert stopped.stdout == "ok: created package p\nok: created action p/a\n"
    note, *told = stopped.stderr.splitlines()
    assert note == "note: manifest.yaml:4: everybody may use the package 'p'"
    assert len(told) == 3, "what failed, why, and what mends it"
    assert told[0].startswith("error: Unable to create sequence 'p/s': The supplied")
    assert told[1].endswith(
        "2 of 6 changes were made, and stay; not made: create sequence p/s, create trigger t, "
        "create trigger fed, create rule r"
    )
    assert told[2].endswith("then the same command again: it goes on from here")
    assert "PUT triggers/t" not in dict(written(api))

    as_json = line("brisk project deploy --json")
    assert json.loads(as_json.stderr.splitlines()[-1])["exit"] == 1
    as_wsk = line("wsk project deploy")
    assert (as_wsk.exit, as_wsk.stdout) == (1, "")
    assert as_wsk.stderr.splitlines()[-1] == told[0]


@pytest.mark.parametrize(("races", "code"), [(3, 0), (4, 1)])
def test_who_writes_at_the_same_moment_is_made_room_for(
    line: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch, races: int, code: int
) -> None:
    paused: list[float] = []
    monkeypatch.setattr("cli.project.carrying_out.time.sleep", paused.append)
    for _ in range(races):
        api.refuse("PUT packages/p", 409, "Concurrent modification to resource detected")
    api.answer("PUT packages/p", {})
    assert line("brisk project deploy").exit == code
    assert paused == [1.0] * 3


def test_another_conflict_is_not_tried_again(line: Run, api: FakeApi) -> None:
    api.refuse("PUT packages/p", 409, "Resource by this name exists but is not in this collection.")
    assert line("brisk project deploy").exit == 1
    assert len(written(api)) == 1


def test_a_trigger_that_its_feed_refuses_is_taken_back(line: Run, api: FakeApi) -> None:
    path = "POST /api/v1/namespaces/whisk.system/actions/alarms"
    api.answer(path, {"activationId": "b" * 32, "response": {}}, 502)
    api.answer("DELETE triggers/fed", {})
    stopped = line("brisk project deploy")
    assert stopped.exit == 1
    assert "Unable to create trigger 'fed': the feed /whisk.system/alarms/interval failed" in (
        stopped.stderr
    )
    assert f"brisk activation get {'b' * 32}" in stopped.stderr
    assert written(api)[-1][0] == "DELETE triggers/fed"


def test_an_undeployment_needs_no_code_and_no_values(
    line: Run, api: FakeApi, configured: Path
) -> None:
    (configured / "a.py").unlink()
    (configured / "manifest.yaml").write_text(
        MANIFEST.replace("inputs: {n: 1}", "inputs: {n: {type: integer, required: true}}")
    )
    api.answer("GET actions?limit", [{"namespace": "guest/p", "name": "by-hand"}])
    api.answer("GET packages/p", {"name": "p", "namespace": "guest", "binding": {}})
    done = line("brisk project undeploy")
    assert done.exit == 0
    assert done.stdout == "nothing to change\nSuccess: Undeployment completed successfully.\n"
    assert "note: the action p/a is not there\n" in done.stderr
    assert "note: the package p stays: it holds p/by-hand\n" in done.stderr
    assert written(api) == []


def test_the_manifest_may_say_whom_to_talk_to_and_the_line_beats_it(
    line: Run, api: FakeApi, configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (configured / "wskprops").write_text("")
    (configured / "other").write_text(f"APIHOST={api.url}\nAUTH=from:file\n")
    text = MANIFEST.replace("name: shop", "name: shop\n  credential: $THE_KEY", 1)
    (configured / "manifest.yaml").write_text(text)
    monkeypatch.setenv("THE_KEY", "from:manifest")
    keys = {"": "from:manifest", "--auth from:line": "from:line"}
    for flags, key in keys.items():
        api.asked.clear()
        assert line(f"brisk project deploy --config other {flags}").exit == 0
        feed = [body for target, body in written(api) if "alarms" in target]
        assert [body["authKey"] for body in feed] == [key]


def test_a_project_that_is_not_there_is_not_written_down(line: Run, api: FakeApi) -> None:
    for collection in ("packages", "actions", "triggers", "rules"):
        api.answer(f"GET {collection}?limit", [])
    refused = line("brisk project export --projectname nobody --manifest out.yaml")
    assert (refused.exit, refused.stdout) == (1, "")
    assert "there is no managed project 'nobody'" in refused.stderr
    both = line("brisk project export p --projectname nobody")
    assert "A project or packages are required: one of the two" in both.stderr


def there(api: FakeApi) -> None:
    """Have the trigger with a feed be there, as an older manifest had it."""
    api.answer(
        "GET triggers/fed",
        {
            "name": "fed",
            "annotations": [{"key": "feed", "value": "/whisk.system/alarms/interval"}],
            "parameters": [],
        },
    )


def test_a_feed_hears_that_what_it_knew_is_gone_before_what_is_new(line: Run, api: FakeApi) -> None:
    there(api)
    assert line("brisk project deploy").exit == 0
    events = [body["lifecycleEvent"] for target, body in written(api) if "alarms" in target]
    assert events == ["DELETE", "CREATE"]


def test_a_feed_that_is_gone_keeps_no_trigger_alive(
    line: Run, api: FakeApi, configured: Path
) -> None:
    (configured / "manifest.yaml").write_text(
        "packages: {p: {triggers: {fed: {feed: /whisk.system/gone/feed}}}}\n"
    )
    there(api)
    api.refuse("POST /api/v1/namespaces/whisk.system/actions/alarms", 404, "It does not exist.")
    api.answer("DELETE triggers/fed", {})
    api.answer("GET actions?limit", [])
    done = line("wsk project undeploy")
    assert (done.exit, done.stdout) == (0, "Success: Undeployment completed successfully.\n")
    assert "Warning: the feed of trigger 'fed': It does not exist." in done.stderr
    assert written(api)[-1][0] == "DELETE triggers/fed"


def test_a_project_goes_to_the_namespace_that_is_named(line: Run, api: FakeApi) -> None:
    api.refuse("GET /api/v1/namespaces/other/", 404, "The requested resource does not exist.")
    api.answer("PUT /api/v1/namespaces/other/", {})
    api.answer("POST /api/v1/namespaces/other/rules/r", {})
    assert line("wsk project deploy --namespace other").exit == 0
    targets = {one.target.split("/")[4] for one in api.asked if one.method == "PUT"}
    assert targets == {"other"}
    feed = [body for target, body in written(api) if "alarms" in target]
    assert feed[0]["triggerName"] == "/other/fed"


def test_an_api_asks_for_a_type_of_answer_that_can_have_parameters(
    line: Run, api: FakeApi, configured: Path
) -> None:
    (configured / "manifest.yaml").write_text(
        "packages:\n  p:\n    actions: {a: {function: a.py, web: raw}}\n"
        "    apis:\n      club: {/club: {'/books/{id}': {a: get}}}\n"
    )
    api.answer("GET /api/v1/web/whisk.system/apimgmt/getApi", {"apis": []})
    api.answer("POST /api/v1/web/whisk.system/apimgmt/createApi", {})
    done = line("brisk project deploy")
    assert done.exit == 0
    assert "parameters of a path need the response type http, not json" in done.stderr
    made = written(api)[-1][1]["apidoc"]
    assert made["action"]["backendUrl"] == f"{api.url}/api/v1/web/_/p/a.http"
    assert [one["name"] for one in made["pathParameters"]] == ["id"]
    assert api.asked[-1].target.endswith("responsetype=http&spaceguid=uuid")
