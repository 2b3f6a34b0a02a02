"""Invocations: what is asked, what the code is given, what is kept of it."""

import re
from typing import Any, Final

from tests.conformance.chapters.errors import NO_RESOURCE
from tests.conformance.table import (
    ABSENT,
    CODE,
    Exactly,
    Row,
    ask,
    code,
    fails,
    pairs,
    refused,
    typed,
)

LIMITS: Final = {"timeout": 60_000, "memory": 256, "logs": 10, "concurrency": 1}
WAIT: Final = "Timeout must be number of milliseconds up to 60000."
APPLICATION: Final = "def main(args):\n    return {'error': args.get('e', 'no'), 'more': 1}\n"
SLEEPS: Final = "import time\ndef main(args):\n    print('sleeping')\n    time.sleep(args['s'])\n    return args\n"
CRASHES: Final = "import os\ndef main(args):\n    if args.get('n'): return args\n    os._exit(1)\n"
ENVIRONMENT: Final = (
    "import os\ndef main(args):\n    return {'env': {k: v for k, v in os.environ.items() if k.startswith(('__OW_', 'm'))},"
    " 'args': args}\n"
)
LOST_LOG: Final = "The action did not initialize or run as expected. Log data might be missing."


def annotated(**wanted: Any) -> Any:
    """Return what tells whether annotations hold these, as values or as functions of values."""

    def is_so(found: list[dict[str, Any]]) -> bool:
        held = {each["key"]: each["value"] for each in found}
        return all(
            key not in held
            if value is ABSENT
            else key in held and (value(held[key]) if callable(value) else held[key] == value)
            for key, value in wanted.items()
        )

    return is_so


def is_number(value: Any) -> bool:
    """Tell whether *value* is a natural number."""
    return type(value) is int and value >= 0


FINISHED: Final = {
    "activationId": "<ok>", "namespace": "<ns>", "name": "a", "version": "0.0.1", "subject": "<ns>", "start": "<n>",
    "end": "<n>", "duration": "<n>", "publish": False, "logs": [],
}  # fmt: skip

ROWS = (
    Row(
        "3.7 3.8 9.3 9.6 t11 t17 c1.4 c2.1 c2.9",
        "an action that does well",
        [
            ask("PUT actions/a", CODE),
            ask(
                "POST actions/a",
                {"n": 1},
                status=202,
                shows=Exactly({"activationId": "<id>"}),
                has={"x-openwhisk-activation-id": "<id>"},
            ),
            ask(
                "POST actions/a?result=true",
                {"n": 1},
                status=202,
                shows=Exactly({"activationId": "<id>"}),
            ),
            ask(
                "POST actions/a?blocking=true",
                {"n": 1},
                save="ok",
                has={"x-openwhisk-activation-id": "<id>"},
            ),
            ask(
                "GET activations/<ok>",
                shows=Exactly(
                    FINISHED
                    | {
                        "response": Exactly(
                            {
                                "status": "success",
                                "success": True,
                                "result": {"n": 1},
                                "size": "<n>",
                            }
                        ),
                        "annotations": annotated(
                            path=lambda path: path.endswith("/a"),
                            limits=LIMITS,
                            kind=lambda kind: kind[:7] == "python:",
                            waitTime=is_number,
                            timeout=False,
                        ),
                    }
                ),
                eventually=True,
            ),
            ask(
                "POST actions/a?blocking=true&result=true",
                {"n": 1},
                shows=Exactly({"n": 1}),
                has={"x-openwhisk-activation-id": "<id>"},
            ),
            ask("POST actions/a?blocking=true&result=true", shows=Exactly({})),
            ask(
                "POST actions/a?blocking=true&result=true",
                b"",
                shows=Exactly({}),
                headers={"Content-Type": None},
            ),
            refused("POST actions/nosuch", 404, NO_RESOURCE, {}),
            refused("POST actions/p/nosuch", 404, lambda text: "does not exist" in text, {}),
            typed("action invoke a", "ok: invoked /_/a with id <id>\n", save="one"),
            typed(
                "action invoke a -p n 1 -b",
                "ok: invoked /_/a with id <id>\n",
                shows=FINISHED
                | {
                    "activationId": "<id>",
                    "response": {"result": Exactly({"n": 1}), "success": True},
                },
            ),
            typed("action invoke /<ns>/a -r -p n 1 -p s x", '{\n    "n": 1,\n    "s": "x"\n}\n'),
            typed("action invoke /<ns>/a", "ok: invoked /<ns>/a with id <id>\n"),
            fails(
                "action invoke nosuch -r",
                148,
                re.compile(f"Unable to invoke action 'nosuch': {NO_RESOURCE}"),
            ),
            fails(
                "action invoke",
                1,
                "error: Invalid argument(s). An action name is required.\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "action invoke a x",
                1,
                "error: Invalid argument(s): x. An action name is required.\n"
                "Run 'wsk --help' for usage.\n",
            ),
        ],
    ),
    Row(
        "3.10 2.5 3.4",
        "what the code is given",
        [
            ask("PUT packages/k", {"parameters": pairs(kp=1)}),
            ask(
                "PUT actions/k/a",
                code(
                    ENVIRONMENT,
                    parameters=[
                        {"key": "mine", "value": "x", "init": True},
                        {"key": "myobject", "value": {"a": [1]}, "init": True},
                        {"key": "mynull", "value": None, "init": True},
                        {"key": "mytrue", "value": True, "init": True},
                        {"key": "p", "value": 1},
                    ],
                ),
            ),
            ask(
                "POST actions/k/a?blocking=true&result=true",
                {"q": 2, "mine": "over"},
                shows={
                    "args": Exactly({"kp": 1, "p": 1, "q": 2}),
                    "env": {
                        "mine": "over",
                        "myobject": '{"a":[1]}',
                        "mynull": "",
                        "mytrue": "true",
                        "__OW_NAMESPACE": "<ns>",
                        "__OW_ACTION_NAME": "/<ns>/k/a",
                        "__OW_ACTION_VERSION": "0.0.1",
                        "__OW_ACTIVATION_ID": "<id>",
                        "__OW_TRANSACTION_ID": re.compile(r"\w+"),
                        "__OW_DEADLINE": re.compile(r"\A\d{13}\Z"),
                        "__OW_API_HOST": re.compile("http"),
                        "__OW_API_KEY": ABSENT,
                    },
                },
            ),
            ask(
                "PUT actions/keyed",
                code(ENVIRONMENT, annotations=[{"key": "provide-api-key", "value": True}]),
            ),
            ask(
                "POST actions/keyed?blocking=true&result=true",
                {},
                shows={"env": {"__OW_API_KEY": "<auth>"}},
                headers={"X-Request-ID": "tid-of-mine"},
            ),
            ask(
                "POST actions/keyed?blocking=true&result=true",
                {},
                shows={"env": {"__OW_TRANSACTION_ID": "tid-of-mine"}},
                headers={"X-Request-ID": "tid-of-mine"},
            ),
        ],
    ),
    Row(
        "3.6 3.7",
        "a payload of a megabyte and a byte more",
        [
            ask("PUT actions/a", code("def main(args):\n    return {'n': len(args['p'])}\n")),
            ask(
                "POST actions/a?blocking=true&result=true",
                b'{"p":"' + b"x" * (1_048_576 - 8) + b'"}',
                shows={"n": 1_048_568},
            ),
            *(
                refused(
                    f"POST actions/{name}",
                    413,
                    "Request larger than allowed: 1048577 > 1048576 bytes.",
                    b'{"p":"' + b"x" * (1_048_577 - 8) + b'"}',
                )
                for name in ("a", "nosuch")
            ),
        ],
    ),
    Row(
        "9.4 3.5 9.3 c2.6 c2.1",
        "logs are kept as they were written, up to their limit",
        [
            ask(
                "PUT actions/a",
                code(
                    "import sys\ndef main(args):\n    print('out é')\n    print('err', file=sys.stderr)\n"
                    "    print()\n    return {}\n"
                ),
            ),
            ask("POST actions/a?blocking=true", {}, shows={"logs": []}, save="a"),
            ask(
                "GET activations/<a>",
                shows={
                    "logs": lambda logs: (
                        len(logs) == 3
                        and all(
                            re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z *$", line[:30])
                            for line in logs
                        )
                        and {line[31:] for line in logs}
                        == {"stdout: out é", "stderr: err", "stdout: "}
                    )
                },
                eventually=True,
            ),
            ask("GET activations/<a>/logs", shows=Exactly({"logs": lambda logs: len(logs) == 3})),
            ask(
                "PUT actions/none",
                code("def main(args):\n    print('x')\n    return {}\n", limits={"logs": 0}),
            ),
            ask("POST actions/none?blocking=true", {}, save="none"),
            ask("GET activations/<none>", shows={"logs": []}, eventually=True),
            ask(
                "PUT actions/much",
                code(
                    "def main(args):\n    for _ in range(20):\n        print('x' * 100000)\n    return {}\n",
                    limits={"logs": 1},
                ),
            ),
            ask("POST actions/much?blocking=true", {}, save="much"),
            ask(
                "GET activations/<much>/logs",
                shows={
                    "logs": lambda logs: logs[-1].endswith(
                        "stderr: Logs were truncated because the total bytes size exceeds the limit of 1048576 bytes."
                    )
                },
                eventually=True,
            ),
            typed("activation logs <a>", re.compile(r"(?m)\A(\d{4}-.*Z +std(out|err): .*\n){3}\Z")),
            typed("activation logs <a> -r", re.compile(r"\A(?=(.|\n)*out é\n)(?=(.|\n)*err\n)")),
            typed("activation logs -r <a>", re.compile("out é")),
            typed("activation result <a>", "{}\n"),
        ],
    ),
    Row(
        "9.5",
        "activations that are not stored",
        [
            ask("PUT actions/a", CODE),
            ask("POST actions/a?blocking=true&result=true", {"n": 1}, shows=Exactly({"n": 1})),
        ],
        limits={"storeActivations": False},
    ),
)
