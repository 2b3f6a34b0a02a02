"""Sequences."""

import re
from typing import Final

from tests.conformance.chapters.errors import MALFORMED, NO_RESOURCE
from tests.conformance.chapters.invocation import annotated, is_number
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
    typed,
)

INC: Final = "def main(args):\n    return {'n': args.get('n', 0) + 1}\n"
FQN: Final = MALFORMED + (
    "requirement failed: The fully qualified name of the entity must contain at least the namespace and the name of "
    "the entity."
)
CYCLIC: Final = "Sequence may not refer to itself."
ECHOES: Final = {"annotations": pairs(conductor=True), **code("def main(args):\n    return args\n")}
LOOP: Final = """
def main(args):
    i = args.get('i', 0)
    if i < args.get('max', 3):
        return {'action': args.get('do', 'inc'), 'params': {'n': args.get('n', 0)},
                'state': {'i': i + 1, 'max': args.get('max', 3), 'do': args.get('do', 'inc')}}
    return {'params': {'n': args.get('n'), 'error_seen': args.get('error')}}
"""

ROWS = (
    Row(
        "4.1 4.2 t13 t32 t35 c5.2",
        "a sequence is stored as it was named",
        [
            ask("PUT packages/p", {}),
            ask("PUT actions/a", CODE),
            ask("PUT actions/p/b", CODE),
            ask("PUT packages/bound", {"binding": {"namespace": "_", "name": "p"}}),
            ask(
                "PUT actions/s",
                sequence("a", "/<ns>/p/b", "bound/b", parameters=pairs(x=1)),
                shows={
                    "exec": Exactly(
                        {
                            "kind": "sequence",
                            "components": ["/<ns>/a", "/<ns>/p/b", "/<ns>/bound/b"],
                        }
                    ),
                    "parameters": [
                        {"key": "_actions", "value": ["/<ns>/a", "/<ns>/p/b", "/<ns>/bound/b"]}
                    ],
                    "limits": Exactly(
                        {"timeout": 60_000, "memory": 256, "logs": 10, "concurrency": 1}
                    ),
                    "annotations": [
                        {"key": "exec", "value": "sequence"},
                        {"key": "provide-api-key", "value": False},
                    ],
                },
            ),
            ask(
                "GET actions/s?code=false",
                shows={
                    "exec": Exactly(
                        {
                            "kind": "sequence",
                            "components": ["/<ns>/a", "/<ns>/p/b", "/<ns>/bound/b"],
                        }
                    )
                },
            ),
            ask(
                "PUT actions/s?overwrite=true",
                {"parameters": pairs(y=1)},
                shows={"parameters": [{"key": "_actions"}]},
            ),
            ask(
                "PUT actions/s?overwrite=true",
                sequence({"path": "<ns>", "name": "a"}),
                shows={"exec": {"components": ["/<ns>/a"]}, "parameters": [{"value": ["/<ns>/a"]}]},
            ),
            ask(
                "PUT actions/s?overwrite=true",
                CODE,
                shows={"parameters": [], "exec": {"kind": "python:3.x"}},
            ),
            ask("PUT actions/s?overwrite=true", sequence("a")),
            ask(
                "PUT actions/s?overwrite=true",
                CODE | {"parameters": pairs(z=1)},
                shows={"parameters": pairs(z=1)},
            ),
            refused("PUT actions/t", 400, FQN, {"exec": {"kind": "sequence", "components": ["a"]}}),
            refused("PUT actions/t", 400, "No component specified for the sequence.", sequence()),
            refused(
                "PUT actions/t", 400, "Too many actions in the sequence.", sequence(*["a"] * 51)
            ),
            ask("PUT actions/most", sequence(*["a"] * 50)),
            refused(
                "PUT actions/t", 400, "Too many actions in the sequence.", sequence("most", "a")
            ),
            refused(
                "PUT actions/t", 400, "Sequence component does not exist.", sequence("a", "nosuch")
            ),
            refused("PUT actions/t", 404, NO_RESOURCE, sequence("nosuch/a")),
            refused("PUT actions/t", 403, holding("not authorized"), sequence("/<other>/a")),
            refused("PUT actions/t", 403, holding("not authorized"), sequence("/<other>/p/a", "a")),
            refused("PUT actions/t", 400, CYCLIC, sequence("t")),
            ask("PUT actions/s1", sequence("a")),
            ask("PUT actions/s2", sequence("s1")),
            ask("PUT actions/p/s3", sequence("s2")),
            refused("PUT actions/s1?overwrite=true", 400, CYCLIC, sequence("a", "s1")),
            refused("PUT actions/s1?overwrite=true", 400, CYCLIC, sequence("p/s3")),
            refused("PUT actions/p/s3?overwrite=true", 400, CYCLIC, sequence("bound/s3")),
            typed("action create made --sequence a,p/b", "ok: created action made\n"),
            typed(
                "action get made exec",
                "ok: got action made, displaying field exec\n",
                shows=Exactly({"kind": "sequence", "components": ["/<ns>/a", "/<ns>/p/b"]}),
            ),
            fails(
                "action create again --sequence nosuch",
                144,
                re.compile("Sequence component does not exist."),
            ),
            fails("action get made --save", 2, re.compile("Cannot save action sequences")),
            fails(
                "action create none --sequence",
                2,
                re.compile(
                    r"Invalid argument\(s\)\. An action name and code artifact are required\."
                ),
            ),
        ],
    ),
    Row(
        "4.3 4.4 t33 t36",
        "a sequence runs its parts one after the other",
        [
            ask("PUT actions/inc", code(INC)),
            ask("PUT actions/large", code(INC, limits={"memory": 512})),
            ask("PUT actions/two", sequence("inc", "large")),
            ask("PUT packages/p", {"parameters": pairs(kp=1)}),
            ask("PUT actions/p/s", sequence("two", "inc")),
            ask("PUT packages/bound", {"binding": {"namespace": "_", "name": "p"}}),
            ask(
                "POST actions/bound/s?blocking=true",
                {"n": 1, "error": "goes on"},
                save="s",
                shows={
                    "name": "s",
                    "response": {"result": Exactly({"n": 4}), "status": "success", "size": "<n>"},
                    "logs": lambda ids: len(ids) == 2,
                    "cause": ABSENT,
                },
            ),
            ask(
                "GET activations/<s>",
                shows={
                    "logs": lambda ids: len(ids) == 2,
                    "annotations": annotated(
                        topmost=True,
                        kind="sequence",
                        path=lambda path: path.endswith("/p/s"),
                        binding=lambda path: path.endswith("/bound"),
                        waitTime=is_number,
                        causedBy=ABSENT,
                        initTime=ABSENT,
                        timeout=ABSENT,
                        limits={"timeout": 60_000, "memory": 512, "logs": 10, "concurrency": 1},
                    ),
                },
                eventually=True,
            ),
            ask(
                "GET activations?name=two&docs=true",
                shows=[
                    {
                        "cause": "<s>",
                        "logs": lambda ids: len(ids) == 2,
                        "annotations": annotated(
                            topmost=False, causedBy="sequence", kind="sequence", binding=ABSENT
                        ),
                    }
                ],
                eventually=True,
            ),
            ask(
                "GET activations?name=large&docs=true",
                shows=[{"annotations": annotated(causedBy="sequence", topmost=ABSENT)}],
                eventually=True,
            ),
            ask(
                "GET activations?name=inc&docs=true",
                shows=lambda found: [each["response"]["result"]["n"] for each in found] == [4, 2],
                eventually=True,
            ),
            typed("action invoke bound/s -r -p n 5", '{\n    "n": 8\n}\n'),
        ],
    ),
    Row(
        "4.3 t33 t34",
        "a sequence ends where a part fails",
        [
            ask("PUT actions/inc", code(INC)),
            ask("PUT actions/fails", code("def main(args):\n    return {'error': args}\n")),
            ask("PUT actions/crash", code("import os\ndef main(args):\n    os._exit(1)\n")),
            ask("PUT actions/list", code("def main(args):\n    return [1]\n")),
            ask("PUT actions/gone", code(INC)),
            ask("PUT actions/s1", sequence("inc", "fails", "inc")),
            ask("PUT actions/s2", sequence("crash", "inc")),
            ask("PUT actions/s3", sequence("inc", "gone")),
            ask("PUT actions/s4", sequence("inc", "list")),
            ask("DELETE actions/gone"),
            ask(
                "POST actions/s1?blocking=true",
                {},
                status=502,
                shows={
                    "response": {
                        "status": "application error",
                        "result": Exactly({"error": {"n": 1}}),
                    },
                    "logs": lambda ids: len(ids) == 2,
                },
            ),
            ask(
                "POST actions/s2?blocking=true",
                {},
                status=502,
                shows={
                    "response": {"status": "action developer error"},
                    "logs": lambda ids: len(ids) == 1,
                },
            ),
            ask(
                "POST actions/s3?blocking=true",
                {},
                status=502,
                shows={
                    "response": {
                        "status": "application error",
                        "result": Exactly({"error": "Sequence component does not exist."}),
                    },
                    "logs": lambda ids: len(ids) == 1,
                },
            ),
            ask(
                "POST actions/s4?blocking=true&result=true", {}, shows=lambda result: result == [1]
            ),
            fails("action invoke s1 -r", 246, '{\n    "error": {\n        "n": 1\n    }\n}\n'),
        ],
    ),
    Row(
        "4.3 t34",
        "a sequence that has grown is too long where it is",
        [
            ask("PUT actions/a", CODE),
            ask("PUT actions/x", sequence("a")),
            ask("PUT actions/s", sequence("a", "x", "a")),
            ask("PUT actions/x?overwrite=true", sequence(*["a"] * 50)),
            ask(
                "POST actions/s?blocking=true",
                {"n": 1},
                status=502,
                shows={
                    "response": {
                        "status": "application error",
                        "result": Exactly({"error": "Too many actions in the sequence."}),
                    },
                    "logs": lambda ids: len(ids) == 2,
                },
            ),
            ask(
                "GET activations?name=x&docs=true",
                shows=[{"logs": lambda ids: len(ids) == 49}],
                eventually=True,
            ),
        ],
    ),
)
