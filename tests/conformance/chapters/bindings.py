"""Bindings: what they show, and what cannot be bound."""

import re

from tests.conformance.chapters.errors import MALFORMED, NO_RESOURCE
from tests.conformance.chapters.packages import CIRCLE, WHERE
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
    typed,
)

ROWS = (
    Row(
        "6.3 t38",
        "what a package cannot be",
        [
            refused("PUT packages/default", 400, "Package name 'default' is reserved.", {}),
            refused(
                "PUT packages/default?overwrite=true",
                400,
                "Package name 'default' is reserved.",
                {},
            ),
            refused(
                "PUT packages/b", 400, lambda text: text.startswith(MALFORMED), {"binding": None}
            ),
            refused(
                "PUT packages/b", 400, lambda text: text.startswith(MALFORMED), {"binding": "x"}
            ),
            refused(
                "PUT packages/b",
                400,
                lambda text: text.startswith(MALFORMED),
                {"binding": {"namespace": "_"}},
            ),
            refused(
                "PUT packages/b",
                400,
                "Binding references a package that does not exist.",
                {"binding": {"namespace": "_", "name": "nosuch"}},
            ),
            refused(
                "PUT packages/b",
                403,
                holding("not authorized to access '<other>/nosuch'"),
                {"binding": {"namespace": "<other>", "name": "nosuch"}},
            ),
            ask("PUT actions/act", CODE),
            refused(
                "PUT packages/b",
                409,
                "Cannot bind to a resource that is not a package.",
                {"binding": {"namespace": "_", "name": "act"}},
            ),
            refused(
                "PUT packages/act?overwrite=true",
                409,
                CIRCLE,
                {"binding": {"namespace": "_", "name": "act"}},
            ),
            ask("PUT packages/p", {}),
            ask(
                "PUT packages/b",
                {"binding": {"namespace": "_", "name": "p"}},
                shows={"binding": Exactly({"namespace": "<ns>", "name": "p"})},
            ),
            refused(
                "PUT packages/b2",
                400,
                "Cannot bind to another package binding.",
                {"binding": {"namespace": "_", "name": "b"}},
            ),
            refused(
                "PUT packages/b?overwrite=true",
                400,
                "Cannot bind to another package binding.",
                {"binding": {"namespace": "_", "name": "b"}},
            ),
            refused(
                "PUT packages/p?overwrite=true",
                409,
                "Resource is a package and cannot be converted into a binding.",
                {"binding": {"namespace": "_", "name": "p"}},
            ),
            ask("PUT packages/p?overwrite=true", {"binding": {}}, shows={"binding": Exactly({})}),
            ask(
                "PUT packages/q",
                {"annotations": pairs(binding="mine", x=1)},
                shows={"annotations": pairs(x=1)},
            ),
            ask(
                "PUT packages/b?overwrite=true",
                {"binding": {"namespace": "_", "name": "q"}},
                shows={"binding": {"name": "q"}},
            ),
            ask("PUT packages/b?overwrite=true", {"binding": {}}, shows={"binding": {"name": "q"}}),
            ask(
                "PUT packages/b?overwrite=true",
                {"annotations": pairs(binding="mine", x=2)},
                shows={
                    "annotations": [
                        *pairs(x=2),
                        {"key": "binding", "value": {"namespace": "<ns>", "name": "q"}},
                    ]
                },
            ),
            fails(
                "package bind nosuch b3",
                144,
                "error: Binding creation failed: Binding references a package that "
                "does not exist. (code <transid>)\n",
            ),
            fails(
                "package bind act b3",
                153,
                "error: Binding creation failed: Cannot bind to a resource that is not a "
                "package. (code <transid>)\n",
            ),
            fails(
                "package bind b b3",
                144,
                "error: Binding creation failed: Cannot bind to another package binding. "
                "(code <transid>)\n",
            ),
            fails(
                "package create default",
                144,
                "error: Unable to create package 'default': Package name 'default' is "
                "reserved. (code <transid>)\n",
            ),
        ],
    ),
    Row(
        "6.4 2.5 t6 t36 c7.3",
        "a binding shows its package's actions, with its own parameters over theirs",
        [
            ask("PUT packages/p", {"parameters": pairs(a="p", b="p", c="p")}),
            ask(
                "PUT packages/bound",
                {"binding": {"namespace": "_", "name": "p"}, "parameters": pairs(b="b", c="b")},
            ),
            ask("PUT actions/p/act", code(WHERE, parameters=pairs(c="a"))),
            ask(
                "GET packages/bound",
                shows={
                    "namespace": "<ns>",
                    "name": "bound",
                    "binding": {"namespace": "<ns>", "name": "p"},
                    "parameters": pairs(a="p", b="b", c="b"),
                    "actions": [{"name": "act"}],
                    "feeds": [],
                    "annotations": [
                        {"key": "binding", "value": {"namespace": "<ns>", "name": "p"}}
                    ],
                },
                eventually=True,
            ),
            ask(
                "GET actions/bound/act",
                shows={
                    "namespace": "<ns>/p",
                    "name": "act",
                    "parameters": pairs(a="p", b="b", c="a"),
                },
            ),
            ask("GET actions/p/act", shows={"parameters": pairs(a="p", b="p", c="a")}),
            ask(
                "GET actions/bound/act?code=false",
                shows={"binding": "<ns>/bound", "exec": {"code": ABSENT}},
            ),
            ask(
                "POST actions/bound/act?blocking=true",
                {"d": 1},
                shows={
                    "name": "act",
                    "namespace": "<ns>",
                    "response": {
                        "result": {
                            "ns": "<ns>",
                            "args": Exactly({"a": "p", "b": "b", "c": "a", "d": 1}),
                        }
                    },
                },
                save="through",
            ),
            ask(
                "GET activations/<through>",
                shows={
                    "annotations": lambda found: (
                        any(
                            each["key"] == "binding" and each["value"].endswith("/bound")
                            for each in found
                        )
                        and any(
                            each["key"] == "path" and each["value"].endswith("/p/act")
                            for each in found
                        )
                    )
                },
                eventually=True,
            ),
            ask(
                "GET activations?name=bound/act",
                shows=[{"activationId": "<through>"}],
                eventually=True,
            ),
            ask("GET activations?name=p/act", shows=[]),
            ask("POST actions/p/act?blocking=true", {}, save="direct"),
            ask(
                "GET activations/<direct>",
                shows={
                    "annotations": lambda found: not any(each["key"] == "binding" for each in found)
                },
                eventually=True,
            ),
            ask(
                "GET activations?name=p/act", shows=[{"activationId": "<direct>"}], eventually=True
            ),
            refused(
                "PUT actions/bound/act2", 400, "Operation not permitted on package binding.", CODE
            ),
            refused("DELETE actions/bound/act", 400, "Operation not permitted on package binding."),
            refused("GET actions/bound/nosuch", 404, NO_RESOURCE),
            ask("DELETE packages/bound", shows={"binding": {"name": "p"}}),
            typed("package bind p bound -p b 5", "ok: created binding bound\n"),
            typed(
                "package get bound binding",
                "ok: got package bound, displaying field binding\n",
                shows=Exactly({"namespace": "<ns>", "name": "p"}),
            ),
            typed("package update bound -p b 6", "ok: updated package bound\n"),
            typed(
                "action invoke bound/act -r", shows={"args": Exactly({"a": "p", "b": 6, "c": "a"})}
            ),
            fails(
                "action update bound/act -p x 1",
                144,
                re.compile("Operation not permitted on package binding."),
            ),
        ],
    ),
    Row(
        "6.4 6.6",
        "a binding of what is gone can be deleted, and not read",
        [
            ask("PUT packages/p", {}),
            ask("PUT packages/b", {"binding": {"namespace": "_", "name": "p"}}),
            ask("DELETE packages/p"),
            refused("GET packages/b", 404, lambda text: True),
            refused("GET actions/b/a", 404, lambda text: True),
            ask("DELETE packages/b", shows={"name": "b"}),
        ],
    ),
)
