"""`wsk api`: what is typed, what is printed, what is refused before anything is sent."""

import json
from typing import Final

from tests.conformance.chapters.apis import DOCUMENT, WEB
from tests.conformance.chapters.lines import HINT, needs
from tests.conformance.table import ECHO, Exactly, Row, ask, code, fails, holding, typed

URL: Final = "<url>/gw/api/<tenant>"

ROWS = (
    Row(
        "c6.3 c6.5 c6.2",
        "APIs are typed",
        [
            *WEB,
            typed("api list", f"ok: APIs\n{'Action':<30} {'Verb':>7} {'API Name':>20}  URL\n"),
            typed(
                "api create /a /b get act -n Letters",
                f"ok: created API /a/b GET for action /_/act\n{URL}/a/b\n",
            ),
            typed(
                "api create /a /c/{id} post act --response-type http",
                f"ok: created API /a/c/{{id}} POST for action /_/act\n{URL}/a/c/{{id}}\n",
            ),
            typed("api create /r put act", f"ok: created API /r PUT for action /_/act\n{URL}/r\n"),
            typed("api list Letters /b GET", holding("ok: APIs", "/<ns>/act", "get", f"{URL}/a/b")),
            typed(
                "api list /a /b -f",
                "ok: APIs\n"
                "Action: /<ns>/act\n"
                "   API Name: Letters\n"
                "   Base path: /a\n"
                "   Path: /b\n"
                "   Verb: get\n"
                f"   URL: {URL}/a/b\n",
            ),
            typed("api get /a", shows={"basePath": "/a", "info": {"title": "Letters"}}),
            typed("api get Letters -f", shows={"gwApiUrl": f"{URL}/a"}),
            fails("api get /none", 1, "error: API does not exist for basepath /none\n"),
            fails("api get /a --format xml", 1, "error: Invalid format type: xml\n"),
            typed("api delete /a /b get", "ok: deleted /b GET from /a\n"),
            typed("api delete /a /c/{id}", "ok: deleted /c/{id} from /a\n"),
            fails(
                "api delete /a",
                1,
                "error: Unable to delete API: API deletion failure: API '/a' does not exist.\n",
            ),
            typed("api delete /", "ok: deleted API /\n"),
        ],
    ),
    Row(
        "c6.3 c2.11",
        "lines about APIs that are wrong",
        [
            *WEB,
            ask("PUT actions/plain", code(ECHO)),
            needs(
                "api create /a",
                ". Specify a swagger file or specify an API base path with an API path, an API "
                "verb, and an action name.",
            ),
            needs("api get", ". An API base path or API name is required."),
            needs(
                "api delete",
                ". An API base path or API name is required.  An optional API relative path and "
                "operation may also be provided.",
            ),
            needs(
                "api list a b c d",
                ": d. Optional parameters are: API base path (or API name), API relative path and "
                "operation.",
            ),
            *(
                fails(
                    f"api create {line}",
                    1,
                    f"error: Unable to parse api command arguments: {text}\n{HINT}",
                )
                for line, text in (
                    ("/a b get act", "'b' must begin with '/'."),
                    (
                        "/a /{b} get act",
                        "A response type of 'http' is required when using path parameters.",
                    ),
                    (
                        "/{a} /b get act",
                        "The base path '/{a}' cannot have parameters. Only the relative path "
                        "supports path parameters.",
                    ),
                    ("a /b get act -n b", "An API name can only be specified once."),
                )
            ),
            fails(
                "api create /a /b fetch act",
                1,
                holding("'fetch' is not a valid API verb.  Valid values are: ["),
            ),
            fails(
                "api create /a /b get plain",
                1,
                "error: Action '/_/plain' is not a web action. Issue 'wsk action update "
                f'"/_/plain" --web true\' to convert the action to a web action.\n{HINT}',
            ),
            fails(
                "api create /a /b get none",
                1,
                holding("error: Unable to get action '/_/none': The requested resource does not"),
            ),
        ],
    ),
    Row(
        "c6.4 11.2",
        "a document is an API",
        [
            *WEB,
            typed(
                "api create -c api.json",
                f"ok: created API /doc/x get for action /<ns>/act\n{URL}/doc/x\n",
            ),
            typed("api get /doc", shows=DOCUMENT),
            typed("api create --config-file api.yaml", holding("ok: created API /doc/y put\n")),
            typed("api get Documented", shows={"paths": Exactly({"/y": {"put": {}}})}),
            fails(
                "api create -c part.json",
                1,
                "error: Unable to parse swagger file: Swagger file is invalid (missing basePath, "
                f"info, paths, or swagger fields)\n{HINT}",
            ),
            fails(
                "api create -c base.json",
                1,
                "error: Unable to parse swagger file: Swagger file basePath must start with a "
                f"leading slash (/)\n{HINT}",
            ),
            fails("api create -c none.json", 2, holding("Error reading swagger file 'none.json'")),
        ],
        files={
            "api.json": json.dumps(DOCUMENT),
            "api.yaml": "swagger: '2.0'\nbasePath: /doc\ninfo: {title: Documented}\n"
            "paths: {/y: {put: {responses: {}}}}\n",
            "part.json": '{"swagger": "2.0"}',
            "base.json": json.dumps(DOCUMENT | {"basePath": "doc"}),
        },
    ),
)
