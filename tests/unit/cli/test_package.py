from typing import Any

import pytest

from cli.jsontext import decode
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("configured")

STORED: dict[str, Any] = {
    "namespace": "guest",
    "name": "pk",
    "version": "0.0.1",
    "publish": False,
    "annotations": [{"key": "description", "value": "a package"}],
    "parameters": [{"key": "a", "value": 1}],
    "binding": {},
    "actions": [
        {"name": "act", "version": "0.0.1", "annotations": []},
        {"name": "b", "version": "0.0.1", "annotations": [{"key": "description", "value": "B"}]},
    ],
    "feeds": [{"name": "f", "version": "0.0.1", "annotations": [{"key": "feed", "value": True}]}],
    "updated": 7,
}


def test_create_sends_only_what_was_typed(line: Run, api: FakeApi) -> None:
    api.answer("PUT packages/pk", STORED)
    done = line("wsk package create pk -p a 1 --shared yes -a description 'a package'")
    assert (done.exit, done.stdout, done.stderr) == (0, "ok: created package pk\n", "")
    assert api.targets == ["PUT packages/pk?overwrite=false"]
    assert api.asked[0].body == {
        "namespace": "_",
        "name": "pk",
        "publish": True,
        "annotations": [{"key": "description", "value": "a package"}],
        "parameters": [{"key": "a", "value": 1}],
    }


def test_update_asks_nothing_first(line: Run, api: FakeApi) -> None:
    api.answer("PUT packages/pk", STORED)
    assert line("wsk package update pk --shared NO").stdout == "ok: updated package pk\n"
    assert api.targets == ["PUT packages/pk?overwrite=true"]
    assert api.asked[0].body == {"namespace": "_", "name": "pk", "publish": False}


def test_shared_is_yes_or_no(line: Run, api: FakeApi) -> None:
    refused = line("wsk package update pk --shared maybe")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: Cannot use value 'maybe' for shared.\n")
    assert api.asked == []


@pytest.mark.parametrize(
    ("provider", "binding"),
    [
        ("pk", {"namespace": "_", "name": "pk"}),
        ("/whisk.system/utils", {"namespace": "whisk.system", "name": "utils"}),
    ],
)
def test_bind(line: Run, api: FakeApi, provider: str, binding: dict[str, str]) -> None:
    api.answer("PUT packages/bd", STORED | {"name": "bd"})
    assert line(f"wsk package bind {provider} bd -p a 3").stdout == "ok: created binding bd\n"
    assert line(f"wsk package bind {provider} bd -o").exit == 0
    assert api.targets == [
        "PUT packages/bd?overwrite=false",
        "PUT packages/bd?overwrite=true",
    ]
    assert api.asked[0].body == {"parameters": [{"key": "a", "value": 3}], "binding": binding}
    assert api.asked[1].body == {"binding": binding}


@pytest.mark.parametrize(
    ("typed", "asked", "text"),
    [
        ("create pk", "PUT packages/pk", "Unable to create package 'pk'"),
        ("update pk", "PUT packages/pk", "Package update failed"),
        ("bind p pk", "PUT packages/pk", "Binding creation failed"),
        ("get pk", "GET packages/pk", "Unable to get package 'pk'"),
        ("delete pk", "DELETE packages/pk", "Unable to delete package 'pk'"),
        ("refresh", "POST packages/refresh", "Package refresh for namespace '_' failed"),
        ("list", "GET packages", "Unable to obtain the list of packages for namespace 'default'"),
    ],
)
def test_an_answer_that_refuses(line: Run, api: FakeApi, typed: str, asked: str, text: str) -> None:
    api.refuse(asked, 409, "resource already exists")
    refused = line(f"wsk package {typed}")
    assert (refused.exit, refused.stdout) == (153, "")
    assert refused.stderr == f"error: {text}: resource already exists (code tid42)\n"


def test_get(line: Run, api: FakeApi) -> None:
    api.answer("GET packages/pk", STORED)
    shown = line("wsk package get pk").stdout
    assert shown.startswith('ok: got package pk\n{\n    "namespace": "guest",\n    "name": "pk",')
    assert decode(shown.partition("\n")[2]) == STORED
    field = line("wsk package get pk BINDING").stdout
    assert field == "ok: got package pk, displaying field BINDING\n{}\n"
    unknown = line("wsk package get pk nosuch")
    assert (unknown.exit, unknown.stderr.splitlines()[0]) == (
        1,
        "error: Invalid field filter 'nosuch'.",
    )


def test_summary(line: Run, api: FakeApi) -> None:
    api.answer("GET packages/pk", STORED)
    assert line("wsk package get pk --summary").stdout == (
        "package /guest/pk: a package\n"
        "   (parameters: *a)\n"
        " action /guest/pk/act\n"
        "   (parameters: none defined)\n"
        " action /guest/pk/b: B\n"
        "   (parameters: none defined)\n"
        " feed   /guest/pk/f\n"
        "   (parameters: none defined)\n"
    )


def test_list(line: Run, api: FakeApi) -> None:
    api.answer("GET packages", [STORED, STORED | {"name": "A", "publish": True}])
    assert line("wsk package list -n -l 2").stdout.splitlines() == [
        "packages",
        f"{'/guest/A':<70} shared",
        f"{'/guest/pk':<70} private",
    ]
    assert api.targets == ["GET packages?limit=2&skip=0"]


@pytest.mark.parametrize("noun", ["package", "trigger", "rule"])
def test_a_list_is_of_a_namespace(line: Run, api: FakeApi, noun: str) -> None:
    refused = line(f"wsk {noun} list foo")
    assert refused.exit == 1
    assert refused.stderr.startswith(
        "error: An entity name, 'foo', was provided instead of a namespace. "
        "Valid namespaces are of the following format: /NAMESPACE.\n"
    )
    assert api.asked == []
    api.answer(f"GET /api/v1/namespaces/ns/{noun}s", [])
    assert line(f"wsk {noun} list /ns").stdout == f"{noun}s\n"


def test_delete(line: Run, api: FakeApi) -> None:
    api.answer("DELETE packages/pk", STORED)
    assert line("wsk package delete pk").stdout == "ok: deleted package pk\n"
    assert line("brisk package delete pk --force").exit == 0
    assert line("wsk package delete pk --force").stderr == "unknown flag: --force\n"
    assert api.targets == ["DELETE packages/pk", "DELETE packages/pk?force=true"]


def test_refresh(line: Run, api: FakeApi) -> None:
    answer = {"added": ["a", "b"], "updated": [], "deleted": ["c"]}
    api.answer("POST packages/refresh", answer)
    assert line("wsk package refresh").stdout.splitlines() == [
        "'_' refreshed successfully",
        *("created bindings:", "a", "b"),
        "updated bindings:",
        *("deleted bindings:", "c"),
    ]
    assert api.asked[0].body is None


@pytest.mark.parametrize(
    ("typed", "needs"),
    [
        ("create", "A package name is required."),
        ("bind pk", "A package name and binding name are required."),
        ("get", "A package name is required."),
    ],
)
def test_words_are_counted(line: Run, api: FakeApi, typed: str, needs: str) -> None:
    refused = line(f"wsk package {typed}")
    assert refused.exit == 1
    assert refused.stderr == f"error: Invalid argument(s). {needs}\nRun 'wsk --help' for usage.\n"
