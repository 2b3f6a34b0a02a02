"""Errors: their one form, the texts of the HTTP layer, and what is open to everybody."""

import re

from tests.conformance.table import (
    ABSENT,
    CODE,
    Exactly,
    Row,
    ask,
    fails,
    holding,
    refused,
    typed,
)

NOT_FOUND = "The requested resource could not be found."
NO_RESOURCE = "The requested resource does not exist."
NO_CREDENTIALS = "The resource requires authentication, which was not supplied with the request"
BAD_CREDENTIALS = "The supplied authentication is invalid"
REALM = {"www-authenticate": 'Basic realm="OpenWhisk secure realm",charset=UTF-8'}
CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "Authorization, Origin, X-Requested-With, Content-Type, "
    "Accept, User-Agent",
    "access-control-allow-methods": "GET, DELETE, POST, PUT, HEAD",
}
NO_CORS = dict.fromkeys(CORS)
MALFORMED = "The request content was malformed:\n"

ROWS = (
    Row(
        "0.1 0.3 1.4 c2.8 c2.10",
        "an error has two fields, and its code is the id of the request",
        [
            refused(
                "GET actions/a", 404, NO_RESOURCE, has=CORS | {"content-type": "application/json"}
            ),
            refused(
                "GET actions/a",
                404,
                NO_RESOURCE,
                headers={"X-Request-ID": "my-own.id_1"},
                has={"x-request-id": "my-own.id_1"},
            ),
            refused(
                "GET actions/a",
                404,
                NO_RESOURCE,
                headers={"X-Request-ID": "sid_mine"},
                has={"x-request-id": lambda id_: not id_.startswith("sid_")},
            ),
            fails(
                "action get a",
                148,
                "error: Unable to get action 'a': "
                f"{NO_RESOURCE} (code <transid>)\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "trigger get a",
                148,
                f"error: Unable to get trigger 'a': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                "trigger delete a",
                148,
                f"error: Unable to get trigger 'a': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                "trigger fire a",
                148,
                f"error: Unable to fire trigger 'a': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                "rule get a",
                148,
                f"error: Unable to get rule 'a': {NO_RESOURCE} "
                "(code <transid>)\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "rule delete a",
                148,
                f"error: Unable to delete rule 'a': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                "package delete a",
                148,
                f"error: Unable to delete package 'a': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                "action invoke a",
                148,
                f"error: Unable to invoke action 'a': {NO_RESOURCE} "
                "(code <transid>)\nRun 'wsk --help' for usage.\n",
            ),
        ],
    ),
    Row(
        "0.2 0.5 1.3 t1",
        "what nobody has is 404 with credentials and 401 without",
        [
            refused("GET /api/v1/nothing", 404, NOT_FOUND, has=NO_CORS),
            refused("GET /api/v1/nothing", 401, NO_CREDENTIALS, auth=None, has=NO_CORS | REALM),
            refused("GET nothings", 404, NOT_FOUND, has=NO_CORS),
            refused("PUT actions/", 404, NOT_FOUND, CODE),
            refused("POST actions", 404, NOT_FOUND, {}),
            refused("DELETE actions", 404, NOT_FOUND),
            refused("PUT actions", 404, NOT_FOUND, CODE),
            refused("POST packages/p", 404, NOT_FOUND, {}),
            refused("PUT activations/" + "0" * 32, 404, NOT_FOUND, {}),
            refused("POST activations/" + "0" * 32, 404, NOT_FOUND, {}),
            refused("DELETE activations/" + "0" * 32, 404, NOT_FOUND),
            refused("POST limits", 404, NOT_FOUND, {}),
            refused("PUT limits", 404, NOT_FOUND, {}),
            refused("DELETE limits", 404, NOT_FOUND),
            refused("PATCH actions/a", 404, NOT_FOUND, {}),
            ask("HEAD actions/a", status=404),
            refused("GET /api/v1/namespaces/<ns>", 404, NOT_FOUND),
            refused("PUT /api/v1/namespaces/<ns>", 404, NOT_FOUND, {}),
            refused("DELETE /api/v1/namespaces/<ns>", 404, NOT_FOUND),
            refused("POST /api/v1/namespaces", 404, NOT_FOUND, {}),
            ask("GET /api", status=405, has={"allow": "OPTIONS"}),
            ask("GET /nothing", status=405, has={"allow": "OPTIONS"}),
        ],
    ),
    Row(
        "0.2 1.3 c1.1 c2.9",
        "a key that opens nothing is 401",
        [
            refused("GET actions", 401, NO_CREDENTIALS, auth=None, has=REALM | NO_CORS),
            refused("GET actions", 401, NO_CREDENTIALS, auth="Bearer abc", has=REALM),
            refused("GET actions", 401, NO_CREDENTIALS, auth="Basic ***", has=REALM),
            refused("GET actions", 401, BAD_CREDENTIALS, auth="Basic bm9jb2xvbg==", has=REALM),
            refused("GET actions", 401, BAD_CREDENTIALS, auth="Basic YTpi", has=REALM),
            refused("PUT actions/a", 401, BAD_CREDENTIALS, CODE, auth="Basic YTpi"),
            refused("POST actions/a", 401, NO_CREDENTIALS, {}, auth=None),
            fails(
                "action list -u some:key",
                145,
                "error: Unable to obtain the list of actions for "
                f"namespace 'default': {BAD_CREDENTIALS} (code <transid>)\n"
                "Run 'wsk --help' for usage.\n",
            ),
            fails(
                "trigger fire t -u some:key",
                145,
                f"error: Unable to fire trigger 't': {BAD_CREDENTIALS} (code <transid>)\n",
            ),
        ],
    ),
    Row(
        "0.2 1.4",
        "a query value that is none is told with its name",
        [
            refused(
                "PUT actions/a?overwrite=maybe",
                400,
                "The query parameter 'overwrite' was "
                "malformed:\n'maybe' is not a valid Boolean value",
                CODE,
            ),
            ask("PUT actions/a?overwrite=", CODE),
            *(
                ask(f"PUT actions/a?overwrite={yes}", {})
                for yes in ("true", "yes", "on", "1", "TRUE")
            ),
            *(
                refused(f"PUT actions/a?overwrite={no}", 409, "resource already exists", {})
                for no in ("false", "no", "off", "0", "False")
            ),
            ask("GET actions/a?code=no", shows={"exec": {"code": ABSENT}}),
            ask("GET actions/a?"),
            refused(
                "GET actions/a?code=2",
                400,
                "The query parameter 'code' was malformed:\n'2' is not a valid Boolean value",
            ),
            refused(
                "POST actions/a?blocking=x",
                400,
                "The query parameter 'blocking' was malformed:\n'x' is not a valid Boolean value",
                {},
            ),
        ],
    ),
    Row(
        "0.2 0.4 1.4",
        "a body that is missing, of another type, or no JSON",
        [
            refused(
                "PUT actions/a",
                400,
                "Request entity expected but not supplied",
                headers={"Content-Length": "0"},
            ),
            refused("PUT actions/a", 400, lambda text: text.startswith(MALFORMED), b""),
            refused("PUT actions/a", 400, lambda text: text.startswith(MALFORMED), b"{"),
            refused(
                "PUT actions/a",
                415,
                "The request's Content-Type [text/plain; charset=UTF-8] "
                "is not supported. Expected:\napplication/json",
                b"{}",
                headers={"Content-Type": "text/plain; charset=UTF-8"},
            ),
            refused(
                "PUT triggers/t",
                415,
                holding("text/plain", "is not supported"),
                b"",
                headers={"Content-Type": "text/plain"},
            ),
            ask("PUT actions/a", CODE, headers={"Content-Type": "application/json; charset=utf-8"}),
            refused(
                "POST actions/a",
                415,
                holding("is not supported"),
                b"a=b",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            ),
            refused("POST actions/a", 400, f"{MALFORMED}JSON object expected", b"[1]"),
            refused("POST actions/a", 400, f"{MALFORMED}JSON object expected", b"3"),
            refused("PUT actions/a", 400, lambda text: text.startswith(MALFORMED), b"[1]"),
            refused("PUT rules/r", 400, lambda text: text.startswith(MALFORMED), b'"x"'),
        ],
    ),
    Row(
        "0.2 1.4",
        "an answer that the client does not take is 406",
        [
            refused(
                "GET actions",
                406,
                "Resource representation is only available with these types:\napplication/json",
                headers={"Accept": "text/html"},
            ),
            ask("GET actions", headers={"Accept": "text/html, application/json;q=0.1"}, shows=[]),
            ask("GET actions", headers={"Accept": "*/*"}, shows=[]),
        ],
    ),
    Row(
        "1.1 1.2 c13",
        "documents about the installation need no key",
        [
            ask(
                "GET /",
                auth=None,
                has={"content-type": "application/json"},
                shows={
                    "description": "OpenWhisk",
                    "api_paths": ["/api/v1"],
                    "limits": {
                        "actions_per_minute": "<n>",
                        "triggers_per_minute": "<n>",
                        "concurrent_actions": "<n>",
                        "sequence_length": 50,
                        "default_min_action_duration": 100,
                        "default_max_action_duration": 300_000,
                        "default_min_action_memory": 128 << 20,
                        "default_max_action_memory": 512 << 20,
                        "default_min_action_logs": 0,
                        "default_max_action_logs": 10 << 20,
                        "min_action_duration": 100,
                        "max_action_duration": 300_000,
                        "min_action_memory": 128 << 20,
                        "max_action_memory": 512 << 20,
                        "min_action_logs": 0,
                        "max_action_logs": 10 << 20,
                    },
                    "runtimes": {
                        "python": lambda kinds: all(
                            kind.keys()
                            == {"kind", "image", "deprecated", "default", "attached", "requireMain"}
                            for kind in kinds
                        )
                    },
                },
            ),
            ask("GET /ping", auth=None, shows="pong", has={"content-type": holding("text/plain")}),
            *(
                ask(
                    f"GET /api/v1{slash}",
                    auth=None,
                    shows=Exactly(
                        {
                            "description": "OpenWhisk API",
                            "api_version": "1.0.0",
                            "api_version_path": "v1",
                            "build": lambda date: date.startswith("20"),
                            "buildno": lambda number: isinstance(number, str),
                            "swagger_paths": {"ui": "/docs", "api-docs": "/api-docs"},
                        }
                    ),
                )
                for slash in ("", "/")
            ),
            ask("GET /api/v1/api-docs", auth=None, shows={"swagger": "2.0"}),
            ask("GET /invokers", auth=None, shows={"invoker0/0": "up"}),
            ask("GET /invokers/healthy/count", auth=None, shows=1),
            ask("GET /invokers/ready", auth=None, shows={"healthy": "1/1"}),
            ask("GET /blackbox.tar.gz", auth=None, status=405),
            typed("property get --apibuild", re.compile(r"\Awhisk API build\t\t20.*\n\Z")),
        ],
    ),
    Row(
        "1.1 1.4",
        "OPTIONS below the API is answered with the headers for browsers",
        [
            ask("OPTIONS actions/whatever", auth=None, shows="OK", has=CORS),
            ask("OPTIONS /api/v1/no/such/thing", auth=None, shows="OK", has=CORS),
            ask("GET actions", shows=[], has=CORS | {"content-type": "application/json"}),
        ],
    ),
)
