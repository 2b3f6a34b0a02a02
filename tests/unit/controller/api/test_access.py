"""Who may do what with what, asked of the whole API by subjects that the store of keys knows.

Ann, Bob and Gus are those of `tests.fakes.neighbours`. All that is asked for is in the namespace
`ann`, but where it says otherwise.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller.app import table
from tests.fakes.neighbours import (
    CODE,
    NEVER,
    NO_RECORD,
    RECORD,
    ROOT,
    Answer,
    World,
    binding,
    web_code,
    world_of_three,
)

BILLED = f"/api/brisk/v1/namespaces/ann/{RECORD}"
EVENTS = "/api/brisk/v1/namespaces/ann/events"
STREAM = "/api/brisk/v1/namespaces/ann/activations/stream"
USAGE = "/api/brisk/v1/namespaces/ann/usage"
DAYS = "from=2025-11-01&to=2025-11-30"
LOGINS = "/api/brisk/v1/namespaces/ann/registries"
APIS = "/api/brisk/v1/namespaces/ann/apis"
SEQUENCE = {"exec": {"kind": "sequence", "components": ["/ann/act"]}}
OFF = {"status": "inactive"}
RULE = {"trigger": "/ann/tr", "action": "/ann/act"}

RIGHTS: list[tuple[str, str, Any, int, int]] = [
    # method, path, body, what its owner is answered, and what everybody else with a key is
    ("GET", "actions", None, 200, 403),
    ("GET", "actions?count=true", None, 200, 403),
    ("GET", "actions/shared/", None, 200, 200),
    ("GET", "actions/closed/", None, 200, 403),
    ("GET", "actions/bound/", None, 200, 403),
    ("GET", f"actions/{NEVER}/", None, 404, 403),
    ("GET", "packages", None, 200, 200),
    ("GET", "triggers", None, 200, 403),
    ("GET", "rules", None, 200, 403),
    ("GET", "activations", None, 200, 403),
    ("GET", "activations?docs=true&name=act", None, 200, 403),
    ("GET", "actions/act", None, 200, 403),
    ("GET", "actions/act?code=false", None, 200, 403),
    ("GET", "actions/shared/act", None, 200, 200),
    ("GET", "actions/closed/act", None, 200, 403),
    ("GET", "actions/bound/act", None, 200, 403),
    ("GET", "packages/shared", None, 200, 200),
    ("GET", "packages/closed", None, 200, 403),
    ("GET", "packages/bound", None, 200, 403),
    ("GET", "triggers/tr", None, 200, 403),
    ("GET", "rules/ru", None, 200, 403),
    ("GET", RECORD, None, 200, 403),
    ("GET", f"{RECORD}/logs", None, 200, 403),
    ("GET", f"{RECORD}/result", None, 200, 403),
    ("GET", BILLED, None, 200, 403),
    ("GET", EVENTS, None, 404, 403),
    ("GET", STREAM, None, 503, 403),  # in this world nobody may follow anything
    ("GET", "limits", None, 200, 403),
    ("GET", f"{USAGE}?{DAYS}", None, 200, 403),
    ("GET", f"{USAGE}/focus?{DAYS}", None, 200, 403),
    ("GET", f"{USAGE}/verify", None, 200, 403),
    ("GET", "limits/act", None, 400, 403),
    ("GET", LOGINS, None, 200, 403),
    ("PUT", f"{LOGINS}/images.example.com", {"username": "u", "password": "p"}, 200, 403),
    ("GET", APIS, None, 200, 403),
    ("PUT", f"{APIS}/access?api=/letters", {"perMinute": 9}, 200, 403),
    ("POST", f"{APIS}/keys?api=/letters", {}, 200, 403),
    ("DELETE", f"{APIS}/keys/{NEVER}?api=/letters", None, 404, 403),
    ("PUT", "actions/act?overwrite=true", CODE, 200, 403),
    ("PUT", "actions/line?overwrite=true", SEQUENCE, 200, 403),
    ("PUT", "actions/shared/act?overwrite=true", CODE, 200, 403),
    ("PUT", "actions/closed/act?overwrite=true", CODE, 200, 403),
    ("PUT", "packages/shared?overwrite=true", {"publish": True}, 200, 403),
    ("PUT", "packages/closed?overwrite=true", {"publish": True}, 200, 403),
    ("PUT", "packages/bound?overwrite=true", binding("closed"), 200, 403),
    ("PUT", "triggers/tr?overwrite=true", {}, 200, 403),
    ("PUT", "rules/ru?overwrite=true", RULE, 200, 403),
    ("POST", "actions/act?blocking=true", {}, 200, 403),
    ("POST", "actions/shared/act?blocking=true", {}, 200, 200),
    ("POST", "actions/closed/act?blocking=true", {}, 200, 403),
    ("POST", "actions/bound/act?blocking=true", {}, 200, 403),
    ("POST", "triggers/tr", {}, 202, 403),
    ("POST", "rules/ru", OFF, 200, 403),
    ("DELETE", "actions/act", None, 200, 403),
    ("DELETE", "actions/shared/act", None, 200, 403),
    ("DELETE", "actions/closed/act", None, 200, 403),
    ("DELETE", "packages/shared?force=true", None, 200, 403),
    ("DELETE", "packages/closed?force=true", None, 200, 403),
    ("DELETE", "packages/bound", None, 200, 403),
    ("DELETE", "triggers/tr", None, 200, 403),
    ("DELETE", "rules/ru", None, 200, 403),
    ("DELETE", f"{LOGINS}/images.example.com", None, 404, 403),
]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of_three() as made:
        yield made


@pytest.mark.parametrize(("method", "path", "body", "owners", "others"), RIGHTS)
async def test_the_owner_may_and_others_may_what_is_shared(
    world: World, method: str, path: str, body: Any, owners: int, others: int
) -> None:
    before = world.stored
    for who, status in ((None, 401), ("gus", 401), ("bob", others), ("team", others)):
        answer = await world.ask(who, method, path, body)
        assert answer.status == status, (who, answer)
    assert world.stored == before
    assert (world.api.invoker.asked != []) is (method == "POST" and others == 200)

    answer = await world.ask("ann", method, path, body)
    assert answer.status == owners, answer


def test_the_table_has_a_line_for_each_route_of_a_namespace(world: World) -> None:
    asked = [
        (method, path if path[0] == "/" else f"{ROOT}/ann/{path}") for method, path, *_ in RIGHTS
    ]
    missing = {
        (route.method, route.path)
        for route in table(world.api.services)
        if "{namespace}" in route.path and not route.is_open and not is_asked(route, asked)
    }
    assert not missing


def is_asked(route: Any, asked: list[tuple[str, str]]) -> bool:
    pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", route.path))
    return any(
        route.method == method and pattern.fullmatch(path.partition("?")[0])
        for method, path in asked
    )


TWINS = [
    # what is there and is not shared, and what is not there; the same must be said of both
    ("actions/act", f"actions/{NEVER}"),
    ("actions/tr", f"actions/{NEVER}"),
    ("actions/closed/act", f"actions/{NEVER}/act"),
    ("actions/closed/act", f"actions/closed/{NEVER}"),
    ("actions/bound/act", f"actions/{NEVER}/act"),
    ("actions/act/act", f"actions/{NEVER}/act"),
    ("actions/closed/", f"actions/{NEVER}/"),
    ("packages/closed", f"packages/{NEVER}"),
    ("packages/bound", f"packages/{NEVER}"),
    ("packages/act", f"packages/{NEVER}"),
    ("triggers/tr", f"triggers/{NEVER}"),
    ("triggers/act", f"triggers/{NEVER}"),
    ("rules/ru", f"rules/{NEVER}"),
    (RECORD, NO_RECORD),
    (f"{RECORD}/logs", f"{NO_RECORD}/logs"),
    (f"{RECORD}/result", f"{NO_RECORD}/result"),
    ("actions", f"{ROOT}/{NEVER}/actions"),
    ("activations", f"{ROOT}/{NEVER}/activations"),
    ("limits", f"{ROOT}/{NEVER}/limits"),
]
METHODS = {
    "actions": ("GET", "PUT", "POST", "DELETE"),
    "packages": ("GET", "PUT", "DELETE"),
    "triggers": ("GET", "PUT", "POST", "DELETE"),
    "rules": ("GET", "PUT", "POST", "DELETE"),
}
"""Those that entities of a collection are asked by; others, and lists, are read alone."""
ANY_NAME = re.compile(r"'[^']*'")


@pytest.mark.parametrize(("there", "missing"), TWINS)
async def test_what_is_forbidden_is_forbidden_whether_it_is_there_or_not(
    world: World, there: str, missing: str
) -> None:
    collection, _, named = there.partition("/")
    is_one = named != "" and not named.endswith("/")
    for method in METHODS.get(collection, ("GET",)) if is_one else ("GET",):
        body = {"POST": OFF, "PUT": RULE | CODE}.get(method)
        answers = [await world.ask("bob", method, path, body) for path in (there, missing)]
        assert [each.status for each in answers] == [403, 403], (method, answers)
        texts = {ANY_NAME.sub("''", each.body["error"]) for each in answers}
        assert len(texts) == 1, (method, texts)


async def test_of_a_namespace_others_see_the_shared_packages_alone(world: World) -> None:
    seen = {
        who: {each["name"] for each in (await world.ask(who, "GET", "packages")).body}
        for who in ("ann", "team", "bob")
    }
    assert seen == {"ann": {"shared", "closed", "bound"}, "team": {"shared"}, "bob": {"shared"}}
    assert (await world.ask("bob", "GET", "packages?count=true")).body == {"packages": 1}


REFERENCES = [
    # what somebody of another namespace names in what he writes into his own, and the answer
    ("packages/b", binding("shared"), 200),
    ("packages/b", binding("closed"), 403),
    ("packages/b", binding("bound"), 403),
    ("packages/b", binding("act"), 403),
    ("packages/b", binding(NEVER), 403),
    ("actions/s", {"exec": {"kind": "sequence", "components": ["/ann/shared/act"]}}, 200),
    ("actions/s", {"exec": {"kind": "sequence", "components": ["/ann/closed/act"]}}, 403),
    ("actions/s", {"exec": {"kind": "sequence", "components": ["/ann/bound/act"]}}, 403),
    ("actions/s", {"exec": {"kind": "sequence", "components": [f"/ann/{NEVER}/act"]}}, 403),
    ("actions/s", {"exec": {"kind": "sequence", "components": ["/ann/act"]}}, 403),
    ("actions/s", {"exec": {"kind": "sequence", "components": [f"/ann/{NEVER}"]}}, 403),
    ("rules/r", {"trigger": "/bob/tr", "action": "/ann/shared/act"}, 200),
    ("rules/r", {"trigger": "/bob/tr", "action": "/ann/closed/act"}, 403),
    ("rules/r", {"trigger": "/bob/tr", "action": "/ann/bound/act"}, 403),
    ("rules/r", {"trigger": "/bob/tr", "action": f"/ann/{NEVER}/act"}, 403),
    ("rules/r", {"trigger": "/bob/tr", "action": "/ann/act"}, 403),
    ("rules/r", {"trigger": "/bob/tr", "action": f"/ann/{NEVER}"}, 403),
    ("rules/r", {"trigger": "/ann/tr", "action": "/bob/act"}, 403),
    ("rules/r", {"trigger": f"/ann/{NEVER}", "action": "/bob/act"}, 403),
]


@pytest.mark.parametrize(("path", "body", "status"), REFERENCES)
async def test_what_is_not_shared_is_named_by_nobody_else(
    world: World, path: str, body: Any, status: int
) -> None:
    before = world.stored
    answer = await world.ask("bob", "PUT", f"{ROOT}/bob/{path}", body)
    assert answer.status == status, answer
    assert (world.stored == before) is (status == 403)
    if status == 403:
        words = "The supplied authentication is not authorized to access ''."
        assert ANY_NAME.sub("''", answer.body["error"]) == words


USES = [
    # what Bob does with his binding `theirs` of `ann/shared`, and what he is answered at first
    ("GET", f"{ROOT}/bob/packages/theirs", None, 200),
    ("GET", f"{ROOT}/bob/actions/theirs/", None, 200),
    ("GET", f"{ROOT}/bob/actions/theirs/act", None, 200),
    ("POST", f"{ROOT}/bob/actions/theirs/act?blocking=true", {}, 200),
    ("GET", "/api/v1/web/bob/theirs/act.json", None, 200),
    ("POST", f"{ROOT}/bob/rules/ru", {"status": "active"}, 200),
    (
        "PUT",
        f"{ROOT}/bob/rules/ru?overwrite=true",
        {"trigger": "/bob/tr", "action": "/bob/theirs/act"},
        200,
    ),
    (
        "PUT",
        f"{ROOT}/bob/actions/line?overwrite=true",
        {"exec": {"kind": "sequence", "components": ["/bob/theirs/act"]}},
        200,
    ),
]


@pytest.mark.parametrize("ending", ["private", "gone"])
async def test_a_binding_is_worth_what_the_package_behind_it_is(world: World, ending: str) -> None:
    await world.put("bob", "packages/theirs", binding("shared"))
    await world.put("bob", "rules/ru", {"trigger": "/bob/tr", "action": "/bob/theirs/act"})
    for method, path, body, status in USES:
        answer = await world.ask("bob", method, path, body)
        assert answer.status == status, (method, path, answer)
        if not path.startswith("/api/v1/web"):
            assert (await world.ask("ann", method, path, body)).status == 403
    await close(world, ending)
    asked = len(world.api.invoker.asked)

    for method, path, body, _ in USES:
        if path.endswith("bob/rules/ru"):
            continue
        answer = await world.ask("bob", method, path, body)
        assert answer.status == 403, (method, path, answer)
        assert "'bob/theirs'" in answer.body["error"]
    fired = await world.ask("bob", "POST", f"{ROOT}/bob/triggers/tr")
    assert fired.status == 202
    (line,) = world.api.activations.records[0].logs
    assert "not authorized" in line
    assert len(world.api.invoker.asked) == asked
    # It is Bob's own, so that he can get rid of it.
    assert (await world.ask("bob", "DELETE", f"{ROOT}/bob/packages/theirs")).status == 200


async def close(world: World, ending: str) -> None:
    if ending == "private":
        await world.put("ann", "packages/shared", {"publish": False})
    else:
        assert (await world.ask("ann", "DELETE", "packages/shared?force=true")).status == 200


async def test_a_web_action_is_anybodys_and_its_package_need_not_be_shared(world: World) -> None:
    await world.put("ann", "actions/open", web_code())
    await world.put("ann", "actions/keyed", web_code(require_whisk_auth=True))
    for who in (None, "gus", "bob", "team", "ann"):
        has_key = who not in (None, "gus")
        for path, status in (
            ("ann/default/open", 200),
            ("ann/closed/act", 200),
            ("ann/shared/act", 200),
            ("ann/default/keyed", 200 if has_key else 401),
        ):
            answer = await world.ask(who, "GET", f"/api/v1/web/{path}.json")
            assert answer.status == status, (who, path, answer)
        refused = [
            (await world.ask(who, "GET", f"/api/v1/web/{path}.json")).words
            for path in (
                "ann/default/act", f"ann/default/{NEVER}", f"ann/{NEVER}/act",
                f"ann/closed/{NEVER}", f"{NEVER}/default/act", "gus/default/act",
            )
        ]  # fmt: skip
        assert refused == [{"error": "The requested resource does not exist."}] * 6


async def test_who_is_blocked_is_nobody_until_opened_again(world: World) -> None:
    await world.put("ann", "actions/open", web_code())
    await world.block("ann", is_blocked=True)
    invalid = Answer(401, {"error": "The supplied authentication is invalid"})
    for who in ("ann", "team"):
        for method, path in (
            ("GET", "actions"), ("GET", f"{ROOT}/team/actions"), ("GET", ROOT),
            ("POST", "actions/act"), ("PUT", "packages/new"), ("DELETE", "rules/ru"),
        ):  # fmt: skip
            answer = await world.ask(who, method, path)
            assert (answer.status, answer.words) == invalid
    assert (await world.ask(None, "GET", "/api/v1/web/ann/default/open.json")).status == 404
    # What is shared is shared by its package, whoever made it.
    assert (await world.ask("bob", "GET", "actions/shared/act")).status == 200

    await world.block("ann", is_blocked=False)
    for who, path in (("ann", "actions/act"), ("team", f"{ROOT}/team/actions")):
        assert (await world.ask(who, "GET", path)).status == 200
    assert (await world.ask(None, "GET", "/api/v1/web/ann/default/open.json")).status == 200


async def test_each_key_of_a_subject_opens_its_own_namespace_alone(world: World) -> None:
    await world.put("team", "actions/act", CODE)
    for who, other in (("ann", "team"), ("team", "ann")):
        assert (await world.ask(who, "GET", ROOT)).body == [who]
        mine = await world.ask(who, "GET", f"{ROOT}/_/actions/act")
        assert (mine.status, mine.body["namespace"]) == (200, who)
        for method in ("GET", "POST", "DELETE"):
            answer = await world.ask(who, method, f"{ROOT}/{other}/actions/act")
            assert answer.status == 403
            assert f"'{other}/act'" in answer.body["error"]
