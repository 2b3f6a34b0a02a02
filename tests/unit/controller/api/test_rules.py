"""Rules over HTTP: two documents that stay one thing, whatever happens to either."""

from typing import Any

import pytest

from common.ids import DocId
from common.store.port import Conflict, StoreUnavailable
from tests.fakes.running_api import Api

CODE = {"exec": {"kind": "python:3.11", "code": "x = 1"}}
RULE = {"trigger": "/_/tr", "action": "/_/act"}
MALFORMED = "The request content was malformed:\n"


async def make(api: Api, path: str, body: Any = None) -> dict[str, Any]:
    status, document, _ = await api.ask("PUT", path, body or {})
    assert status == 200, document
    made: dict[str, Any] = document
    return made


@pytest.fixture
async def ends(api: Api) -> Api:
    """Return the API with the triggers `tr` and `tr2` and the actions `act` and `act2`."""
    for name in ("tr", "tr2"):
        await make(api, f"~/triggers/{name}")
    for name in ("act", "act2"):
        await make(api, f"~/actions/{name}", CODE)
    return api


async def status_of(api: Api, name: str = "ru") -> str:
    _, rule, _ = await api.ask("GET", f"~/rules/{name}")
    said: str = rule["status"]
    return said


async def rules_of(api: Api, trigger: str = "tr") -> Any:
    _, shown, _ = await api.ask("GET", f"~/triggers/{trigger}")
    return shown.get("rules")


async def test_a_new_rule_is_active_and_its_trigger_knows_it(ends: Api) -> None:
    made = await make(ends, "~/rules/ru", RULE | {"status": "inactive", "parameters": []})
    assert (made["status"], made["version"]) == ("active", "0.0.1")
    assert made["trigger"] == {"path": "guest", "name": "tr"}
    assert "parameters" not in made
    _, got, _ = await ends.ask("GET", "~/rules/ru")
    assert got == made
    assert await rules_of(ends) == {
        "guest/ru": {"action": {"path": "guest", "name": "act"}, "status": "active"}
    }
    _, listed, _ = await ends.ask("GET", "~/rules")
    assert listed == [{key: value for key, value in made.items() if key != "status"}]


async def test_switching_writes_the_trigger_alone_and_changes_no_version(ends: Api) -> None:
    await make(ends, "~/rules/ru", RULE)
    _, trigger, _ = await ends.ask("GET", "~/triggers/tr")
    _, rule, _ = await ends.ask("GET", "~/rules/ru")
    for wanted in ("inactive", "inactive", "active", "inactive"):
        status, said, answer = await ends.ask(
            "POST", "~/rules/ru", {"status": wanted, "trigger": None}
        )
        assert (status, said) == (200, "OK")
        assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
        assert await status_of(ends) == wanted
    _, after, _ = await ends.ask("GET", "~/triggers/tr")
    assert (after["version"], after["updated"]) == (trigger["version"], trigger["updated"])
    _, after, _ = await ends.ask("GET", "~/rules/ru")
    assert after == rule | {"status": "inactive"}


async def test_an_update_keeps_the_status_also_on_another_trigger(ends: Api) -> None:
    await make(ends, "~/rules/ru", RULE)
    await ends.ask("POST", "~/rules/ru", {"status": "inactive"})
    updated = await make(ends, "~/rules/ru?overwrite=true")
    assert (updated["version"], updated["status"]) == ("0.0.2", "inactive")
    moved = await make(
        ends, "~/rules/ru?overwrite=true", {"trigger": "/_/tr2", "action": "/_/act2"}
    )
    assert (moved["version"], moved["status"]) == ("0.0.3", "inactive")
    assert await rules_of(ends) == {}
    assert await rules_of(ends, "tr2") == {
        "guest/ru": {"action": {"path": "guest", "name": "act2"}, "status": "inactive"}
    }


async def test_a_rule_whose_trigger_went_is_inactive_until_it_is_linked_anew(ends: Api) -> None:
    await make(ends, "~/rules/ru", RULE)
    await ends.ask("DELETE", "~/triggers/tr")
    assert await status_of(ends) == "inactive"
    assert (await ends.ask("POST", "~/rules/ru", {"status": "inactive"}))[0] == 200
    status, body, _ = await ends.ask("POST", "~/rules/ru", {"status": "active"})
    assert (status, body["error"]) == (404, "Only rules with existing triggers can be activated")

    await make(ends, "~/triggers/tr")
    assert await status_of(ends) == "inactive"
    assert (await ends.ask("POST", "~/rules/ru", {"status": "active"}))[0] == 200
    assert await status_of(ends) == "active"
    assert list(await rules_of(ends)) == ["guest/ru"]


async def test_a_deleted_rule_is_gone_from_its_trigger(ends: Api) -> None:
    await make(ends, "~/rules/ru", RULE)
    status, body, _ = await ends.ask("DELETE", "~/rules/ru")
    assert (status, body["status"]) == (200, "inactive")
    assert await rules_of(ends) == {}
    assert (await ends.ask("POST", "~/triggers/tr", {}))[0] == 204
    assert (await ends.ask("DELETE", "~/rules/ru"))[0] == 404


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "rule requires a valid trigger and a valid action"),
        ({"trigger": "/_/tr"}, 400, "rule requires a valid trigger and a valid action"),
        (RULE | {"trigger": "/_/no"}, 400, "trigger /guest/no does not exist"),
        (RULE | {"trigger": "/_/act"}, 400, "trigger /guest/act does not exist"),
        (RULE | {"action": "/_/no"}, 400, "action /guest/no does not exist"),
        (RULE | {"action": "/_/tr"}, 400, "action /guest/tr does not exist"),
        (RULE | {"action": "/_/nopkg/a"}, 404, "The requested resource does not exist."),
        (
            {"trigger": "/other/tr", "action": "/other/pk/act"},
            403,
            "The supplied authentication is not authorized to access 'other/pk, other/tr'.",
        ),
        (RULE | {"trigger": 1}, 400, f"{MALFORMED}fully qualified name malformed"),
        (RULE | {"annotations": {}}, 400, f"{MALFORMED}parameters malformed!"),
        ([], 400, f"{MALFORMED}JSON object expected"),
    ],
)
async def test_what_is_no_rule_is_refused_and_leaves_nothing(
    ends: Api, body: Any, status: int, error: str
) -> None:
    heard, answer, _ = await ends.ask("PUT", "~/rules/ru?overwrite=true", body)
    assert (heard, answer["error"]) == (status, error)
    assert (await ends.ask("GET", "~/rules/ru"))[0] == 404
    assert await rules_of(ends) is None


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"status": "sleepy"}, "requirement failed: sleepy is not a recognized rule state"),
        ({"status": 1}, "'status' must be"),
        ({}, "'status' must be"),
        ([], "'status' must be"),
    ],
)
async def test_a_status_that_is_none_is_refused_before_the_rule_is_looked_for(
    api: Api, body: Any, detail: str
) -> None:
    status, answer, _ = await api.ask("POST", "~/rules/nosuch", body)
    assert status == 400
    assert answer["error"].startswith(MALFORMED + detail)
    assert (await api.ask("POST", "~/rules/nosuch", {"status": "active"}))[0] == 404


async def test_an_unreadable_action_is_told_apart_from_an_unreadable_rule(ends: Api) -> None:
    broken: Any = {"entityType": "action", "namespace": "guest", "name": "act"}
    await ends.docs.replace(DocId("guest/act"), ends.docs.docs[DocId("guest/act")].rev, broken)
    await ends.docs.create(DocId("guest/odd"), broken | {"entityType": "rule", "name": "odd"})
    ends.clock.advance(s=60)
    corrupted = "Resource is corrupted and cannot be read."
    status, body, _ = await ends.ask("PUT", "~/rules/ru", RULE)
    assert (status, body["error"]) == (400, corrupted)
    status, body, _ = await ends.ask("GET", "~/rules/odd")
    assert (status, body["error"]) == (500, corrupted)


async def test_rules_of_one_trigger_that_are_switched_at_once_do_not_undo_each_other(
    ends: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(ends, "~/rules/ru", RULE)
    await make(ends, "~/rules/other", RULE)
    replace, lost = ends.docs.replace, 2

    async def racing(doc_id: Any, rev: Any, body: Any) -> Any:
        nonlocal lost
        if lost:
            lost -= 1
            raise Conflict
        return await replace(doc_id, rev, body)

    monkeypatch.setattr(ends.docs, "replace", racing)
    assert (await ends.ask("POST", "~/rules/ru", {"status": "inactive"}))[0] == 200
    assert (await status_of(ends), await status_of(ends, "other")) == ("inactive", "active")
    lost = 99
    status, body, _ = await ends.ask("POST", "~/rules/ru", {"status": "active"})
    assert (status, body["error"]) == (409, "Concurrent modification to resource detected.")


async def test_a_store_that_goes_between_two_writes_leaves_no_rule_that_runs_unseen(
    ends: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = ends.docs.replace

    async def gone(*_: Any) -> Any:
        raise StoreUnavailable

    monkeypatch.setattr(ends.docs, "replace", gone)
    assert (await ends.ask("PUT", "~/rules/ru", RULE))[0] == 503
    monkeypatch.setattr(ends.docs, "replace", replace)
    assert await status_of(ends) == "inactive"
    assert (await ends.ask("POST", "~/rules/ru", {"status": "active"}))[0] == 200

    monkeypatch.setattr(ends.docs, "delete", gone)
    assert (await ends.ask("DELETE", "~/rules/ru"))[0] == 503
    assert await status_of(ends) == "inactive"
    assert (await ends.ask("POST", "~/triggers/tr", {}))[0] == 204
