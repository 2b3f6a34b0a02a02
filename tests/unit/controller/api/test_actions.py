"""Actions over HTTP: what is written, what is read back, and who is refused with which words."""

from typing import Any

import pytest

from common.errors import BriskError
from common.store.port import Conflict, Corrupted, StoreUnavailable
from tests.fakes.running_api import Api

CODE = {"kind": "python:default", "code": "x = 1", "main": "m"}
LONG = "#" * 20_000
WHOLE = {
    "namespace": "guest",
    "name": "hello",
    "exec": {"kind": "python:3.11", "code": "x = 1", "binary": False, "main": "m"},
    "parameters": [],
    "limits": {"timeout": 60000, "memory": 256, "logs": 10, "concurrency": 1},
    "version": "0.0.1",
    "publish": False,
    "annotations": [
        {"key": "provide-api-key", "value": False},
        {"key": "exec", "value": "python:3.11"},
    ],
}


async def test_an_action_is_written_read_and_deleted(api: Api) -> None:
    whole = WHOLE | {"updated": api.clock.now_ms()}
    assert (await api.ask("PUT", "~/actions/hello", {"exec": CODE}))[:2] == (200, whole)
    assert (await api.ask("GET", "~/actions/hello"))[:2] == (200, whole)
    _, shown, _ = await api.ask("GET", "~/actions/hello?code=false")
    assert shown["exec"] == {"kind": "python:3.11", "binary": False, "main": "m"}
    assert (await api.ask("DELETE", "~/actions/hello"))[:2] == (200, whole)
    status, body, _ = await api.ask("GET", "~/actions/hello")
    assert (status, body["error"]) == (404, "The requested resource does not exist.")


async def test_long_code_lives_elsewhere_and_comes_back(api: Api) -> None:
    code = {"kind": "python:default", "code": LONG}
    _, made, _ = await api.ask("PUT", "~/actions/hello", {"exec": code})
    assert made["exec"]["code"] == LONG
    assert len(api.blobs.blobs) == 1
    stored = next(iter(api.docs.docs.values())).body
    assert "code" not in stored["exec"]

    updated = await api.ask("PUT", "~/actions/hello?overwrite=true", {})
    read = await api.ask("GET", "~/actions/hello")
    deleted = await api.ask("DELETE", "~/actions/hello")
    assert [each[1]["exec"]["code"] for each in (updated, read, deleted)] == [LONG] * 3


async def test_an_update_needs_overwrite_and_its_body_is_read_first(api: Api) -> None:
    await api.ask("PUT", "~/actions/hello", {"exec": CODE})
    status, body, _ = await api.ask("PUT", "~/actions/hello", {})
    assert (status, body["error"]) == (409, "resource already exists")
    status, body, _ = await api.ask("PUT", "~/actions/hello", {"version": "bad"})
    assert status == 400
    status, body, _ = await api.ask("PUT", "~/actions/hello?overwrite=true", {})
    assert (status, body["version"]) == (200, "0.0.2")


async def test_an_update_sees_what_another_controller_wrote(api: Api) -> None:
    await api.ask("PUT", "~/actions/hello", {"exec": CODE})
    doc = next(iter(api.docs.docs.values()))
    await api.docs.replace(doc.id, doc.rev, doc.body | {"version": "5.0.0"})
    status, body, _ = await api.ask("PUT", "~/actions/hello?overwrite=true", {})
    assert (status, body["version"]) == (200, "5.0.1")


@pytest.mark.parametrize(
    ("failure", "status", "text"),
    [
        (Conflict(), 409, "Concurrent modification to resource detected."),
        (Corrupted("inner words"), 500, "Resource is corrupted and cannot be read."),
        (
            StoreUnavailable("inner words"),
            503,
            "The server is currently unavailable "
            "(because it is overloaded or down for maintenance).",
        ),
        (RuntimeError("inner words"), 500, "There was an internal server error."),
    ],
)
async def test_what_fails_below_is_told_without_its_inner_words(
    api: Api, failure: Exception, status: int, text: str
) -> None:
    api.docs.failure = failure
    heard, body, answer = await api.ask("GET", "~/actions/hello")
    assert (heard, body["error"]) == (status, text)
    assert body["code"] == answer.headers["X-Request-ID"]
    assert set(body) == {"error", "code"}


async def test_an_entity_of_another_kind_is_in_the_wrong_collection(api: Api) -> None:
    await api.ask("PUT", "~/actions/hello", {"exec": CODE})
    doc = next(iter(api.docs.docs.values()))
    doc.body["entityType"] = "trigger"
    for method in ("GET", "PUT", "DELETE", "POST"):
        api.clock.advance(s=60)
        status, body, _ = await api.ask(method, "~/actions/hello", {"exec": CODE})
        assert (status, body["error"]) == (
            409,
            "Resource by this name exists but is not in this collection.",
        )


async def test_an_unreadable_document_is_corrupted(api: Api) -> None:
    await api.ask("PUT", "~/actions/hello", {"exec": CODE})
    del next(iter(api.docs.docs.values())).body["limits"]
    api.clock.advance(s=60)
    status, body, _ = await api.ask("GET", "~/actions/hello")
    assert (status, body["error"]) == (500, "Resource is corrupted and cannot be read.")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/api/v1/namespaces/other/actions/a", "other/a"),
        ("/api/v1/namespaces/other/actions/pkg/a", "other/pkg"),
    ],
)
async def test_what_is_somebody_elses_is_forbidden_whether_it_exists_or_not(
    api: Api, method: str, path: str, named: str
) -> None:
    status, body, answer = await api.ask(method, path, b"[")
    assert status == 403
    assert body["error"] == (f"The supplied authentication is not authorized to access '{named}'.")
    assert "Access-Control-Allow-Origin" in answer.headers


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
async def test_a_missing_package_is_found_before_the_body_is_read(api: Api, method: str) -> None:
    status, body, _ = await api.ask(method, "~/actions/pkg/a", b"[")
    assert (status, body["error"]) == (404, "The requested resource does not exist.")


async def test_a_missing_package_is_named_where_it_is_listed(api: Api) -> None:
    status, body, _ = await api.ask("GET", "~/actions/pkg/")
    assert (status, body["error"]) == (404, "The requested resource 'guest/pkg' does not exist.")
    await api.ask("PUT", "~/actions/pkg", {"exec": CODE})
    assert (await api.ask("GET", "~/actions/pkg/"))[0] == 409
    assert (await api.ask("DELETE", "~/actions/pkg/"))[0] == 404


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"timeout": 99}, "duration 99 milliseconds below allowed threshold of 100 milliseconds"),
        (
            {"timeout": 300_001},
            "duration 300001 milliseconds exceeds allowed threshold of 300000 milliseconds",
        ),
        ({"timeout": -1}, "duration -1 milliseconds below allowed threshold of 100 milliseconds"),
        ({"memory": 127}, "memory size 127 MB below allowed threshold of 128 MB"),
        ({"memory": 513}, "memory size 513 MB exceeds allowed threshold of 512 MB"),
        ({"logs": 11}, "log size 11 MB exceeds allowed threshold of 10 MB"),
        ({"concurrency": 0}, "concurrency 0 below allowed threshold of 1"),
        ({"concurrency": 2}, "concurrency 2 exceeds allowed threshold of 1"),
    ],
)
async def test_limits_have_bounds(api: Api, limits: dict[str, int], text: str) -> None:
    status, body, answer = await api.ask("PUT", "~/actions/a", {"exec": CODE, "limits": limits})
    assert (status, body["error"]) == (400, f"requirement failed: {text}")
    assert "Access-Control-Allow-Origin" in answer.headers


async def test_an_action_has_no_more_instances_than_its_namespace(api: Api) -> None:
    body: dict[str, Any] = {"exec": CODE, "limits": {"instances": 31}}
    status, refused, _ = await api.ask("PUT", "~/actions/a", body)
    assert status == 400
    assert refused["error"] == (
        "Max action instance concurrency must not exceed your namespace concurrency of 30."
    )
    body["limits"] = {"instances": 30}
    _, made, _ = await api.ask("PUT", "~/actions/a", body)
    assert made["limits"]["instances"] == 30


async def test_a_deprecated_kind_is_read_and_deleted_but_not_written(api: Api) -> None:
    await api.ask("PUT", "~/actions/old", {"exec": CODE})
    next(iter(api.docs.docs.values())).body["exec"]["kind"] = "python:2"
    api.clock.advance(s=60)
    text = (
        "The 'python:2' runtime is no longer supported. "
        "You may read and delete but not update or invoke this action."
    )
    update = "~/actions/old?overwrite=true"
    for path, body in [
        (update, {}),
        (update, {"exec": CODE | {"kind": "python:2"}}),
        ("~/actions/new", {"exec": CODE | {"kind": "python:2"}}),
    ]:
        status, refused, _ = await api.ask("PUT", path, body)
        assert (status, refused["error"]) == (400, text)
    assert (await api.ask("GET", "~/actions/old"))[0] == 200
    assert (await api.ask("PUT", update, {"exec": CODE}))[0] == 200
    assert (await api.ask("DELETE", "~/actions/old"))[0] == 200


@pytest.mark.parametrize(
    ("components", "status", "text"),
    [
        ([], 400, "No component specified for the sequence."),
        (["/_/missing"], 400, "Sequence component does not exist."),
        (["/_/a"] * 51, 400, "Too many actions in the sequence."),
        (["/_/pkg/a"], 404, "The requested resource does not exist."),
        (
            ["/other/a"],
            403,
            "The supplied authentication is not authorized to access 'other/a'.",
        ),
        (["/_/s"], 400, "Sequence may not refer to itself."),
    ],
)
async def test_a_sequence_is_refused_for_what_is_wrong_with_it(
    api: Api, components: list[str], status: int, text: str
) -> None:
    await api.ask("PUT", "~/actions/a", {"exec": CODE})
    body = {"exec": {"kind": "sequence", "components": components}}
    heard, refused, _ = await api.ask("PUT", "~/actions/s", body)
    assert (heard, refused["error"]) == (status, text)


async def test_a_sequence_shows_its_components_and_refuses_a_circle(api: Api) -> None:
    await api.ask("PUT", "~/actions/a", {"exec": CODE})
    for name, component in (("s", "a"), ("t", "s")):
        body = {
            "exec": {"kind": "sequence", "components": [f"/_/{component}"]},
            "parameters": [{"key": "own", "value": 1}],
        }
        status, _, _ = await api.ask("PUT", f"~/actions/{name}", body)
        assert status == 200
    _, written, _ = await api.ask("GET", "~/actions/t")
    assert written["exec"] == {"kind": "sequence", "components": ["/guest/s"]}
    assert written["parameters"] == [{"key": "_actions", "value": ["/guest/s"]}]

    circle = {"exec": {"kind": "sequence", "components": ["/_/a", "/_/t"]}}
    status, refused, _ = await api.ask("PUT", "~/actions/s?overwrite=true", circle)
    assert (status, refused["error"]) == (400, "Sequence may not refer to itself.")
    assert (await api.ask("GET", "~/actions/s"))[1]["exec"]["components"] == ["/guest/a"]


async def test_a_list_is_newest_first_in_part_or_counted(api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.ask("PUT", f"~/actions/{name}", {"exec": CODE})

    _, items, _ = await api.ask("GET", "~/actions?limit=2&skip=1")
    assert [item["name"] for item in items] == ["b", "a"]
    assert items[0]["exec"] == {"binary": False}
    assert "parameters" not in items[0]
    assert (await api.ask("GET", "~/actions/?limit=0"))[1][2]["name"] == "a"
    assert (await api.ask("GET", "~/actions?count=true&skip=1&limit=1"))[1] == {"actions": 2}
    assert (await api.ask("GET", "~/actions?count=true&skip=9"))[1] == {"actions": 0}


@pytest.mark.parametrize("collection", ["packages", "triggers", "rules"])
async def test_collections_without_members_are_empty_and_their_names_taken_by_actions(
    api: Api, collection: str
) -> None:
    await api.ask("PUT", "~/actions/a", {"exec": CODE})
    assert (await api.ask("GET", f"~/{collection}"))[:2] == (200, [])
    assert (await api.ask("GET", f"~/{collection}/?count=true"))[:2] == (200, {collection: 0})
    assert (await api.ask("GET", f"~/{collection}?limit=201"))[0] == 400
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, f"~/{collection}/a"))[0] == 409
        status, body, _ = await api.ask(method, f"~/{collection}/b")
        assert status == 404
        is_named = collection == "packages" and method == "GET"
        assert ("'guest/b'" in body["error"]) is is_named


async def test_the_packages_of_others_may_be_listed_and_their_triggers_not(api: Api) -> None:
    other = "/api/v1/namespaces/other"
    assert (await api.ask("GET", f"{other}/packages"))[:2] == (200, [])
    for collection in ("actions", "triggers", "rules", "activations", "limits"):
        status, body, _ = await api.ask("GET", f"{other}/{collection}")
        assert status == 403
        assert body["error"] == ("The supplied authentication is not authorized to access 'other'.")


async def test_the_base_error_is_told_as_a_fault(api: Api) -> None:
    api.docs.failure = BriskError("nobody has given this a status")
    status, body, _ = await api.ask("GET", "~/actions/a")
    assert (status, body["error"]) == (500, "There was an internal server error.")
