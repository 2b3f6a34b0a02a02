"""Packages over HTTP: what is inherited, what a binding shows, and what others may use."""

from dataclasses import replace
from typing import Any

import pytest

from common.entity.names import QualifiedName
from common.ids import Namespace
from common.store.catalog import Catalog
from tests.fakes.running_api import Api

CODE = {"kind": "python:default", "code": "x = 1"}
OTHERS = Namespace("other")


def pairs(shown: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in shown}


def parameters(**values: Any) -> dict[str, Any]:
    return {"parameters": [{"key": key, "value": value} for key, value in values.items()]}


async def a_package(api: Api, name: str = "pk", **values: Any) -> None:
    status, _, _ = await api.ask("PUT", f"~/packages/{name}", parameters(**values))
    assert status == 200


async def of_somebody_else(api: Api, *, publish: bool) -> Catalog:
    """Move the package `pk` and its action to another namespace."""
    catalog = api.services.catalog
    name = QualifiedName(Namespace("guest"), None, "pk")
    await a_package(api, a=1)
    await api.ask("PUT", "~/actions/pk/act", {"exec": CODE} | parameters(c=3))
    action = await catalog.actions.get(QualifiedName(Namespace("guest"), "pk", "act"))
    package = await catalog.packages.get(name)
    there = QualifiedName(OTHERS, None, "pk")
    await catalog.packages.write(replace(package, name=there, publish=publish), None)
    await catalog.actions.put(replace(action, name=QualifiedName(OTHERS, "pk", "act")), None)
    return catalog


async def test_an_action_inherits_from_its_package_and_through_a_binding(api: Api) -> None:
    await a_package(api, a=1, b=1)
    await api.ask("PUT", "~/actions/pk/act", {"exec": CODE} | parameters(b=2, c=2))
    bound = {"binding": {"namespace": "_", "name": "pk"}} | parameters(a=9)
    await api.ask("PUT", "~/packages/bd", bound)

    _, own, _ = await api.ask("GET", "~/actions/pk/act")
    _, through, _ = await api.ask("GET", "~/actions/bd/act")
    assert pairs(own["parameters"]) == {"a": 1, "b": 2, "c": 2}
    assert pairs(through["parameters"]) == {"a": 9, "b": 2, "c": 2}
    assert through["namespace"] == "guest/pk"

    await api.ask("POST", "~/actions/bd/act?blocking=true", {})
    asked = api.invoker.asked[-1]
    assert asked.meant.action.name.doc_id == "guest/pk/act"
    assert asked.meant.binding == QualifiedName(Namespace("guest"), None, "bd")
    assert {each.key: each.value for each in asked.meant.action.parameters} == {
        "a": 9,
        "b": 2,
        "c": 2,
    }


async def test_what_is_bound_lists_the_actions_of_its_provider(api: Api) -> None:
    await a_package(api)
    await api.ask("PUT", "~/actions/pk/act", {"exec": CODE})
    feed = {"exec": CODE, "annotations": [{"key": "feed", "value": True}]}
    await api.ask("PUT", "~/actions/pk/changes", feed)
    await api.ask("PUT", "~/packages/bd", {"binding": {"namespace": "guest", "name": "pk"}})
    _, shown, _ = await api.ask("GET", "~/packages/bd")
    assert [each["name"] for each in shown["actions"]] == ["act"]
    assert [each["name"] for each in shown["feeds"]] == ["changes"]
    _, listed, _ = await api.ask("GET", "~/actions/bd/")
    assert {each["namespace"] for each in listed} == {"guest/pk"}
    _, counted, _ = await api.ask("GET", "~/actions/bd/?count=true")
    assert counted == {"actions": 2}


@pytest.mark.parametrize("ask", ["GET", "POST", "PUT", "DELETE"])
async def test_what_is_not_shared_is_forbidden_whether_it_is_there_or_not(
    api: Api, ask: str
) -> None:
    await of_somebody_else(api, publish=False)
    said = "The supplied authentication is not authorized to access 'other/{}'."
    for package in ("pk", "nosuch"):
        path = f"/api/v1/namespaces/other/actions/{package}/act"
        body = {"exec": CODE} if ask == "PUT" else {} if ask == "POST" else None
        status, answer, _ = await api.ask(ask, path, body)
        assert (status, answer["error"]) == (403, said.format(package))


async def test_what_is_shared_is_read_run_and_bound_but_never_written(api: Api) -> None:
    await of_somebody_else(api, publish=True)
    root = "/api/v1/namespaces/other"
    status, shown, _ = await api.ask("GET", f"{root}/actions/pk/act")
    assert (status, pairs(shown["parameters"])) == (200, {"a": 1, "c": 3})
    status, _, _ = await api.ask("POST", f"{root}/actions/pk/act?blocking=true", {})
    assert (status, api.invoker.asked[-1].meant.action.name.namespace) == (200, OTHERS)
    status, _, _ = await api.ask(
        "PUT", "~/packages/theirs", {"binding": {"namespace": "other", "name": "pk"}}
    )
    assert status == 200
    status, shown, _ = await api.ask("GET", "~/actions/theirs/act?code=false")
    assert (status, shown["namespace"]) == (200, "other/pk")
    for method, path in (("PUT", "actions/pk/act"), ("DELETE", "packages/pk")):
        status, _, _ = await api.ask(method, f"{root}/{path}", {"exec": CODE})
        assert status == 403
    _, listed, _ = await api.ask("GET", f"{root}/packages")
    assert [each["name"] for each in listed] == ["pk"]


async def test_a_package_made_private_later_closes_bindings_to_it(api: Api) -> None:
    catalog = await of_somebody_else(api, publish=True)
    await api.ask("PUT", "~/packages/theirs", {"binding": {"namespace": "other", "name": "pk"}})
    package = await catalog.packages.newest(QualifiedName(OTHERS, None, "pk"))
    await catalog.packages.write(replace(package, publish=False), package.rev)
    status, answer, _ = await api.ask("POST", "~/actions/theirs/act", {})
    assert (status, answer["error"].endswith("'guest/theirs'.")) == (403, True)


async def test_names_are_shared_by_all_kinds_and_one_is_reserved(api: Api) -> None:
    await api.ask("PUT", "~/actions/act", {"exec": CODE})
    wrong = "Resource by this name exists but is not in this collection."
    for method in ("GET", "PUT", "DELETE"):
        status, answer, _ = await api.ask(method, "~/packages/act", {} if method == "PUT" else None)
        assert (status, answer["error"]) == (409, wrong)
    status, answer, _ = await api.ask("PUT", "~/packages/default", {})
    assert (status, answer["error"]) == (400, "Package name 'default' is reserved.")
    status, answer, _ = await api.ask(
        "PUT", "~/packages/bd", {"binding": {"namespace": "_", "name": "act"}}
    )
    assert (status, answer["error"]) == (409, "Cannot bind to a resource that is not a package.")


async def test_a_binding_that_came_to_refer_to_itself_says_so(api: Api) -> None:
    await a_package(api)
    await api.ask("PUT", "~/packages/bd", {"binding": {"namespace": "_", "name": "pk"}})
    packages = api.services.catalog.packages
    stored = await packages.newest(QualifiedName(Namespace("guest"), None, "bd"))
    await packages.write(replace(stored, binding=stored.name), stored.rev)
    status, answer, _ = await api.ask("GET", "~/packages/bd")
    assert status == 422
    assert answer["error"] == "Package binding 'guest/bd' contains a circular reference."


async def test_deleting_by_force_takes_the_actions_along(api: Api) -> None:
    await a_package(api)
    for name in ("one", "two"):
        await api.ask("PUT", f"~/actions/pk/{name}", {"exec": CODE})
    status, answer, _ = await api.ask("DELETE", "~/packages/pk")
    assert status == 409
    assert answer["error"].startswith("Package not empty (contains 2 entities).")
    status, _, _ = await api.ask("DELETE", "~/packages/pk?force=true")
    assert status == 200
    assert not api.docs.docs
