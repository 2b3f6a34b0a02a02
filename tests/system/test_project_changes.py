"""Projects that change: what differs is written, what is left over goes, what is others' stays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform
from tests.fakes.projects import (
    DATA,
    addresses,
    annotations,
    at_work,
    done,
    parameters,
    there,
    typed,
    watched,
)
from tests.fakes.terminal import Outcome, program


@pytest.fixture
def api(
    platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Api]:
    with at_work(platform.url, platform.auth, tmp_path, monkeypatch) as working:
        yield working


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


def test_apis_lead_to_the_actions_of_the_project(api: Api, tmp_path: Path) -> None:
    for name in ("manifest.yaml", "books.py"):
        (tmp_path / name).write_text((DATA / "apis" / name).read_text())
    deployed = typed("project sync")
    assert deployed.exit == 0, deployed
    assert "the action club/unsaid becomes a web action" in deployed.stderr
    root = addresses(api)["/club"]
    assert api.call("GET", f"{root}/books").body == {"books": ["Emma"]}
    member = api.call("GET", f"{root}/members/7")
    assert member.status == 204, "the API shows the action the secret that it wants to be shown"

    text = (tmp_path / "manifest.yaml").read_text()
    (tmp_path / "manifest.yaml").write_text(text.replace("books: GET", "unsaid: GET"))
    assert done("project diff --managed") == "~ update api GET /club /books: action\n"
    (tmp_path / "manifest.yaml").write_text(text.partition("            /unsaid")[0])
    assert done("project sync") == (
        "ok: updated action club/unsaid\n"
        "ok: deleted api POST /club /unsaid\n"
        "Success: Deployment completed successfully.\n"
    ), "it was a web action for the sake of the API"
    done("project undeploy")
    assert addresses(api) == {}
    strict = typed(f"project deploy --strict --project {DATA / 'apis'}")
    assert "the action club/unsaid is no web action" in strict.stderr


def test_a_deployment_that_is_killed_is_ended_by_the_next(api: Api, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def main(args):\n    return args\n")
    actions = "".join(f"      a{number}: {{function: a.py}}\n" for number in range(400))
    (tmp_path / "manifest.yaml").write_text(f"packages:\n  p:\n    actions:\n{actions}")
    with program(["project", "deploy"]) as process:
        assert process.stdout
        for _ in range(10):
            assert process.stdout.readline().startswith("ok: created ")
        process.kill()
    left = done("project diff").count("+ create action ")
    assert 0 < left <= 400 - 9, "the first line is that of the package"
    assert done("project deploy").count("ok: created action ") == left
    assert done("project diff") == "nothing to change\n"


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
