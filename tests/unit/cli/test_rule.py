from typing import Any

import pytest

from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("configured")

STORED: dict[str, Any] = {
    "namespace": "guest",
    "name": "ru",
    "version": "0.0.1",
    "status": "active",
    "trigger": {"name": "tr", "path": "guest"},
    "action": {"name": "hello", "path": "guest"},
    "annotations": [],
    "publish": False,
    "updated": 7,
}
HINT = "Run 'wsk --help' for usage.\n"
MISSING = "The requested resource does not exist. (code tid42)\n"


@pytest.mark.parametrize("verb", ["create", "update"])
def test_what_is_sent(line: Run, api: FakeApi, verb: str) -> None:
    api.answer("PUT rules/ru", STORED)
    done = line(f"wsk rule {verb} ru tr /ns/pk/hello")
    assert (done.exit, done.stdout) == (0, f"ok: {verb}d rule ru\n")
    assert api.targets == [f"PUT rules/ru?overwrite={str(verb == 'update').lower()}"]
    assert api.asked[0].body == {
        "name": "ru",
        "status": "",
        "trigger": "/_/tr",
        "action": "/ns/pk/hello",
    }


@pytest.mark.parametrize(("verb", "status"), [("enable", "active"), ("disable", "inactive")])
def test_the_switch(line: Run, api: FakeApi, verb: str, status: str) -> None:
    api.answer("POST rules/ru", STORED)
    assert line(f"wsk rule {verb} ru").stdout == f"ok: {verb}d rule ru\n"
    assert api.asked[0].body == {"status": status, "trigger": None, "action": None}
    refused = line(f"wsk rule {verb} gone")
    assert refused.stderr == f"error: Unable to {verb} rule 'gone': {MISSING}"


def test_status(line: Run, api: FakeApi) -> None:
    api.answer("GET rules/ru", STORED)
    assert line("wsk rule status ru").stdout == "ok: rule ru is active\n"
    assert line("brisk rule status ru -o yaml").stdout == (
        "namespace: _\nname: ru\nstatus: active\n"
    )
    refused = line("wsk rule status gone")
    assert refused.exit == 148
    assert refused.stderr == f"error: Unable to get status of rule 'gone': {MISSING}{HINT}"


def test_get(line: Run, api: FakeApi) -> None:
    api.answer("GET rules/ru", STORED)
    shown = line("wsk rule get ru").stdout
    assert shown.startswith("ok: got rule ru\n{\n")
    assert "annotations" not in shown
    assert line("wsk rule get ru -s").stdout == "rule /guest/ru\n   (status: active)\n"
    field = line("wsk rule get ru Trigger").stdout
    assert field.startswith("ok: got rule ru, displaying field Trigger\n{\n")
    refused = line("wsk rule get gone")
    assert refused.stderr == f"error: Unable to get rule 'gone': {MISSING}{HINT}"


def test_a_list_asks_for_each_status(line: Run, api: FakeApi) -> None:
    api.answer("GET rules?", [{"namespace": "guest", "name": "ru"}])
    api.answer("GET rules/ru", STORED | {"status": "inactive"})
    assert line("wsk rule list").stdout.splitlines() == [
        "rules",
        f"{'/guest/ru':<70} {'private':<20} inactive",
    ]


def test_delete(line: Run, api: FakeApi) -> None:
    api.answer("POST rules/ru", STORED)
    api.answer("DELETE rules/ru", STORED)
    assert line("wsk rule delete ru --disable").stdout == "ok: deleted rule ru\n"
    assert api.targets == ["POST rules/ru", "DELETE rules/ru"]
    refused = line("wsk rule delete gone")
    assert refused.stderr == f"error: Unable to delete rule 'gone': {MISSING}"


def test_words_are_counted(line: Run, api: FakeApi) -> None:
    assert line("wsk rule create ru tr").stderr == (
        f"error: Invalid argument(s). A rule, trigger and action name are required.\n{HINT}"
    )
    assert line("wsk rule enable").stderr == (
        f"error: Invalid argument(s). A rule name is required.\n{HINT}"
    )
