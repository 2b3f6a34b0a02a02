"""Conductors, and what they conduct."""

from tests.conformance.chapters.invocation import annotated
from tests.conformance.chapters.sequences import ECHOES, INC, LOOP
from tests.conformance.table import (
    ABSENT,
    Exactly,
    Row,
    ask,
    code,
    pairs,
)

ROWS = (
    Row(
        "5.1 5.2 5.4 t37",
        "a conductor says what comes next",
        [
            ask("PUT actions/inc", code(INC)),
            ask("PUT actions/c", ECHOES),
            ask("PUT actions/loop", code(LOOP) | {"annotations": pairs(conductor=1)}),
            ask(
                "POST actions/loop?blocking=true",
                {"n": 1},
                save="loop",
                shows={
                    "name": "loop",
                    "cause": ABSENT,
                    "response": {"result": Exactly({"n": 4, "error_seen": None})},
                    "logs": lambda ids: len(ids) == 7,
                },
            ),
            ask(
                "GET activations/<loop>",
                shows={
                    "annotations": annotated(
                        topmost=True, conductor=True, kind="sequence", causedBy=ABSENT
                    )
                },
                eventually=True,
            ),
            ask(
                "GET activations?name=inc&docs=true",
                shows=lambda found: [each["cause"] for each in found].count(found[0]["cause"]) == 3,
                eventually=True,
            ),
            ask(
                "POST actions/c?blocking=true",
                {"x": 1},
                shows={
                    "logs": lambda ids: len(ids) == 1,
                    "response": {"result": Exactly({"x": 1})},
                },
            ),
            ask(
                "POST actions/c?blocking=true&result=true",
                {"params": {"a": 1}, "x": 1},
                shows=Exactly({"a": 1}),
            ),
            ask(
                "POST actions/c?blocking=true&result=true",
                {"params": 3},
                shows=Exactly({"value": 3}),
            ),
            ask(
                "POST actions/c?blocking=true&result=true",
                {"state": {"s": 1}, "x": 1},
                shows=Exactly({"state": {"s": 1}, "x": 1}),
            ),
            ask(
                "POST actions/c?blocking=true&result=true",
                {"action": "inc", "params": {"n": 3}},
                shows=Exactly({"n": 4}),
            ),
            ask(
                "POST actions/c?blocking=true&result=true",
                {
                    "action": "inc",
                    "params": {"n": 3},
                    "state": {"n": 9, "m": 1},
                    "method": "action",
                },
                shows=Exactly({"n": 9, "m": 1}),
            ),
            ask(
                "POST actions/c?blocking=true&result=true",
                {"action": "inc"},
                shows=Exactly({"n": 1}),
            ),
            ask(
                "POST actions/c?blocking=true&result=true",
                {"action": "inc", "state": 5},
                shows=Exactly({"n": 1, "state": 5}),
            ),
            *(
                ask(
                    "POST actions/c?blocking=true&result=true",
                    {"action": name, "params": {"n": 1}},
                    shows=Exactly({"n": 2}),
                )
                for name in ("/_/inc", "/<ns>/inc")
            ),
            ask(
                "POST actions/c?blocking=true",
                {"error": "no"},
                status=502,
                shows={
                    "response": {"status": "application error", "result": Exactly({"error": "no"})}
                },
            ),
        ],
    ),
    Row(
        "5.2 5.3 t37",
        "what a conductor names and is not there",
        [
            ask("PUT actions/c", ECHOES),
            *(
                ask(
                    "POST actions/c?blocking=true",
                    {"action": name},
                    status=502,
                    shows={
                        "response": {
                            "status": "application error",
                            "result": Exactly({"error": error}),
                        },
                        "logs": lambda ids: len(ids) == 2,
                    },
                )
                for name, error in (
                    (3, "Failed to parse action name from json value 3 during composition."),
                    ("", 'Failed to parse action name from json value "" during composition.'),
                    ("/a", 'Failed to parse action name from json value "/a" during composition.'),
                    (
                        "a/b/c/d",
                        'Failed to parse action name from json value "a/b/c/d" during composition.',
                    ),
                    (
                        {"a": 1},
                        'Failed to parse action name from json value {"a":1} during composition.',
                    ),
                    (
                        "nosuch",
                        "Failed to resolve action with name '<ns>/nosuch' during composition.",
                    ),
                    (
                        "/_/nosuch",
                        "Failed to resolve action with name '<ns>/nosuch' during composition.",
                    ),
                    (
                        "/<other>/a",
                        "Failed entitlement check for action with name '<other>/a' during composition.",
                    ),
                )
            ),
            ask("PUT actions/inc", code(INC)),
            ask(
                "PUT actions/for-ever",
                code(
                    "def main(args):\n    return {'action': 'inc'}\n",
                    annotations=pairs(conductor=True),
                ),
            ),
            ask(
                "POST actions/for-ever?blocking=true",
                {},
                status=502,
                shows={
                    "response": {
                        "status": "application error",
                        "result": Exactly({"error": "Too many actions in the composition."}),
                    },
                    "logs": lambda ids: len(ids) == 50 + 101,
                },
            ),
        ],
    ),
)
