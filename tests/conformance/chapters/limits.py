"""Limits of namespaces and throttles."""

import re

from tests.conformance.table import (
    ABSENT,
    CODE,
    Exactly,
    Row,
    ask,
    code,
    fails,
    holding,
    pairs,
    refused,
    sequence,
)

MINUTE = "Too many requests in the last minute (count: {}, allowed: {})."
AT_ONCE = "Too many concurrent requests in flight (count: {}, allowed: {})."

ROWS = (
    Row(
        "12.2 1.3",
        "the limits of a namespace that has none of its own",
        [
            *(
                ask(
                    f"GET limits{slash}",
                    shows=Exactly(
                        {
                            "invocationsPerMinute": "<n>",
                            "concurrentInvocations": "<n>",
                            "firesPerMinute": "<n>",
                            "minActionMemory": 128,
                            "maxActionMemory": 512,
                            "minActionLogs": 0,
                            "maxActionLogs": 10,
                            "minActionTimeout": 100,
                            "maxActionTimeout": 300_000,
                            "minActionConcurrency": 1,
                            "maxActionConcurrency": 1,
                            "maxParameterSize": "1048576 B",
                            "maxActionInstances": "<n>",
                        }
                    ),
                )
                for slash in ("", "/")
            ),
            refused(
                "GET limits/x", 400, "Inner entity level routes for limits are not yet implemented."
            ),
            refused("GET /api/v1/namespaces/<other>/limits", 403, holding("not authorized")),
        ],
    ),
    Row(
        "12.2 12.3 3.5 t11",
        "limits of its own are shown, and bound what is written",
        [
            ask(
                "GET limits",
                shows={
                    "invocationsPerMinute": 50,
                    "concurrentInvocations": 7,
                    "maxActionInstances": 7,
                    "maxActionMemory": 256,
                    "minActionMemory": 128,
                    "maxActionTimeout": 60_000,
                    "maxActionLogs": 10,
                    "maxParameterSize": re.compile(r"\A1 KB\Z|\A1024 B\Z"),
                    "maxPayloadSize": re.compile(r"\A2 KB\Z|\A2048 B\Z"),
                    "storeActivations": True,
                    "allowedKinds": ABSENT,
                },
            ),
            refused(
                "PUT actions/a",
                400,
                "requirement failed: memory size 300 MB exceeds allowed threshold of 256 MB",
                CODE | {"limits": {"memory": 300}},
            ),
            refused(
                "PUT actions/a",
                400,
                "requirement failed: memory size 9999 MB exceeds allowed threshold of 256 MB",
                CODE | {"limits": {"memory": 9999}},
            ),
            refused(
                "PUT actions/a",
                400,
                "requirement failed: duration 60001 milliseconds exceeds allowed threshold of 60000 milliseconds",
                CODE | {"limits": {"timeout": 60_001}},
            ),
            refused(
                "PUT actions/a",
                413,
                "parameters larger than allowed: 1025 > 1024 bytes.",
                CODE | {"parameters": pairs(p="x" * 1022)},
            ),
            ask("PUT actions/a", CODE | {"parameters": pairs(p="x" * 1021)}),
            refused(
                "POST actions/a",
                413,
                "Request larger than allowed: 2049 > 2048 bytes.",
                b'{"q":"' + b"x" * 2041 + b'"}',
            ),
            ask("POST actions/a?blocking=true", b'{"q":"' + b"x" * 2040 + b'"}'),
        ],
        limits={
            "invocationsPerMinute": 50,
            "concurrentInvocations": 7,
            "maxActionMemory": 256,
            "maxActionTimeout": 60_000,
            "minActionMemory": 1,
            "maxActionLogs": 99,
            "maxParameterSize": "1 KB",
            "maxPayloadSize": "2 KB",
            "storeActivations": True,
        },
    ),
    Row(
        "12.3 0.4 3.2",
        "kinds that a namespace may not have",
        [
            ask("GET limits", shows={"allowedKinds": ["sequence"]}),
            refused(
                "PUT actions/a",
                403,
                re.compile(
                    r"\AThe supplied authentication is not authorized to access actions of kind 'python:3\.\d+'\.\Z"
                ),
                CODE,
            ),
            refused(
                "PUT actions/a",
                403,
                holding("actions of kind 'blackbox'."),
                {"exec": {"kind": "blackbox", "image": "x"}},
            ),
            refused("PUT actions/s", 400, "Sequence component does not exist.", sequence("a")),
            refused(
                "PUT actions/a",
                400,
                holding("The specified runtime 'nosuch:1' is not supported"),
                {"exec": {"kind": "nosuch:1", "code": ""}},
            ),
        ],
        limits={"allowedKinds": ["sequence"]},
    ),
    Row(
        "12.1 c2.9",
        "so many calls a minute, a sequence counting as one",
        [
            ask("PUT actions/a", CODE),
            ask("PUT actions/s", sequence("a", "a", "a")),
            ask("POST actions/s?blocking=true", {}),
            ask("POST actions/a", {}, status=202),
            refused(
                "POST actions/a",
                429,
                MINUTE.format(3, 2),
                {},
                has={"retry-after": re.compile(r"\A\d+\Z")},
            ),
            refused("POST actions/s?blocking=true", 429, MINUTE.format(3, 2), {}),
            refused("POST actions/nosuch", 429, MINUTE.format(3, 2), {}),
            ask("GET actions/a"),
            fails(
                "action invoke a",
                173,
                re.compile(r"Unable to invoke action 'a': Too many requests in the last minute"),
            ),
        ],
        limits={"invocationsPerMinute": 2},
    ),
    *(
        Row(
            "12.1",
            f"a limit of 0 {what}",
            [
                ask("PUT actions/a", CODE),
                ask("PUT triggers/t", {}),
                ask("PUT rules/r", {"trigger": "/_/t", "action": "/_/a"}),
                refused(path, 429, text, {}),
            ],
            limits={limit: 0},
        )
        for what, path, limit, text in (
            ("calls a minute", "POST actions/a", "invocationsPerMinute", MINUTE.format(1, 0)),
            ("calls at once", "POST actions/a", "concurrentInvocations", AT_ONCE.format(0, 0)),
            ("firings a minute", "POST triggers/t", "firesPerMinute", MINUTE.format(1, 0)),
        )
    ),
    Row(
        "12.1 c2.9",
        "so many calls at once",
        [
            ask(
                "PUT actions/slow",
                code("import time\ndef main(args):\n    time.sleep(1)\n    return args\n"),
            ),
            ask("POST actions/slow", {}, status=202, save="first"),
            refused("POST actions/slow", 429, AT_ONCE.format(1, 1), {}),
            fails("action invoke slow", 173, re.compile("Too many concurrent requests in flight")),
            ask("GET activations/<first>", eventually=True),
            ask("POST actions/slow", {}, status=202, eventually=True),
        ],
        limits={"concurrentInvocations": 1},
    ),
)
