"""Sequences and compositions as clients see them: records of the whole and of its parts.

What is recorded of OpenWhisk is played in `test_recorded.py`; here are the tables of its tests.
"""

import threading
from typing import Any

import pytest

from tests.fakes.api import Answered, Api
from tests.fakes.embedded import RunningPlatform
from tests.fakes.traces import wait_until

INC = "def main(args):\n    return {'n': args.get('n', 0) + 1}"
ECHO = "def main(args):\n    return args"
SLEEPS = "import time\ndef main(args):\n    time.sleep(args.get('s', 0))\n    return args"
LOOP = """
def main(args):
    i = args.get('i', 0)
    if i < args.get('max', 3):
        state = {'i': i + 1, 'max': args.get('max', 3), 'do': args.get('do', 'inc')}
        return {'action': state['do'], 'params': {'n': args.get('n', 0)}, 'state': state}
    return {'params': {'n': args.get('n'), 'error_seen': args.get('error')}}
"""
CONDUCTOR = [{"key": "conductor", "value": True}]


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    made = Api(platform.url, platform.auth)
    made.put_action("inc", INC)
    made.put_action("echo", ECHO)
    made.put_action("sleeps", SLEEPS)
    made.put_action("loop", LOOP, annotations=CONDUCTOR)
    return made


def put_sequence(api: Api, name: str, *components: str, **fields: Any) -> Answered:
    given = [each if each.startswith("/") else f"/_/{each}" for each in components]
    body = {"exec": {"kind": "sequence", "components": given}, **fields}
    return api.call("PUT", f"actions/{name}?overwrite=true", body)


def annotations(record: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in record["annotations"]}


def billed(api: Api, activation_id: str) -> dict[str, Any]:
    return dict(api.call("GET", f"/api/brisk/v1/namespaces/_/activations/{activation_id}").body)


def test_the_whole_and_its_parts_are_on_record(api: Api) -> None:
    api.put_action("large", INC, limits={"memory": 512})
    put_sequence(api, "three", "inc", "large", "inc", limits={"timeout": 1234})
    answer = api.invoke("three", {"n": 4, "error": "does not stop it"})

    assert answer.status == 200
    assert answer.body["response"]["result"] == {"n": 7}
    whole = api.record(answer.body["activationId"])
    assert whole == answer.body  # child ids included
    parts = [api.record(each) for each in whole["logs"]]
    assert [part["name"] for part in parts] == ["inc", "large", "inc"]
    assert whole["duration"] == sum(part["duration"] for part in parts)
    assert "cause" not in whole
    noted = annotations(whole)
    assert noted.pop("waitTime") >= 0
    assert noted == {
        "path": "guest/three",
        "kind": "sequence",
        "topmost": True,
        "limits": {"timeout": 1234, "memory": 512, "logs": 10, "concurrency": 1},
    }
    for part in parts:
        assert part["cause"] == whole["activationId"]
        assert annotations(part)["causedBy"] == "sequence"
        assert "topmost" not in annotations(part)
    assert billed(api, whole["activationId"])["billed_ms"] == 0
    assert all(billed(api, part["activationId"])["billed_ms"] > 0 for part in parts)
    listed = api.call("GET", "activations?name=three").body
    assert [each["activationId"] for each in listed] == [whole["activationId"]]
    assert listed[0]["duration"] == whole["end"] - whole["start"]


def test_an_inner_sequence_is_one_part_and_not_topmost(api: Api) -> None:
    put_sequence(api, "two", "inc", "inc")
    put_sequence(api, "outer", "two", "inc")
    whole = api.invoke("outer", {}).body
    assert whole["response"]["result"] == {"n": 3}
    inner, last = (api.record(each) for each in whole["logs"])
    assert (inner["name"], last["name"]) == ("two", "inc")
    assert inner["cause"] == last["cause"] == whole["activationId"]
    assert annotations(inner)["topmost"] is False
    assert annotations(inner)["causedBy"] == "sequence"
    assert [api.record(each)["cause"] for each in inner["logs"]] == [inner["activationId"]] * 2


def test_a_failure_in_the_middle_is_the_end_with_its_own_words(api: Api) -> None:
    api.put_action("crash", "import os\ndef main(args):\n    os._exit(1)")
    api.put_action("fails", "def main(args):\n    return {'error': args['n']}")
    for name, status, error in (
        ("crash", "action developer error", "The action did not produce a valid response and "
         "exited unexpectedly."),
        ("fails", "application error", 1),
    ):  # fmt: skip
        put_sequence(api, "broken", "inc", name, "inc")
        answer = api.invoke("broken", {})
        assert answer.status == 502
        response = answer.body["response"]
        assert (response["status"], response["result"]) == (status, {"error": error})
        assert len(answer.body["logs"]) == 2


def test_a_sequence_that_grows_is_cut_where_it_becomes_too_long(api: Api) -> None:
    put_sequence(api, "x", "echo")
    put_sequence(api, "s", "echo", "x", "echo")
    put_sequence(api, "x", *["echo"] * 50)
    answer = api.invoke("s", {"a": 1})
    assert answer.status == 502
    assert answer.body["response"]["status"] == "application error"
    assert answer.body["response"]["result"] == {"error": "Too many actions in the sequence."}
    assert len(answer.body["logs"]) == 2
    assert len(api.record(answer.body["logs"][1])["logs"]) == 49


def test_an_array_passes_from_part_to_part_and_is_answered_bare(api: Api) -> None:
    api.put_action("split", "def main(args):\n    return [1, 2, 3]")
    api.put_action("more", "def main(args):\n    return args + [4]")
    put_sequence(api, "arrays", "split", "more")
    answer = api.invoke("arrays", {})
    assert (answer.status, answer.body) == (200, [1, 2, 3, 4])


def test_a_wait_that_ends_leaves_the_sequence_running(api: Api) -> None:
    put_sequence(api, "slow", "sleeps", "inc")
    answer = api.call("POST", "actions/slow?blocking=true&timeout=100", {"s": 0.6, "n": 1})
    assert answer.status == 202
    record = api.record(answer.body["activationId"])
    assert record["response"]["result"] == {"n": 2}
    assert len(record["logs"]) == 2


def test_a_part_that_is_changed_or_deleted_meanwhile(api: Api) -> None:
    api.put_action("changes", INC)
    put_sequence(api, "meanwhile", "sleeps", "changes")
    begun = api.call("POST", "actions/meanwhile", {"s": 0.7, "n": 1})
    wait_until(lambda: api.metric("brisk_controller_compositions") == 1, "it does not begin")
    api.put_action("changes", ECHO)
    assert api.record(begun.body["activationId"])["response"]["status"] == "success"
    api.call("DELETE", "actions/changes")
    answer = api.invoke("meanwhile", {})
    assert answer.body["response"]["result"] == {"error": "Sequence component does not exist."}
    assert len(answer.body["logs"]) == 1
    assert api.metric("brisk_controller_compositions") == 0


def test_parameters_of_parts_lie_under_what_they_are_given(api: Api) -> None:
    bound = [{"key": "b", "value": 1}, {"key": "n", "value": 7}]
    api.put_action("bound", ECHO, parameters=bound)
    put_sequence(api, "parameters", "bound", "bound")
    assert api.invoke("parameters", {"n": 2}).body["response"]["result"] == {"b": 1, "n": 2}


def test_a_composition_and_its_parts_are_on_record(api: Api) -> None:
    answer = api.invoke("loop", {"max": 2, "n": 5})
    whole = answer.body
    assert whole["response"]["result"] == {"n": 7, "error_seen": None}
    parts = [api.record(each) for each in whole["logs"]]
    assert [part["name"] for part in parts] == ["loop", "inc", "loop", "inc", "loop"]
    assert {part["cause"] for part in parts} == {whole["activationId"]}
    assert whole["duration"] == sum(part["duration"] for part in parts)
    noted = annotations(whole)
    assert (noted["kind"], noted["conductor"], noted["topmost"]) == ("sequence", True, True)
    assert "conductor" not in annotations(parts[0])
    assert annotations(parts[0])["kind"].startswith("python:")


def test_a_composition_that_calls_nothing_has_one_part(api: Api) -> None:
    assert len(api.invoke("loop", {"max": 0}).body["logs"]) == 1


def test_a_composition_that_never_ends_is_ended(api: Api) -> None:
    answer = api.invoke("loop", {"max": 1000})
    assert answer.status == 502
    assert answer.body["response"]["result"] == {"error": "Too many actions in the composition."}
    names = [api.record(each)["name"] for each in answer.body["logs"]]
    assert (names.count("loop"), names.count("inc")) == (101, 50)


def test_compositions_sequences_and_actions_are_nested(api: Api) -> None:
    put_sequence(api, "pair", "inc", "inc")
    api.put_action("outside", LOOP, annotations=CONDUCTOR)
    inside = api.invoke("outside", {"max": 1, "do": "loop"}).body
    assert [api.record(each)["name"] for each in inside["logs"]] == ["outside", "loop", "outside"]
    nested = api.record(inside["logs"][1])
    assert nested["cause"] == inside["activationId"]
    assert annotations(nested)["topmost"] is False
    assert annotations(nested)["conductor"] is True
    assert len(nested["logs"]) == 7
    assert inside["response"]["result"]["n"] == 3

    with_sequence = api.invoke("outside", {"max": 2, "do": "pair"}).body
    assert with_sequence["response"]["result"]["n"] == 4
    assert len(with_sequence["logs"]) == 5


def test_what_a_conductor_may_not_call_it_is_told(api: Api) -> None:
    for name, words in (
        ("nosuch", "Failed to resolve action with name 'guest/nosuch' during composition."),
        ("/other/x", "Failed entitlement check for action with name 'other/x' during composition."),
        ("a/b/c/d", 'Failed to parse action name from json value "a/b/c/d" during composition.'),
    ):
        answer = api.invoke("loop", {"max": 1, "do": name})
        assert answer.body["response"]["result"]["error_seen"] == words
        assert len(answer.body["logs"]) == 2


def test_a_namespace_is_charged_once_for_the_whole(platform: RunningPlatform, api: Api) -> None:
    put_sequence(api, "many", *["echo"] * 10)
    results: list[int] = []
    callers = [
        threading.Thread(target=lambda: results.append(api.invoke("many", {"a": 1}).status))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert results == [200] * 4


def test_packages_and_bindings_give_their_parameters_and_leave_their_name(api: Api) -> None:
    given = [{"key": "p", "value": "package"}, {"key": "n", "value": 5}]
    assert api.call("PUT", "packages/pk?overwrite=true", {"parameters": given}).status == 200
    bound = {
        "binding": {"namespace": "guest", "name": "pk"},
        "parameters": [{"key": "b", "value": "binding"}],
    }
    assert api.call("PUT", "packages/bd?overwrite=true", bound).status == 200
    api.put_action("pk/echo", ECHO)
    api.put_action("pk/loop", LOOP, annotations=CONDUCTOR)
    assert put_sequence(api, "pk/s", "echo", "bd/echo").status == 200

    whole = api.invoke("bd/s", {"x": 1}).body
    assert whole["response"]["result"] == {"x": 1, "p": "package", "n": 5, "b": "binding"}
    noted = annotations(whole)
    assert (noted["path"], noted["binding"]) == ("guest/pk/s", "guest/bd")
    first, second = (annotations(api.record(each)) for each in whole["logs"])
    assert "binding" not in first
    assert (second["path"], second["binding"]) == ("guest/pk/echo", "guest/bd")

    for query in ("?blocking=true", ""):  # whoever waits, it is carried out the same way
        begun = api.call("POST", f"actions/bd/loop{query}", {"max": 1})
        composed = api.record(begun.body["activationId"])
        assert composed["response"]["result"]["n"] == 6
        assert annotations(composed)["binding"] == "guest/bd"

    circle = put_sequence(api, "pk/s", "echo", "bd/s")
    assert (circle.status, circle.body["error"]) == (400, "Sequence may not refer to itself.")
    assert put_sequence(api, "t", "nopackage/x").status == 404
