"""Answers are as OpenWhisk's description of its API has them, which is shown to clients."""

from typing import Any

import pytest

from tests.fakes.records import a_record, an_id
from tests.fakes.running_api import Api
from tests.fakes.swagger import DOCUMENT, faults

EXEC = {"exec": {"kind": "python:default", "code": "x = 1"}}
PAIRS = [{"key": "k", "value": {"any": [1]}}]
BOTH = {"parameters": PAIRS, "annotations": PAIRS}
RULE = {"trigger": "/_/tr", "action": "/_/pk/act", "annotations": PAIRS}
SEQUENCE = {"exec": {"kind": "sequence", "components": ["/_/act"]}}
BINDING = {"binding": {"namespace": "_", "name": "pk"}}
FEED = {"annotations": [{"key": "feed", "value": True}]}

HELD = {
    "actions/act": EXEC | BOTH, "packages/pk": BOTH | {"publish": True}, "packages/bd": BINDING,
    "actions/pk/act": EXEC, "actions/pk/feed": EXEC | FEED,
    "actions/line": SEQUENCE, "triggers/tr": BOTH, "rules/ru": RULE,
}  # fmt: skip
"""What is there before each question."""

NAMESPACE = "/namespaces/{namespace}"
ASKED: list[tuple[str, str, str, Any]] = [
    # the path of the description, and a question of that shape
    ("/namespaces", "GET", "/api/v1/namespaces", None),
    (f"{NAMESPACE}/actions", "GET", "~/actions", None),
    (f"{NAMESPACE}/actions/{{actionName}}", "GET", "~/actions/act", None),
    (f"{NAMESPACE}/actions/{{actionName}}", "GET", "~/actions/line", None),
    (f"{NAMESPACE}/actions/{{actionName}}", "PUT", "~/actions/new", EXEC | BOTH),
    (f"{NAMESPACE}/actions/{{packageName}}/{{actionName}}", "GET", "~/actions/bd/act", None),
    (f"{NAMESPACE}/actions/{{packageName}}/{{actionName}}", "PUT", "~/actions/pk/new", EXEC),
    (f"{NAMESPACE}/packages", "GET", "~/packages", None),
    (f"{NAMESPACE}/packages/{{packageName}}", "GET", "~/packages/pk", None),
    (f"{NAMESPACE}/packages/{{packageName}}", "GET", "~/packages/bd", None),
    (f"{NAMESPACE}/packages/{{packageName}}", "PUT", "~/packages/new", BOTH),
    (f"{NAMESPACE}/packages/{{packageName}}", "PUT", "~/packages/new", BINDING),
    (f"{NAMESPACE}/packages/{{packageName}}", "PUT", "~/packages/pk?overwrite=true", {}),
    (f"{NAMESPACE}/triggers", "GET", "~/triggers", None),
    (f"{NAMESPACE}/triggers/{{triggerName}}", "GET", "~/triggers/tr", None),
    (f"{NAMESPACE}/triggers/{{triggerName}}", "PUT", "~/triggers/new", BOTH),
    (f"{NAMESPACE}/triggers/{{triggerName}}", "PUT", "~/triggers/tr?overwrite=true", {}),
    (f"{NAMESPACE}/triggers/{{triggerName}}", "POST", "~/triggers/tr", {}),
    (f"{NAMESPACE}/rules", "GET", "~/rules", None),
    (f"{NAMESPACE}/rules/{{ruleName}}", "GET", "~/rules/ru", None),
    (f"{NAMESPACE}/rules/{{ruleName}}", "PUT", "~/rules/new", RULE),
    (f"{NAMESPACE}/rules/{{ruleName}}", "PUT", "~/rules/ru?overwrite=true", {}),
    (f"{NAMESPACE}/activations", "GET", "~/activations", None),
    (f"{NAMESPACE}/activations/{{activationid}}", "GET", f"~/activations/{an_id()}", None),
    (
        f"{NAMESPACE}/activations/{{activationid}}/logs",
        "GET",
        f"~/activations/{an_id()}/logs",
        None,
    ),
    (
        f"{NAMESPACE}/activations/{{activationid}}/result",
        "GET",
        f"~/activations/{an_id()}/result",
        None,
    ),
    (f"{NAMESPACE}/limits", "GET", "~/limits", None),
]


OTHERWISE = {
    # In lists OpenWhisk shows false where nothing is bound, against its own description; clients
    # know it by that.
    "~/packages": {"[1].binding: False is no object"},
}


def described() -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """Return the schemas of all answers that have one: by path and method, by status.

    Web actions answer as they like.
    """
    return {
        (path, method.upper()): schemas
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        if not path.startswith("/web/") and method in ("get", "put", "post", "delete")
        if (
            schemas := {
                status: answer["schema"]
                for status, answer in operation["responses"].items()
                if "schema" in answer
            }
        )
    }


@pytest.fixture
async def full(api: Api) -> Api:
    for path, body in HELD.items():
        assert (await api.ask("PUT", f"~/{path}", body))[0] == 200, path
    api.activations.put(a_record())
    return api


@pytest.mark.parametrize(("path", "method", "target", "body"), ASKED)
async def test_an_answer_is_as_described(
    full: Api, path: str, method: str, target: str, body: Any
) -> None:
    status, answer, _ = await full.ask(method, target, body)
    schema = described()[path, method][str(status)]
    assert answer
    assert set(faults(answer, schema)) == OTHERWISE.get(target, set())


def test_each_answer_that_is_described_is_asked_for() -> None:
    assert {(path, method) for path, method, _, _ in ASKED} == described().keys()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"name": "tr"}, ".namespace: is missing"),
        ({"name": ""}, ".name: '' is too short"),
        ({"publish": 1}, ".publish: 1 is no boolean"),
        ({"updated": True}, ".updated: True is no integer"),
        ({"status": "on"}, ".status: 'on' is none of ['active', 'inactive'"),
        ({"annotations": [{"key": 1}]}, ".annotations[0].key: 1 is no string"),
        ({"action": {"path": "ns"}}, ".action.name: is missing"),
        ({"more": 1}, ".more: has no schema"),
        ([], ": [] is no object"),
    ],
)
def test_what_is_not_as_described_is_told(answer: Any, fault: str) -> None:
    told = faults(answer, {"$ref": "#/definitions/Rule"})
    assert any(each.startswith(fault) for each in told)
