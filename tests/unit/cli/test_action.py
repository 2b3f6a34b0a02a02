import base64
from pathlib import Path
from typing import Any

import pytest

from cli.jsontext import decode
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

STORED = {
    "namespace": "guest",
    "name": "hello",
    "version": "0.0.1",
    "exec": {"kind": "python:3.11", "binary": False, "code": "def main(a): return a\n"},
    "annotations": [{"key": "exec", "value": "python:3.11"}],
    "parameters": [],
    "limits": {"timeout": 60000, "memory": 256, "logs": 10, "concurrency": 1, "instances": 2},
    "publish": False,
    "updated": 7,
}
HINT = "Run 'wsk --help' for usage.\n"


@pytest.fixture(autouse=True)
def files(configured: Path, api: FakeApi) -> Path:
    (configured / "hello.py").write_text("def main(args):\n    return args\n")
    (configured / "code.zip").write_bytes(b"PK\xff")
    (configured / "program").write_bytes(b"\x7fELF\xff")
    (configured / "noext").write_text("?")
    api.answer("PUT actions/", STORED)
    return configured


def sent(api: FakeApi) -> dict[str, Any]:
    body = next(one.body for one in api.asked if one.method == "PUT")
    assert isinstance(body, dict)
    return body


def test_create_sends_only_what_was_typed(line: Run, api: FakeApi) -> None:
    done = line("wsk action create hello hello.py")

    assert (done.exit, done.stdout, done.stderr) == (0, "ok: created action hello\n", "")
    assert api.targets == ["PUT actions/hello?overwrite=false"]
    assert sent(api) == {
        "namespace": "_",
        "name": "hello",
        "exec": {"kind": "python:default", "code": "def main(args):\n    return args\n"},
    }
    headers = api.asked[0].headers
    assert headers["authorization"] == "Basic " + base64.b64encode(b"uuid:key").decode()
    assert headers["content-type"] == "application/json"
    assert "CLI/1.0" in headers["user-agent"]


def test_everything_that_can_be_typed_is_sent(line: Run, api: FakeApi) -> None:
    line(
        "wsk action create -a k v pk/hello -p n 1 hello.py --kind python:3 --main other "
        "-t 1000 --memory=128 -l 1 -c 2 --web raw --web-secure abc"
    )
    assert api.targets == ["PUT actions/pk/hello?overwrite=false"]
    body = sent(api)
    assert body["name"] == "pk/hello"
    assert body["exec"]["kind"] == "python:3"
    assert body["exec"]["main"] == "other"
    assert body["limits"] == {"timeout": 1000, "memory": 128, "logs": 1, "concurrency": 2}
    assert body["parameters"] == [{"key": "n", "value": 1}]
    assert {one["key"]: one["value"] for one in body["annotations"]} == {
        "k": "v",
        "web-export": True,
        "raw-http": True,
        "final": True,
        "require-whisk-auth": "abc",
    }


@pytest.mark.parametrize(
    ("typed", "execution"),
    [
        ("code.zip --kind nodejs:20", {"kind": "nodejs:20", "code": "UEv/"}),
        ("code.zip --native", {"kind": "blackbox", "image": "openwhisk/dockerskeleton"}),
        ("program --native", {"kind": "blackbox", "code": "f0VMRv8="}),
        ("--docker img", {"kind": "blackbox", "image": "img"}),
        ("hello.py --docker img", {"kind": "blackbox", "image": "img"}),
        ("--sequence a,pk/b,/ns/c", {"components": ["/_/a", "/_/pk/b", "/ns/c"]}),
        ("noext --kind x:1", {"kind": "x:1", "code": "?"}),
    ],
)
def test_artifacts(line: Run, api: FakeApi, typed: str, execution: dict[str, Any]) -> None:
    assert line(f"wsk action create x {typed}").exit == 0
    assert sent(api)["exec"].items() >= execution.items()


@pytest.mark.parametrize(
    ("typed", "code", "text"),
    [
        ("", 2, "An action name and code artifact are required."),
        ("no.py", 2, "File 'no.py' is not a valid file or it does not exist"),
        ("noext", 2, "'' is not a supported action runtime"),
        ("code.zip", 2, "creating an action from a .zip artifact requires specifying the action"),
        ("hello.py --kind a --docker b", 149, "Cannot specify both --kind and --docker at the"),
        ("hello.py --web maybe", 2, "Invalid argument 'maybe' for --web flag. Valid input consist"),
        ("hello.py --web-secure s", 2, "The --web-secure option is only valid when the --web"),
        ('hello.py -p a {"b', 1, "Invalid parameter argument '{b'"),
        ("nosuch --copy", 148, "Unable to get action 'nosuch': The requested resource does not"),
    ],
)
def test_what_cannot_be_made_an_action(
    line: Run, api: FakeApi, typed: str, code: int, text: str
) -> None:
    if typed.count('"') % 2:
        typed = typed.replace('{"b', "'{\"b'")
        text = text.replace("{b", '{"b')
    refused = line(f"wsk action create x {typed}")
    assert (refused.exit, refused.stdout) == (code, "")
    assert refused.stderr.startswith(f"error: Invalid argument(s). {text}")
    assert refused.stderr.endswith(HINT)
    assert not [one for one in api.asked if one.method == "PUT"]


def test_an_update_looks_first_and_says_create_when_it_fails(line: Run, api: FakeApi) -> None:
    api.answer("GET actions/hello?code=false", STORED)
    done = line("wsk action update hello -p n 1")
    assert (done.exit, done.stdout) == (0, "ok: updated action hello\n")
    assert api.targets == ["GET actions/hello?code=false", "PUT actions/hello?overwrite=true"]
    assert sent(api) == {
        "namespace": "_",
        "name": "hello",
        "parameters": [{"key": "n", "value": 1}],
    }
    api.refuse("PUT actions/other", 400, "bad")
    refused = line("wsk action update other hello.py")
    assert refused.exit == 144
    assert refused.stderr == f"error: Unable to create action 'other': bad (code tid42)\n{HINT}"


@pytest.mark.parametrize("typed", ["--kind python:3.12", "--main other"])
def test_another_kind_or_function_takes_the_code_along(line: Run, api: FakeApi, typed: str) -> None:
    api.answer("GET actions/hello", STORED)
    assert line(f"wsk action update hello {typed}").exit == 0
    assert api.targets == [
        "GET actions/hello?code=false",
        "GET actions/hello?code=true",
        "PUT actions/hello?overwrite=true",
    ]
    flag, value = typed.split()
    assert sent(api)["exec"] == {**STORED["exec"], flag.removeprefix("--"): value}  # type: ignore[dict-item]


def test_an_update_stops_when_it_cannot_look(line: Run, api: FakeApi) -> None:
    api.refuse("GET actions/hello", 401, "The supplied authentication is invalid")
    assert line("wsk action update hello hello.py").exit == 145
    assert len(api.asked) == 1


def test_deleting_annotations(line: Run, api: FakeApi) -> None:
    line("wsk action update hello --del-annotation k1 --del-annotation k2")
    assert sent(api) == {"namespace": "_", "name": "hello", "delAnnotations": ["k1", "k2"]}


def test_a_copy_takes_everything_and_what_is_typed_wins(line: Run, api: FakeApi) -> None:
    source = STORED | {"parameters": [{"key": "a", "value": 1}, {"key": "b", "value": 2}]}
    api.answer("GET actions/src?code=true", source)
    line("wsk action create copy src --copy -p b 3 -m 128")
    body = sent(api)
    assert body["exec"] == STORED["exec"]
    assert body["parameters"] == [{"key": "a", "value": 1}, {"key": "b", "value": 3}]
    assert body["limits"]["memory"] == 128
    assert body["limits"]["timeout"] == 60000


def test_names_with_spaces_and_other_namespaces(line: Run, api: FakeApi) -> None:
    api.answer("GET /api/v1/namespaces/ns/actions/pk/a", STORED)
    assert line("wsk action create 'my action' hello.py").stdout == "ok: created action my action\n"
    assert line("wsk action get /ns/pk/a?b").exit == 0
    assert api.targets == [
        "PUT actions/my%20action?overwrite=false",
        "GET /api/v1/namespaces/ns/actions/pk/a%3Fb?code=false",
    ]


@pytest.mark.parametrize("name", ["/", "//x", "a//b", "/a/b/c/d", "''"])
def test_names_that_are_none(line: Run, name: str) -> None:
    refused = line(f"wsk action get {name}")
    assert refused.exit == 1
    assert "is not a valid qualified name: A valid qualified name must be" in refused.stderr


def test_get_prints_known_keys_in_their_order_and_keeps_the_others(line: Run, api: FakeApi) -> None:
    api.answer("GET actions/hello", STORED)
    shown = line("wsk action get hello")
    head, _, text = shown.stdout.partition("\n")
    assert head == "ok: got action hello"
    assert list(decode(text)) == [
        *("namespace", "name", "version", "exec", "annotations", "limits", "publish", "updated"),
    ]
    assert '    "exec": {\n        "kind": "python:3.11",\n' in text
    assert decode(text)["limits"]["instances"] == 2


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("publish", "false"),
        ("PARAMETERS", "[]"),
        ("version", '"0.0.1"'),
        ("delAnnotations", "null"),
    ],
)
def test_one_field(line: Run, api: FakeApi, field: str, shown: str) -> None:
    api.answer("GET actions/hello", STORED)
    printed = line(f"wsk action get hello {field}").stdout.splitlines()
    assert printed[0] == f"ok: got action hello, displaying field {field}"
    assert printed[1:] == [shown]


def test_a_field_that_is_none_is_misuse(line: Run, api: FakeApi) -> None:
    refused = line("wsk action get hello nosuchfield")
    assert (refused.exit, refused.stderr) == (
        2,
        f"error: Invalid field filter 'nosuchfield'.\n{HINT}",
    )
    assert api.asked == []


@pytest.mark.parametrize(
    ("name", "namespace", "annotations", "path"),
    [
        ("a b", "guest", [], "namespaces/guest/actions/a%20b"),
        ("pk/a", "guest/pk", [], "namespaces/guest/actions/pk/a"),
        ("a", "guest", [{"key": "web-export", "value": True}], "web/guest/default/a"),
        ("pk/a", "guest/pk", [{"key": "web-export", "value": True}], "web/guest/pk/a"),
    ],
)
def test_the_url_of_an_action(
    line: Run, api: FakeApi, name: str, namespace: str, annotations: list[Any], path: str
) -> None:
    api.answer("GET actions/", STORED | {"namespace": namespace, "annotations": annotations})
    shown = line(f"wsk action get '{name}' --url")
    bare = name.rpartition("/")[2]
    assert shown.stdout == f"ok: got action {bare}\n{api.url}/api/v1/{path}\n"


def test_a_summary(line: Run, api: FakeApi) -> None:
    described = [
        {"key": "description", "value": "greets"},
        {"key": "parameters", "value": [{"name": "name", "required": True}]},
        {"key": "final", "value": True},
    ]
    api.answer("GET actions/one", STORED)
    api.answer(
        "GET actions/two",
        STORED | {"annotations": described, "parameters": [{"key": "bound", "value": 1}]},
    )
    api.answer("GET actions/three", STORED | {"annotations": described[1:2]})
    assert line("wsk action get one -s").stdout == (
        "action /guest/hello\n   (parameters: none defined)\n"
    )
    assert line("wsk action get two -s").stdout == (
        "action /guest/hello: greets\n   (parameters: **bound, name)\n"
    )
    assert line("wsk action get three -s").stdout == (
        "action /guest/hello: Returns a result based on parameter name\n   (parameters: name)\n"
    )


def test_code_is_saved(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer("GET actions/hello?code=true", STORED)
    binary = {"exec": {"kind": "nodejs:20", "binary": True, "code": "UEv/"}, "name": "zipped"}
    api.answer("GET actions/zipped?code=true", STORED | binary)
    assert line("wsk action get hello --save-as out.py").stdout == (
        f"ok: saved action code to {configured}/out.py\n"
    )
    assert (configured / "out.py").read_text() == "def main(a): return a\n"
    assert line("wsk action get zipped --save").exit == 0
    assert (configured / "zipped.zip").read_bytes() == b"PK\xff"
    again = line("wsk action get hello --save-as out.py")
    assert (again.exit, again.stderr) == (2, f"error: The file 'out.py' already exists\n{HINT}")
    assert line("wsk action get hello --save-as no/out.py").stderr.startswith(
        "error: Cannot create file 'no/out.py': "
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [("blackbox", "Cannot save Docker images"), ("sequence", "Cannot save action sequences")],
)
def test_what_has_no_code_to_save(line: Run, api: FakeApi, kind: str, text: str) -> None:
    api.answer("GET actions/x?code=true", STORED | {"exec": {"kind": kind}})
    refused = line("wsk action get x --save")
    assert (refused.exit, refused.stderr) == (2, f"error: {text}\n{HINT}")


def test_code_that_runs_in_an_image_is_saved(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer("GET actions/x", STORED | {"exec": {"kind": "blackbox", "code": "x = 1"}})
    assert line("wsk action get x --save-as x.py").exit == 0
    assert (configured / "x.py").read_text() == "x = 1"


def test_lists(line: Run, api: FakeApi) -> None:
    rows = [
        STORED | {"name": "b", "namespace": "guest/pk"},
        STORED | {"name": "Z"},
        STORED | {"name": "a", "annotations": []},
    ]
    api.answer("GET actions", rows)
    api.answer("GET /api/v1/namespaces/ns/actions", [])
    assert line("wsk action list").stdout.splitlines() == [
        "actions",
        f"{'/guest/pk/b':<70} private python:3.11",
        f"{'/guest/Z':<70} private python:3.11",
        f"{'/guest/a':<70} private",
    ]
    ordered = line("wsk action list pk -n -l 2 --skip 1").stdout.splitlines()[1:]
    assert [row.split()[0] for row in ordered] == ["/guest/a", "/guest/Z", "/guest/pk/b"]
    assert line("wsk action list /ns").stdout == "actions\n"
    assert line("wsk action list /ns/pk").exit == 0
    assert api.targets == [
        "GET actions?limit=30&skip=0",
        "GET actions/pk/?limit=2&skip=1",
        "GET /api/v1/namespaces/ns/actions?limit=30&skip=0",
        "GET /api/v1/namespaces/ns/actions/pk/?limit=30&skip=0",
    ]
    assert decode(line("brisk action list --json").stdout)[1]["name"] == "Z"
    assert line("wsk action list --json").stderr == "unknown flag: --json\n"


def test_delete(line: Run, api: FakeApi) -> None:
    api.answer("DELETE actions/hello", STORED)
    assert line("wsk action delete hello").stdout == "ok: deleted action hello\n"
    refused = line("wsk action delete gone")
    assert refused.exit == 148
    assert refused.stderr == (
        "error: Unable to delete action 'gone': The requested resource does not exist. "
        f"(code tid42)\n{HINT}"
    )


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("create", "Invalid argument(s). An action name and code artifact are required."),
        ("create a b c d", "Invalid argument(s): c, d. An action name and code artifact are"),
        ("update", "Invalid argument(s). An action name is required. A code artifact is optional."),
        ("get", "Invalid argument(s). An action name is required."),
        ("invoke hello extra", "Invalid argument(s): extra. An action name is required."),
        ("delete", "Invalid argument(s). An action name is required."),
        ("list a b", "Invalid argument(s): b. An optional namespace is the only valid argument."),
    ],
)
def test_words_are_counted(line: Run, api: FakeApi, typed: str, text: str) -> None:
    refused = line(f"wsk action {typed}")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"error: {text}")
    assert refused.stderr.endswith(HINT)
    assert api.asked == []
