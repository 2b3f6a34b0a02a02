"""Triggers and their firings."""

import json
import re
from typing import Any, Final

from tests.conformance.chapters.errors import MALFORMED, NO_RESOURCE, NOT_FOUND
from tests.conformance.table import (
    ABSENT,
    CODE,
    Exactly,
    Row,
    ask,
    fails,
    pairs,
    refused,
    typed,
)

FAILS = "def main(args):\n    return {'error': 'no'}\n"
RULE = {"trigger": "/_/t", "action": "/_/a"}
FQN = MALFORMED + (
    "requirement failed: The fully qualified name of the entity must contain at least the namespace and the name of "
    "the entity."
)


def lines(*expected: dict[str, Any]) -> Any:
    """Return what tells whether a log holds these lines, as JSON, in this order."""

    def is_so(logs: list[str]) -> bool:
        told = [json.loads(line) for line in logs]
        return len(told) == len(expected) and all(
            all(line.get(key) == value for key, value in wanted.items())
            and ("activationId" in line) != ("error" in line)
            for wanted, line in zip(expected, told, strict=True)
        )

    return is_so


NO_TEXTS: Final[tuple[Any, ...]] = (3, None, {}, [])

ROWS = (
    Row(
        "7.1 7.2 t29 c1.7 c2.1 c2.5",
        "a trigger is made, read, changed, and deleted",
        [
            ask(
                "PUT triggers/t",
                {"parameters": pairs(p=1), "annotations": pairs(x=1), "limits": {}},
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "t",
                        "version": "0.0.1",
                        "publish": False,
                        "updated": "<n>",
                        "limits": Exactly({}),
                        "parameters": pairs(p=1),
                        "annotations": pairs(x=1),
                    }
                ),
            ),
            ask(
                "GET triggers/t",
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "t",
                        "version": "0.0.1",
                        "publish": False,
                        "updated": "<n>",
                        "limits": Exactly({}),
                        "parameters": pairs(p=1),
                        "annotations": pairs(x=1),
                    }
                ),
            ),
            ask(
                "PUT triggers/t?overwrite=true",
                {"parameters": [], "rules": {"x": 1}, "status": 1},
                shows={
                    "parameters": [],
                    "annotations": pairs(x=1),
                    "version": "0.0.2",
                    "rules": ABSENT,
                },
            ),
            refused("POST triggers/nosuch", 404, NO_RESOURCE, {}),
            refused("GET triggers/t/x", 404, NOT_FOUND),
            ask("DELETE triggers/t", shows={"version": "0.0.2", "limits": Exactly({})}),
            *(
                refused(
                    "PUT triggers/f",
                    400,
                    "Feed name is not valid",
                    {"annotations": pairs(feed=name)},
                )
                for name in (*("", "a,b", "/a/b,c"), *NO_TEXTS)
            ),
            *(
                ask("PUT triggers/f?overwrite=true", {"annotations": pairs(feed=name)})
                for name in ("x", "/_/feed", "/a/b/c/d", "a b/c")
            ),
            ask(
                "PUT triggers/f?overwrite=true",
                {"annotations": pairs(feed="a,b")},
                shows={"annotations": pairs(feed="a,b")},
            ),
            typed("trigger create t -p p 1 -a description 'It ticks.'", "ok: created trigger t\n"),
            typed(
                "trigger get t",
                "ok: got trigger t\n",
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "t",
                        "version": "0.0.1",
                        "publish": False,
                        "updated": "<n>",
                        "limits": Exactly({}),
                        "parameters": pairs(p=1),
                        "annotations": pairs(description="It ticks."),
                    }
                ),
            ),
            typed("trigger get t -s", "trigger /<ns>/t: It ticks.\n   (parameters: *p)\n"),
            typed("trigger get t limits", "ok: got trigger t, displaying field limits\n{}\n"),
            fails("trigger get t nosuch", 1, "error: Invalid field filter 'nosuch'.\n"),
            typed("trigger update t -p q 2", "ok: updated trigger t\n"),
            typed("trigger update new", "ok: created trigger new\n"),
            fails(
                "trigger create t",
                153,
                "error: Unable to create trigger 't': resource already exists (code <transid>)\n",
            ),
            fails(
                "trigger create",
                1,
                "error: Invalid argument(s). A trigger name is required.\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "trigger fire t '{}'", 1, re.compile(r"error: Invalid argument\(s\): \{\}\. .*\n")
            ),
            fails(
                "trigger create u -F a 1",
                149,
                re.compile("Incorrect usage. Trigger without a feed cannot have feed parameters"),
            ),
            fails(
                "trigger create u -p a 1 -T b 2",
                149,
                re.compile(
                    "Incorrect usage. Cannot combine --feed-param or --trigger-param flag with neither --param nor --param-file flag"
                ),
            ),
            typed("trigger delete t", "ok: deleted trigger t\n"),
        ],
    ),
    Row(
        "7.3 7.4 t27 t28 t29 8.5 c1.7 c2.3",
        "a firing runs the actions of active rules and says so",
        [
            ask("PUT triggers/t", {"parameters": pairs(p="t", q="t")}),
            ask(
                "POST triggers/t",
                {"q": 1},
                status=204,
                has={"x-openwhisk-activation-id": None},
                shows="",
            ),
            ask("GET activations", shows=[]),
            ask("PUT actions/a", CODE | {"parameters": pairs(p="a", r="a")}),
            ask("PUT actions/gone", CODE),
            ask(
                "PUT actions/final",
                CODE | {"parameters": pairs(q=0), "annotations": pairs(final=True)},
            ),
            ask("PUT rules/r1", {"trigger": "/_/t", "action": "/_/a"}),
            ask("PUT rules/r2", {"trigger": "/_/t", "action": "/_/gone"}),
            ask("PUT rules/r3", {"trigger": "/_/t", "action": "/_/a"}),
            ask("PUT rules/r4", {"trigger": "/_/t", "action": "/_/final"}),
            ask("POST rules/r3", {"status": "inactive"}, shows="OK"),
            ask("DELETE actions/gone"),
            ask(
                "POST triggers/t",
                {"q": 1},
                status=202,
                shows=Exactly({"activationId": "<id>"}),
                save="fired",
                headers={"X-Some": "Thing"},
            ),
            ask(
                "GET activations/<fired>",
                shows=Exactly(
                    {
                        "activationId": "<fired>",
                        "namespace": "<ns>",
                        "name": "t",
                        "version": "0.0.1",
                        "subject": "<ns>",
                        "start": "<n>",
                        "publish": False,
                        "annotations": [],
                        "response": Exactly(
                            {"status": "success", "success": True, "result": Exactly({"q": 1})}
                        ),
                        "logs": lines(
                            {"statusCode": 0, "success": True},
                            {"statusCode": 1, "success": False, "error": NO_RESOURCE},
                            {"statusCode": 1, "success": False},
                            {
                                "statusCode": 1,
                                "success": False,
                                "error": "Request defines parameters that are not allowed (e.g., reserved properties).",
                            },
                        ),
                    }
                ),
                eventually=True,
            ),
            ask(
                "GET activations?name=t",
                shows=[
                    Exactly(
                        {
                            "activationId": "<fired>",
                            "namespace": "<ns>",
                            "name": "t",
                            "version": "0.0.1",
                            "start": "<n>",
                            "publish": False,
                            "annotations": [],
                        }
                    )
                ],
            ),
            ask(
                "GET activations/<fired>/result",
                shows=Exactly({"status": "success", "success": True, "result": {"q": 1}}),
            ),
            ask(
                "GET activations?name=a&docs=true",
                shows=[
                    {
                        "cause": ABSENT,
                        "response": {
                            "result": Exactly(
                                {
                                    "p": "t",
                                    "q": 1,
                                    "r": "a",
                                    "__ow_headers": lambda headers: (
                                        headers["x-some"] == "Thing"
                                        and "authorization" not in headers
                                    ),
                                }
                            )
                        },
                    }
                ],
                eventually=True,
            ),
            typed("trigger fire t -p q 2", "ok: triggered /_/t with id <id>\n", save="again"),
            typed(
                "activation get <again> response",
                "ok: got activation <again>, displaying field response\n",
                shows={"status": "success", "result": {"q": 2}},
                eventually=True,
            ),
            typed(
                "activation list t -l 1",
                re.compile(
                    r"\ADatetime.*\n[-\d]+ [:\d]+ <again> unknown +warm +0s +success +<ns>/t:0\.0\.1 *\n\Z"
                ),
            ),
            ask("POST rules/r1", {"status": "inactive"}),
            ask("POST rules/r2", {"status": "inactive"}),
            ask("POST rules/r4", {"status": "inactive"}),
            ask("POST triggers/t", {}, status=204),
            typed("trigger fire t", "ok: triggered /_/t with id \n"),
        ],
    ),
    Row(
        "7.3",
        "what is fired with is an object, or nothing",
        [
            ask("PUT triggers/t", {}),
            ask("PUT actions/a", CODE),
            ask("PUT rules/r", RULE),
            ask("POST triggers/t", status=202, save="bare"),
            ask("GET activations/<bare>/result", shows={"result": Exactly({})}, eventually=True),
            ask("POST triggers/t", b"", status=202),
            refused("POST triggers/t", 400, MALFORMED + "JSON object expected", b"[]"),
            refused("POST triggers/t", 400, lambda text: text.startswith(MALFORMED), b"{"),
            refused(
                "POST triggers/t",
                413,
                "Request larger than allowed: 1048577 > 1048576 bytes.",
                b'{"a":"' + b"x" * (1_048_577 - 8) + b'"}',
            ),
            ask("POST triggers/t", {"__ow_headers": 1}, status=202),
            ask(
                "GET activations?name=a&docs=true&limit=1",
                shows=[{"response": {"result": Exactly({"__ow_headers": 1})}}],
                eventually=True,
            ),
        ],
    ),
    Row(
        "7.3 12.1",
        "a rule's action counts as a call of who fires",
        [
            ask("PUT triggers/t", {}),
            ask("PUT actions/a", CODE),
            ask("PUT rules/r", RULE),
            ask("PUT rules/r2", RULE),
            ask("POST triggers/t", {}, status=202, save="first"),
            ask(
                "GET activations/<first>/logs",
                shows={
                    "logs": lines(
                        {"statusCode": 0},
                        {
                            "statusCode": 1,
                            "error": "Too many requests in the last minute (count: 2, allowed: 1).",
                        },
                    )
                },
                eventually=True,
            ),
            refused(
                "POST triggers/t",
                429,
                "Too many requests in the last minute (count: 2, allowed: 1).",
                {},
            ),
            fails("trigger fire t", 173, re.compile("Too many requests in the last minute")),
        ],
        limits={"firesPerMinute": 1, "invocationsPerMinute": 1},
    ),
)
