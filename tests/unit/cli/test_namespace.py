import pytest

from cli.jsontext import decode
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("configured")


@pytest.mark.parametrize("typed", ["list", "namespace get", "namespace get /_"])
def test_everything_in_a_namespace(line: Run, api: FakeApi, typed: str) -> None:
    api.answer("GET actions", [{"namespace": "guest", "name": "a", "annotations": []}])
    api.answer("GET packages", [{"namespace": "guest", "name": "p", "publish": True}])
    api.answer("GET triggers", [])
    api.answer("GET rules", [{"namespace": "guest", "name": "r"}])
    api.answer("GET rules/r", {"status": "active"})
    shown = line(f"wsk {typed}")
    assert shown.stdout.splitlines() == [
        "Entities in namespace: default",
        "packages",
        f"{'/guest/p':<70} shared",
        "actions",
        f"{'/guest/a':<70} private",
        "triggers",
        "rules",
        f"{'/guest/r':<70} {'private':<20} active",
    ]
    lists = [target for target in api.targets if "limit=0&skip=0" in target]
    assert len(lists) == 4
    assert decode(line(f"brisk {typed} --json").stdout)["rules"][0]["status"] == "active"


def test_the_namespaces(line: Run, api: FakeApi) -> None:
    api.answer("GET /api/v1/namespaces", ["guest"])
    assert line("wsk namespace list").stdout == "namespaces\nguest\n"
    assert line("brisk namespace list --json").stdout == '[\n    "guest"\n]\n'


@pytest.mark.parametrize("typed", ["namespace get other", "list other", "namespace list x"])
def test_no_arguments(line: Run, api: FakeApi, typed: str) -> None:
    refused = line(f"wsk {typed}")
    assert refused.exit == 1
    assert "No arguments are required.\n" in refused.stderr
    assert api.asked == []


def test_a_rule_that_is_gone_between_list_and_look(line: Run, api: FakeApi) -> None:
    for collection in ("actions", "packages", "triggers"):
        api.answer(f"GET {collection}", [])
    api.answer("GET rules?", [{"namespace": "guest", "name": "r"}])
    refused = line("wsk list")
    assert (refused.exit, refused.stdout) == (148, "")
    assert refused.stderr.startswith("error: Unable to get status of rule 'r': ")
