"""What is the command line's own: words, values, files, flags; and oddities of other clients."""

import re
from typing import Final

from tests.conformance.table import (
    ABSENT,
    CODE,
    ECHO,
    Exactly,
    Row,
    Typed,
    ask,
    fails,
    pairs,
    typed,
)

HINT: Final = "Run 'wsk --help' for usage.\n"
FILES: Final = {
    "a.py": ECHO,
    "p.json": '{"a": 1, "b": "file"}',
    "list.json": "[1]",
    "bad.json": "{",
}
OPEN: Final = {"web-export": True, "raw-http": False, "final": True}
SYSTEM: Final = [{"key": "exec", "value": "python:3.x"}, {"key": "provide-api-key", "value": False}]


def needs(line: str, text: str) -> Typed:
    """Return a line whose words are too few or too many, and what it says of them."""
    return fails(line, 1, f"error: Invalid argument(s){text}\n{HINT}")


ROWS = (
    Row(
        "c2.11 c2.8",
        "too few words, and too many",
        [
            needs("action create", ". An action name and code artifact are required."),
            needs("action create a b c", ": c. An action name and code artifact are required."),
            needs("action update", ". An action name is required. A code artifact is optional."),
            needs("action get", ". An action name is required."),
            needs("action delete a b", ": b. An action name is required."),
            needs("action list a b", ": b. An optional namespace is the only valid argument."),
            needs("trigger list a b", ": b. An optional namespace is the only valid argument."),
            needs("package refresh a b", ": b. An optional namespace is the only valid argument."),
            needs("activation poll a b", ": b. An optional namespace is the only valid argument."),
            needs("activation get a b c", ": c. An activation ID is required."),
            needs("activation logs", ". An activation ID is required."),
            needs("activation result -l x", ": x. An activation ID is required."),
            needs("trigger create a b", ": b. A trigger name is required."),
            needs("trigger delete", ". A trigger name is required."),
            needs("rule update r t", ". A rule, trigger and action name are required."),
            needs("rule enable", ". A rule name is required."),
            needs("rule get a b c", ": c. A rule name is required."),
            needs("package bind p", ". A package name and binding name are required."),
            needs("package delete", ". A package name is required."),
            needs("namespace list x", ": x. No arguments are required."),
            needs("namespace get x", ": x. No arguments are required."),
            needs("namespace get _", ": _. No arguments are required."),
            needs("list x", ": x. No arguments are required."),
        ],
    ),
    Row(
        "c4.2 c1.4",
        "what values of parameters are",
        [
            ask("PUT actions/a", CODE),
            *(
                typed(f"action invoke a -r -p v {value}", f'{{\n    "v": {shown}\n}}\n')
                for value, shown in (
                    ("1", "1"),
                    ("01", '"01"'),
                    ("true", "true"),
                    ("null", "null"),
                    ("hello", '"hello"'),
                    ("''", '""'),
                    ("'\"12\"'", '"12"'),
                    ("12345678901234567890123", "12345678901234567890123"),
                    ("'a b'", '"a b"'),
                    ("'<&>'", '"<&>"'),
                    ("é", '"é"'),
                    ("'$&%'", '"$&%"'),
                )
            ),
            typed("action invoke a -r -p v '{\"a\":[1]}'", shows=Exactly({"v": {"a": [1]}})),
            typed("action invoke -p v 1 a --param w 2 -r", shows=Exactly({"v": 1, "w": 2})),
            typed("action invoke a -r -p 'k \"ey' 1", shows=Exactly({'k "ey': 1})),
            *(
                fails(
                    f"action invoke a -p v '{wrong}'", 1, re.compile("Invalid parameter argument")
                )
                for wrong in ('{"invalid1": }', '"invalid2"": 3', '{"a":1,}')
            ),
            fails(
                "action create b a.py -a k '{\"a\": }'",
                1,
                re.compile("Invalid annotation argument"),
            ),
            fails(
                "action invoke a -p v",
                1,
                "error: Failed to parse arguments: The parameter arguments are invalid: Arguments for "
                f"'-p' must be a key/value pair\n{HINT}",
            ),
            fails(
                "action invoke a -P",
                1,
                "error: Failed to parse arguments: The parameter arguments are invalid: An argument "
                f"must be provided for '-P'\n{HINT}",
            ),
        ],
        files=FILES,
    ),
    Row(
        "c4.3",
        "files of parameters, and what wins",
        [
            ask("PUT actions/a", CODE),
            typed("action invoke a -r -P p.json", shows=Exactly({"a": 1, "b": "file"})),
            typed("action invoke a -r -P p.json -p a 2", shows=Exactly({"a": 2, "b": "file"})),
            typed("action invoke a -r -p a 2 -P p.json", shows=Exactly({"a": 1, "b": "file"})),
            fails("action invoke a -P list.json", 1, re.compile("Invalid parameter argument")),
            fails("action invoke a -P bad.json", 1, re.compile("Invalid parameter argument")),
            fails(
                "action invoke a -P gone.json",
                2,
                re.compile("File 'gone.json' is not a valid file or it does not exist"),
            ),
            typed("trigger create t -P p.json -A p.json", "ok: created trigger t\n"),
            ask(
                "GET triggers/t",
                shows={"parameters": pairs(a=1, b="file"), "annotations": pairs(a=1, b="file")},
            ),
        ],
        files=FILES,
    ),
    Row(
        "c5.2 c1.4",
        "copies of actions",
        [
            ask("PUT actions/a", CODE | {"parameters": pairs(p=1), "annotations": pairs(x=1)}),
            typed("action create b a --copy -p q 2 -a y 2", "ok: created action b\n"),
            ask(
                "GET actions/b",
                shows={
                    "exec": {"code": ECHO},
                    "parameters": pairs(p=1, q=2),
                    "annotations": [*pairs(x=1, y=2), *SYSTEM],
                },
            ),
            fails(
                "action create c nosuch --copy",
                148,
                re.compile(r"\Aerror: Invalid argument\(s\)\. Unable to get action 'nosuch': "),
            ),
            typed("action create d --docker some/image", "ok: created action d\n"),
            typed(
                "action get d exec",
                "ok: got action d, displaying field exec\n",
                shows=Exactly({"kind": "blackbox", "image": "some/image", "binary": False}),
            ),
            typed("action create n a.py --native", "ok: created action n\n"),
        ],
        files=FILES,
    ),
    Row(
        "c5.3 c5.4 c5.5",
        "web actions, and what their callers must know",
        [
            typed("action create a a.py --web true -a x 1", "ok: created action a\n"),
            ask("GET actions/a", shows={"annotations": [*pairs(x=1, **OPEN), *SYSTEM]}),
            typed("action get a --url", "ok: got action a\n<url>/api/v1/web/<ns>/default/a\n"),
            typed("action update a --web-secure secret", "ok: updated action a\n"),
            ask(
                "GET actions/a",
                shows={
                    "annotations": [
                        *pairs(x=1, **OPEN),
                        {"key": "require-whisk-auth", "value": "secret"},
                        *SYSTEM,
                    ]
                },
            ),
            typed("action update a --web-secure true", "ok: updated action a\n"),
            ask(
                "GET actions/a",
                shows={
                    "annotations": lambda found: (
                        next(each["value"] for each in found if each["key"] == "require-whisk-auth")
                        > 0
                    )
                },
            ),
            typed("action update a --web-secure false", "ok: updated action a\n"),
            ask("GET actions/a", shows={"annotations": [*pairs(x=1, **OPEN), *SYSTEM]}),
            typed("action update a --web raw", "ok: updated action a\n"),
            ask(
                "GET actions/a",
                shows={"annotations": [*pairs(x=1, **OPEN | {"raw-http": True}), *SYSTEM]},
            ),
            typed("action update a --web NO", "ok: updated action a\n"),
            ask(
                "GET actions/a",
                shows={"annotations": [*pairs(x=1, **dict.fromkeys(OPEN, False)), *SYSTEM]},
            ),
            fails(
                "action update a --web-secure x",
                2,
                re.compile(
                    "The --web-secure option is only valid when the --web option is enabled."
                ),
            ),
            fails(
                "action update a --web maybe",
                2,
                re.compile(
                    "Invalid argument 'maybe' for --web flag. Valid input consist of 'yes', 'true', 'raw', 'false', or 'no'."
                ),
            ),
            typed(
                "action get a --url nosuch",
                "ok: got action a\n<url>/api/v1/namespaces/<ns>/actions/a\n",
            ),
            typed("action get a nosuch -s", "action /<ns>/a\n   (parameters: none defined)\n"),
        ],
        files=FILES,
    ),
    Row(
        "c2.4 c3.4 c1.1",
        "fields of documents, and properties",
        [
            ask("PUT actions/a", CODE),
            typed(
                "action get a delannotations",
                "ok: got action a, displaying field delannotations\nnull\n",
            ),
            typed(
                "action get a Limits",
                "ok: got action a, displaying field Limits\n",
                shows=Exactly({"timeout": 60_000, "memory": 256, "logs": 10, "concurrency": 1}),
            ),
            typed(
                "property get --apihost --auth --namespace --apiversion",
                "whisk API host\t\t<url>\nwhisk auth\t\t<auth>\nwhisk namespace\t\t<ns>\nwhisk API version\tv1\n",
            ),
            typed("property get -o raw --namespace --apihost", "<url>\n<ns>\n"),
            fails(
                "property get -o raw",
                1,
                "error: --output|-o raw only supported with specific property type\n",
            ),
            fails("property get -o xml", 1, "error: Supported output format are std|raw\n"),
            typed("property set --apiversion v2", "ok: whisk API version set to v2\n"),
            typed(
                "property unset --apiversion",
                "ok: whisk API version unset; the default value of v1 will be used.\n",
            ),
            fails(
                "property set --cert c",
                1,
                re.compile(
                    r"The Key file is not configured\. Please configure the missing Key file\."
                ),
            ),
            typed("property unset --auth", "ok: whisk auth unset.\n"),
            fails(
                "action list",
                2,
                re.compile(r"Authorization key is not configured \(--auth is required\)"),
            ),
            typed("property unset --apihost", "ok: whisk API host unset.\n"),
            fails(
                "action list",
                1,
                f"error: The API host is not valid: An API host must be provided.\n\n{HINT}",
            ),
            fails(
                "property get",
                1,
                f"error: The API host is not valid: An API host must be provided.\n\n{HINT}",
            ),
        ],
    ),
    Row(
        "c10.2 c10.4 2.3 8.4 c13",
        "what other clients send",
        [
            ask(
                "GET actions?",
                shows=[],
                headers={"User-Agent": "openwhisk-client-js", "x-namespace-id": "<ns>"},
            ),
            ask(
                "PUT actions/a?",
                CODE | {"name": "pkg/a", "namespace": "_", "publish": False},
                shows={"name": "a"},
                headers={
                    "Content-Type": "application/json; charset=utf-8",
                    "Accept": "application/json",
                },
            ),
            ask(
                "POST actions/a?blocking=true",
                shows={"response": {"result": Exactly({})}},
                headers={"Content-Length": "0"},
            ),
            ask("GET actions?count=true", shows=Exactly({"actions": 1}), eventually=True),
            ask("PUT triggers/t?", {"name": "t", "namespace": "_"}),
            ask(
                "PUT rules/r?overwrite=true",
                {"name": "r", "status": "", "trigger": "/_/t", "action": "/<ns>/a"},
                shows={"status": "active"},
            ),
            ask(
                "POST rules/r", {"status": "inactive", "trigger": None, "action": None}, shows="OK"
            ),
            ask(
                "PUT rules/r?overwrite=true",
                {"trigger": "<ns>/t", "action": {"path": "_", "name": "a"}},
                shows={"status": "inactive", "version": "0.0.2"},
            ),
            ask("POST triggers/t", headers={"Content-Length": "0"}, status=204),
            ask("GET actions/../../<ns>/actions/a", status=400),
            ask(
                "PUT actions/b",
                {
                    "exec": {"kind": "python:default", "code": ECHO},
                    "annotations": [
                        {"key": "exec", "value": "old"},
                        {"key": "provide-api-key", "value": False},
                    ],
                },
                shows={"annotations": SYSTEM, "error": ABSENT},
            ),
        ],
    ),
)
