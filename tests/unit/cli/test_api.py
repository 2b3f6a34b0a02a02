"""`api`: what is sent, what is printed, and how it ends when it fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.rest import FakeApi
from tests.unit.cli.api_documents import ACTION, AT, SWAGGER, TO, VALUE, WHO
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("configured")


def listed(*values: dict[str, Any]) -> dict[str, Any]:
    return {"apis": [{"id": "Not Used", "key": "Not Used", "value": value} for value in values]}


def test_create_sends_what_was_typed(line: Run, api: FakeApi) -> None:
    api.answer("GET actions/hello", ACTION)
    api.answer(f"POST {AT}/createApi", VALUE)
    done = line("wsk api create /base /b get hello -n letters")
    assert (done.exit, done.stderr) == (0, "")
    assert done.stdout == "ok: created API /base/b GET for action /_/hello\nhttp://h/api/t/base/b\n"
    assert api.targets == [
        "GET actions/hello?code=false",
        f"POST {AT}/createApi.http?{WHO}&responsetype=json&spaceguid=uuid",
    ]
    assert api.asked[1].body == {
        "apidoc": {
            "namespace": "_",
            "apiName": "letters",
            "gatewayBasePath": "/base",
            "gatewayPath": "/b",
            "gatewayMethod": "GET",
            "id": "API:_:/base",
            "action": {
                "name": "hello",
                "namespace": "_",
                "backendMethod": "GET",
                "backendUrl": f"{api.url}/api/v1/web/_/default/hello.json",
                "authkey": "uuid:key",
            },
        }
    }


def test_a_path_with_parameters_and_a_secured_action(line: Run, api: FakeApi) -> None:
    secured = {"key": "require-whisk-auth", "value": "s3cret"}
    api.answer("GET actions/pk/hello", {"annotations": [*ACTION["annotations"], secured]})
    api.answer(f"POST {AT}/createApi", VALUE)
    done = line("wsk api create /x/{id}/{no} post pk/hello --response-type http")
    assert done.stdout.startswith("ok: created API /x/{id}/{no} POST for action /_/pk/hello\n")
    sent = api.asked[1].body["apidoc"]
    assert (sent["gatewayBasePath"], "apiName" in sent) == ("/", False)
    assert sent["action"]["secureKey"] == "s3cret"
    assert sent["action"]["backendUrl"].endswith("/web/_/pk/hello.http")
    assert sent["pathParameters"] == [
        {
            "name": name,
            "in": "path",
            "description": f"Default description for '{name}'",
            "required": True,
            "type": "string",
        }
        for name in ("id", "no")
    ]


def test_a_name_in_place_of_a_base_path(line: Run, api: FakeApi) -> None:
    api.answer("GET actions/hello", ACTION)
    api.answer(f"POST {AT}/createApi", VALUE)
    assert line("wsk api create letters /b get hello").exit == 0
    sent = api.asked[1].body["apidoc"]
    assert (sent["gatewayBasePath"], "id" in sent) == ("letters", False)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (
            "create",
            "Invalid argument(s). Specify a swagger file or specify an API base path with an API "
            "path, an API verb, and an action name.",
        ),
        (
            "create /a",
            "Invalid argument(s). Specify a swagger file or specify an API base path with an API "
            "path, an API verb, and an action name.",
        ),
        (
            "create /a /b get hello more",
            "Invalid argument(s): more. Specify a swagger file or specify an API base path with "
            "an API path, an API verb, and an action name.",
        ),
        (
            "create /a b get hello",
            "Unable to parse api command arguments: 'b' must begin with '/'.",
        ),
        (
            "create /a /b fetch hello",
            "Unable to parse api command arguments: 'fetch' is not a valid API verb.  "
            "Valid values are: [GET PUT POST DELETE PATCH HEAD OPTIONS]",
        ),
        (
            "create /a /{b} get hello",
            "Unable to parse api command arguments: A response type of 'http' is required when "
            "using path parameters.",
        ),
        (
            "create /{a} /b get hello",
            "Unable to parse api command arguments: The base path '/{a}' cannot have parameters. "
            "Only the relative path supports path parameters.",
        ),
        (
            "create a /b get hello -n other",
            "Unable to parse api command arguments: An API name can only be specified once.",
        ),
        ("get", "Invalid argument(s). An API base path or API name is required."),
        (
            "delete",
            "Invalid argument(s). An API base path or API name is required.  "
            "An optional API relative path and operation may also be provided.",
        ),
        ("delete /a b", "'b' must begin with '/'."),
        (
            "list /a /b get more",
            "Invalid argument(s): more. Optional parameters are: API base path (or API name), "
            "API relative path and operation.",
        ),
    ],
)
def test_a_line_that_is_wrong(line: Run, api: FakeApi, typed: str, text: str) -> None:
    refused = line(f"wsk api {typed}")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr == f"error: {text}\nRun 'wsk --help' for usage.\n"
    assert api.asked == []


def test_an_action_that_is_no_web_action(line: Run, api: FakeApi) -> None:
    api.answer("GET actions/hello", {"annotations": []})
    refused = line("wsk api create /a /b get hello")
    assert refused.exit == 1
    assert refused.stderr.startswith(
        "error: Action '/_/hello' is not a web action. Issue 'wsk action update \"/_/hello\" "
        "--web true' to convert the action to a web action.\n"
    )
    mended = line("brisk api create /a /b get hello")
    assert mended.stderr.endswith(
        "fix: brisk action update /_/hello --web true && brisk api create /a /b get hello\n"
    )


@pytest.mark.parametrize(
    ("typed", "asked", "text"),
    [
        ("create /a /b get hello", f"POST {AT}/createApi", "Unable to create API: refused"),
        ("get /a", f"GET {AT}/getApi", "Unable to get API '/a': refused"),
        ("list", f"GET {AT}/getApi", "Unable to obtain the API list: refused"),
        ("delete /a", f"DELETE {AT}/deleteApi", "Unable to delete API: refused"),
    ],
)
@pytest.mark.parametrize("status", [502, 413])
def test_an_answer_that_refuses_ends_with_one(
    line: Run, api: FakeApi, typed: str, asked: str, text: str, status: int
) -> None:
    api.answer("GET actions/hello", ACTION)
    told = {"error": "refused"} | ({} if status == 502 else {"code": "tid42"})
    api.answer(asked, told, status)
    refused = line(f"wsk api {typed}")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr == f"error: {text}{'' if status == 502 else ' (code tid42)'}\n"


def test_get_shows_the_document(line: Run, api: FakeApi) -> None:
    api.answer(f"GET {AT}/getApi", listed(VALUE))
    done = line("wsk api get /base")
    assert json.loads(done.stdout) == SWAGGER
    assert list(json.loads(done.stdout)) == [
        "swagger", "basePath", "info", "paths", "x-ibm-configuration",
    ]  # fmt: skip
    assert done.stdout.startswith('{\n    "swagger": "2.0",\n    "basePath": "/base",\n')
    assert api.targets[0] == f"GET {AT}/getApi.http?{WHO}&basepath=%2Fbase&spaceguid=uuid"
    whole = line("wsk api get /base -f").stdout
    assert json.loads(whole) == VALUE
    shown = line("wsk api get /base --format YAML").stdout
    assert shown.startswith("basePath: /base\ninfo:\n  title: letters\n")
    refused = line("wsk api get /base --format xml")
    assert (refused.exit, refused.stderr) == (1, "error: Invalid format type: xml\n")


def test_parameters_are_shown_where_there_are_any(line: Run, api: FakeApi) -> None:
    parameter = {"type": "string", "x": 1, "required": True, "name": "x", "in": "path"}
    full = json.loads(json.dumps(VALUE).replace('"responses"', '"parameters": [], "responses"'))
    full["apidoc"]["paths"]["/b"]["get"]["parameters"] = [parameter, 7]
    api.answer(f"GET {AT}/getApi", listed(full))
    paths = json.loads(line("wsk api get /base").stdout)["paths"]
    assert list(paths["/b"]["get"]["parameters"][0]) == ["name", "in", "required", "type", "x"]
    assert paths["/a"] == SWAGGER["paths"]["/a"]


def test_what_there_is_not(line: Run, api: FakeApi) -> None:
    api.answer(f"GET {AT}/getApi", {"apis": []})
    for name in ("/x", "x"):
        refused = line(f"wsk api get {name}")
        text = f"error: API does not exist for basepath {name}\n"
        assert (refused.exit, refused.stderr) == (1, text)


def test_an_action_that_cannot_be(line: Run, api: FakeApi) -> None:
    refused = line("wsk api create /a /b get /x/y/z/hello")
    assert (refused.exit, api.asked) == (149, [])
    assert refused.stderr.startswith(
        "error: Unable to parse api command arguments: '/x/y/z/hello' is not a valid action name: "
        "A valid qualified name must be specified.\n"
    )
    refused = line("wsk api create /a /b get hello")
    assert (refused.exit, refused.stderr.splitlines()) == (
        1,
        [
            "error: Unable to get action '/_/hello': The requested resource does not exist. "
            "(code tid42)",
            "Run 'wsk --help' for usage.",
        ],
    )


def test_list_is_a_table(line: Run, api: FakeApi) -> None:
    api.answer(f"GET {AT}/getApi", listed(VALUE))
    assert line("wsk api list").stdout.splitlines() == [
        "ok: APIs",
        "Action             Verb  API Name  URL",
        "/guest/hello        get   letters  http://h/api/t/base/b",
        "/guest/pk/hello    post   letters  http://h/api/t/base/a",
        "                    put   letters  http://h/api/t/base/a",
    ]
    assert api.targets == [f"GET {AT}/getApi.http?{WHO}&limit=30&skip=0&spaceguid=uuid"]
    rows = line("wsk api list -n -l 2 -s 1").stdout.splitlines()[2:]
    assert [row.split()[-1][-2:] for row in rows] == ["/a", "/a", "/b"]
    assert api.targets[-1].endswith("&limit=2&skip=1&spaceguid=uuid")


def test_a_list_may_be_of_one_path_and_verb(line: Run, api: FakeApi) -> None:
    api.answer(f"GET {AT}/getApi", listed(VALUE))
    assert line("wsk api list /base /a POST -f").stdout == (
        "ok: APIs\n"
        "Action: /guest/pk/hello\n"
        "   API Name: letters\n"
        "   Base path: /base\n"
        "   Path: /a\n"
        "   Verb: post\n"
        "   URL: http://h/api/t/base/a\n"
    )
    assert "&operation=POST&relpath=%2Fa&" in api.targets[0]


def test_long_names_are_cut_and_an_empty_list_has_its_header(line: Run, api: FakeApi) -> None:
    long = json.loads(json.dumps(VALUE).replace("letters", "l" * 50).replace("hello", "h" * 50))
    api.answer(f"GET {AT}/getApi", listed(long))
    api.answer(f"GET {AT}/getApi", {"apis": []})
    row = line("wsk api list").stdout.splitlines()[2]
    assert row == f"/guest/{'h' * 33} {'get':>7} {'l' * 30:>31}  http://h/api/t/base/b"
    assert line("wsk api list").stdout == (
        f"ok: APIs\n{'Action':<30} {'Verb':>7} {'API Name':>20}  URL\n"
    )


@pytest.mark.parametrize(
    ("typed", "query", "said"),
    [
        ("/base", "basepath=%2Fbase&spaceguid=uuid", "deleted API /base"),
        ("/base /p", "basepath=%2Fbase&relpath=%2Fp&spaceguid=uuid", "deleted /p from /base"),
        (
            "/base /p get",
            "basepath=%2Fbase&operation=GET&relpath=%2Fp&spaceguid=uuid",
            "deleted /p GET from /base",
        ),
    ],
)
def test_delete(line: Run, api: FakeApi, typed: str, query: str, said: str) -> None:
    api.answer(f"DELETE {AT}/deleteApi", {})
    done = line(f"wsk api delete {typed}")
    assert (done.exit, done.stdout) == (0, f"ok: {said}\n")
    assert api.targets == [f"DELETE {AT}/deleteApi.http?{WHO}&{query}"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"operationId": ""}, "Missing operationId field in API configuration for operation get"),
        (
            {"x-openwhisk": TO | {"action": ""}},
            "Missing x-openwhisk.action field in API configuration for operation get",
        ),
        (
            {"x-openwhisk": TO | {"url": None}},
            "Missing x-openwhisk.url field in API configuration for operation get",
        ),
    ],
)
def test_an_answer_that_lacks_something(
    line: Run, api: FakeApi, change: dict[str, Any], text: str
) -> None:
    operation = SWAGGER["paths"]["/b"]["get"] | change
    paths = {"/b": {"get": operation}}
    api.answer(f"GET {AT}/getApi", listed(VALUE | {"apidoc": SWAGGER | {"paths": paths}}))
    refused = line("wsk api list")
    assert (refused.exit, refused.stdout) == (1, "")
    assert text in refused.stderr


def test_an_answer_without_an_api(line: Run, api: FakeApi) -> None:
    api.answer(f"GET {AT}/getApi", {"apis": [{"id": "Not Used"}]})
    refused = line("wsk api list")
    assert refused.exit == 1
    assert "Internal error. The answer has no API" in refused.stderr


def test_the_tenant_and_the_token_are_those_of_the_property_file(
    line: Run, api: FakeApi, home: Path
) -> None:
    (home / "wskprops").write_text(
        f"APIHOST={api.url}\nAUTH=filed:key\nAPIGW_ACCESS_TOKEN=a token\n"
    )
    api.answer(f"GET {AT}/getApi", {"apis": []})
    line("wsk api list -u typed:key")
    assert api.targets[0].endswith("?accesstoken=a+token&limit=30&skip=0&spaceguid=filed")


def test_programs_read_the_same_as_json(line: Run, api: FakeApi) -> None:
    api.answer("GET actions/hello", ACTION)
    api.answer(f"POST {AT}/createApi", VALUE)
    api.answer(f"GET {AT}/getApi", listed(VALUE))
    api.answer(f"DELETE {AT}/deleteApi", {})
    assert json.loads(line("brisk api create /a /b get hello -o json").stdout) == VALUE
    rows = json.loads(line("brisk api list -o json").stdout)
    assert rows[0] == {
        "action": "/guest/hello",
        "verb": "get",
        "apiName": "letters",
        "basePath": "/base",
        "path": "/b",
        "url": "http://h/api/t/base/b",
    }
    assert json.loads(line("brisk api get /base -o json").stdout) == SWAGGER
    assert json.loads(line("brisk api delete /base --json").stdout) == {
        "name": "/base",
        "basepath": "/base",
    }
