"""Lists: their order, their bounds, what an item shows."""

import re

from tests.conformance.chapters.errors import NOT_FOUND
from tests.conformance.chapters.names import listed
from tests.conformance.table import (
    CODE,
    Exactly,
    Row,
    ask,
    holding,
    refused,
    typed,
)

ROWS = (
    Row(
        "2.7 c2.2",
        "a list of actions",
        [
            *listed(
                "actions",
                CODE,
                {
                    "annotations": [
                        {"key": "exec", "value": "python:3.x"},
                        {"key": "provide-api-key", "value": False},
                    ],
                    "limits": {"timeout": 60000, "memory": 256, "logs": 10, "concurrency": 1},
                    "exec": Exactly({"binary": False}),
                },
            ),
            typed("action list -l 1", re.compile(r"\Aactions\n/<ns>/c +private python:3\.\d+\n\Z")),
            typed(
                "action list -n -l 2",
                re.compile(r"\Aactions\n/<ns>/b +private .*\n/<ns>/c +private .*\n\Z"),
            ),
        ],
    ),
    Row(
        "2.7 6.2 c2.2",
        "a list of packages",
        listed("packages", {}, {"annotations": [], "binding": False}),
    ),
    Row("2.7 7.2 c2.2", "a list of triggers", listed("triggers", {}, {"annotations": []})),
    Row(
        "2.7 8.2 c2.2",
        "a list of rules",
        [
            ask("PUT triggers/t", {}),
            ask("PUT actions/act", CODE),
            *listed(
                "rules",
                {"trigger": "/_/t", "action": "/_/act"},
                {
                    "annotations": [],
                    "trigger": {"path": "<ns>", "name": "t"},
                    "action": {"path": "<ns>", "name": "act"},
                },
            ),
            typed("rule list -l 1", re.compile(r"\Arules\n/<ns>/c +private +active\n\Z")),
        ],
    ),
    Row(
        "2.7 t4",
        "actions of packages in lists",
        [
            ask("PUT packages/p", {}),
            ask("PUT actions/p/inner", CODE),
            ask("PUT actions/outer", CODE),
            ask(
                "GET actions",
                shows=lambda items: (
                    {(i["namespace"].partition("/")[2], i["name"]) for i in items}
                    == {("p", "inner"), ("", "outer")}
                ),
                eventually=True,
            ),
            ask("GET actions/p/", shows=lambda items: [i["name"] for i in items] == ["inner"]),
            ask("GET actions/p/?count=true", shows=Exactly({"actions": 1})),
            ask("GET actions/p/?limit=0&skip=0", shows=lambda items: len(items) == 1),
            refused(
                "GET actions/p", 409, "Resource by this name exists but is not in this collection."
            ),
            refused("DELETE actions/p/", 404, NOT_FOUND),
            refused("GET actions/nosuch/", 404, holding("nosuch")),
            ask("PUT packages/b", {"binding": {"namespace": "_", "name": "p"}}),
            ask("GET actions/b/", shows=[{"namespace": "<ns>/p", "name": "inner"}]),
            typed(
                "action list p", re.compile(r"\Aactions\n/<ns>/p/inner +private python:3\.\d+\n\Z")
            ),
            typed(
                "action list /<ns>/p",
                re.compile(r"\Aactions\n/<ns>/p/inner +private python:3\.\d+\n\Z"),
            ),
        ],
    ),
)
