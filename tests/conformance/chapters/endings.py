"""How activations end: well, badly, late, too large."""

import re

from tests.conformance.chapters.invocation import (
    APPLICATION,
    CRASHES,
    LIMITS,
    LOST_LOG,
    SLEEPS,
    WAIT,
    annotated,
)
from tests.conformance.table import (
    CODE,
    Exactly,
    Row,
    ask,
    code,
    fails,
    holding,
    refused,
    typed,
)

ROWS = (
    Row(
        "3.8 3.9 t16 t24 c2.1 c2.9",
        "an error of the application's is 502 with all it said",
        [
            ask("PUT actions/a", code(APPLICATION)),
            *(
                ask(
                    "POST actions/a?blocking=true&result=true",
                    {"e": said},
                    status=502,
                    shows=Exactly({"error": said}),
                )
                for said in ("text", 3, True, {"x": 1}, [1], None)
            ),
            ask(
                "POST actions/a?blocking=true",
                {},
                status=502,
                save="ok",
                shows={
                    "activationId": "<id>",
                    "response": Exactly(
                        {
                            "status": "application error",
                            "success": False,
                            "result": Exactly({"error": "no"}),
                            "size": "<n>",
                        }
                    ),
                },
            ),
            ask(
                "GET activations/<ok>/result",
                shows=Exactly(
                    {
                        "status": "application error",
                        "success": False,
                        "result": {"error": "no"},
                        "size": "<n>",
                    }
                ),
                eventually=True,
            ),
            ask("GET activations?name=a&limit=1", shows=[{"statusCode": 1}]),
            ask("POST actions/a", {}, status=202),
            fails(
                "action invoke a -b",
                246,
                "ok: invoked /_/a with id <id>\n",
                shows={
                    "response": {
                        "result": {"error": "no"},
                        "success": False,
                        "status": "application error",
                    }
                },
            ),
            fails("action invoke a -r", 246, '{\n    "error": "no"\n}\n'),
            typed(
                "activation get <ok> statusCode",
                "ok: got activation <ok>, displaying field statusCode\n1\n",
            ),
        ],
    ),
    Row(
        "3.8 3.9 t33",
        "a list as a result is answered bare",
        [
            ask("PUT actions/a", code("def main(args):\n    return [1, {'a': 2}]\n")),
            ask(
                "POST actions/a?blocking=true",
                {},
                shows=lambda value: value == [1, {"a": 2}],
                save="list",
                has={"x-openwhisk-activation-id": "<id>"},
            ),
            ask(
                "POST actions/a?blocking=true&result=true",
                {},
                shows=lambda value: value == [1, {"a": 2}],
            ),
            ask(
                "GET activations/<list>/result",
                shows={"success": True, "result": [1, {"a": 2}]},
                eventually=True,
            ),
        ],
    ),
    Row(
        "3.9 t22 9.4 c2.9",
        "code that breaks is its developer's error",
        [
            *(
                step
                for name, source, error in (
                    (
                        "crash",
                        CRASHES,
                        "The action did not produce a valid response and exited unexpectedly.",
                    ),
                    (
                        "initcrash",
                        "import os\nos._exit(1)\n",
                        "The action did not initialize and exited unexpectedly.",
                    ),
                    (
                        "scalar",
                        "def main(args):\n    return 3\n",
                        re.compile(
                            "^The action did not produce a valid JSON or JSON Array response|dict"
                        ),
                    ),
                    ("syntax", "def main(:\n", re.compile(".")),
                    ("nomain", "x = 1\n", re.compile(".")),
                )
                for step in (
                    ask(f"PUT actions/{name}", code(source)),
                    ask(
                        f"POST actions/{name}?blocking=true",
                        {},
                        status=502,
                        save=name,
                        shows={
                            "response": {
                                "status": "action developer error",
                                "success": False,
                                "result": Exactly({"error": error}),
                            },
                            "annotations": annotated(limits=LIMITS),
                        },
                    ),
                    ask(
                        f"POST actions/{name}?blocking=true&result=true",
                        {},
                        status=502,
                        shows=Exactly({"error": error}),
                    ),
                    ask(
                        f"GET activations/<{name}>/logs",
                        shows={"logs": lambda logs: logs[-1].endswith(LOST_LOG)},
                        eventually=True,
                    ),
                )
            ),
            ask("POST actions/crash?blocking=true&result=true", {"n": 1}, shows=Exactly({"n": 1})),
            ask(
                "GET activations?name=crash&limit=1&skip=1",
                shows=[{"statusCode": 2}],
                eventually=True,
            ),
            fails(
                "action invoke crash -r",
                246,
                '{\n    "error": "The action did not produce a valid response and exited '
                'unexpectedly."\n}\n',
            ),
            typed(
                "activation get <crash> -s",
                re.compile(
                    r"\Aactivation result for '/<ns>/crash' \(action developer error at "
                    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [-+]\d{4} [-+\w]+\)\n\{\n    \"error\": \".*\"\n\}\n\Z"
                ),
            ),
        ],
    ),
    Row(
        "3.9 t21 t22 3.5 9.3",
        "an action that takes too long",
        [
            ask("PUT actions/slow", code(SLEEPS, limits={"timeout": 200})),
            ask(
                "POST actions/slow?blocking=true",
                {"s": 5},
                status=502,
                save="slow",
                shows={
                    "duration": lambda ms: 200 <= ms < 5000,
                    "annotations": annotated(timeout=True),
                    "response": {
                        "status": "action developer error",
                        "result": Exactly(
                            {"error": "The action exceeded its time limits of 200 milliseconds."}
                        ),
                    },
                },
            ),
            ask(
                "GET activations/<slow>/logs",
                shows={
                    "logs": lambda logs: (
                        logs[0].endswith("stdout: sleeping") and logs[-1].endswith(LOST_LOG)
                    )
                },
                eventually=True,
            ),
            ask(
                "PUT actions/initslow",
                code("import time\ntime.sleep(5)\n", limits={"timeout": 200}),
            ),
            ask(
                "POST actions/initslow?blocking=true&result=true",
                {},
                status=502,
                shows=Exactly(
                    {
                        "error": "The action exceeded its time limits of 200 milliseconds during initialization."
                    }
                ),
            ),
            ask("POST actions/slow?blocking=true&result=true", {"s": 0}, shows=Exactly({"s": 0})),
        ],
    ),
    Row(
        "3.7 t18 c2.9",
        "a wait that ends before the action does",
        [
            ask("PUT actions/slow", code(SLEEPS)),
            *(
                refused(
                    f"POST actions/slow?{blocking}timeout={wrong}", 400, holding(WAIT), {"s": 0}
                )
                for blocking in ("", "blocking=true&")
                for wrong in ("0", "60001", "65000", "-1")
            ),
            refused("POST actions/slow?timeout=x", 400, lambda text: True, {"s": 0}),
            ask(
                "POST actions/slow?blocking=true&timeout=60000&result=true",
                {"s": 0},
                shows=Exactly({"s": 0}),
            ),
            ask(
                "POST actions/slow?blocking=true&timeout=50&result=true",
                {"s": 0.6},
                status=202,
                save="late",
                shows=Exactly({"activationId": "<id>"}),
                has={"x-openwhisk-activation-id": "<id>"},
            ),
            ask(
                "GET activations/<late>",
                shows={"response": {"success": True, "result": {"s": 0.6}}},
                eventually=True,
            ),
        ],
    ),
    Row(
        "3.6 3.9 t20",
        "a result that is too large is cut and is the application's error",
        [
            ask("PUT actions/a", code("def main(args):\n    return {'r': 'x' * args['n']}\n")),
            ask(
                "POST actions/a?blocking=true",
                {"n": 1 << 20},
                status=502,
                shows={
                    "response": {
                        "status": "application error",
                        "result": Exactly(
                            {
                                "error": re.compile(
                                    r"\AThe action produced a response that exceeded the allowed length: \d+ > 1048576 bytes\. "
                                    r"The truncated response was: \{.*r.*x+"
                                )
                            }
                        ),
                    }
                },
            ),
            ask("PUT actions/echo", CODE),
            ask(
                "POST actions/echo?blocking=true&result=true",
                {"p": "x" * (1_048_576 - 750)},
                shows=lambda result: len(result["p"]) == 1_048_576 - 750,
            ),
        ],
    ),
)
