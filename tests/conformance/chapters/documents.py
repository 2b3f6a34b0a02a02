"""What all documents have: versions, parameters, annotations."""

from tests.conformance.chapters.errors import MALFORMED, NO_RESOURCE
from tests.conformance.table import (
    CODE,
    Exactly,
    Row,
    ask,
    pairs,
    refused,
    typed,
)

ROWS = (
    Row(
        "2.4 2.6 t7 t14",
        "each overwriting is a version more, also of nothing",
        [
            step
            for path, document in (
                ("actions/v", CODE),
                ("triggers/v2", {}),
                ("packages/v3", {}),
                ("rules/v4", {"trigger": "/_/v2", "action": "/_/v"}),
            )
            for step in (
                ask(f"PUT {path}", document, shows={"version": "0.0.1", "publish": False}),
                refused(f"PUT {path}", 409, "resource already exists", document),
                ask(f"PUT {path}?overwrite=true", {}, shows={"version": "0.0.2"}),
                ask(
                    f"PUT {path}?overwrite=true",
                    {"updated": 1},
                    shows={"version": "0.0.3", "updated": lambda ms: ms > 1},
                ),
                ask(f"PUT {path}?overwrite=true", {"version": "1.2.3"}, shows={"version": "1.2.3"}),
                ask(f"PUT {path}?overwrite=true", {}, shows={"version": "1.2.4"}),
                ask(f"PUT {path}?overwrite=true", {"version": "2"}, shows={"version": "2.0.0"}),
                ask(f"PUT {path}?overwrite=true", {"version": "03.1"}, shows={"version": "3.1.0"}),
                refused(
                    f"PUT {path}?overwrite=true",
                    400,
                    lambda text: text.startswith(MALFORMED),
                    {"version": "0.0.0"},
                ),
                refused(
                    f"PUT {path}?overwrite=true",
                    400,
                    lambda text: text.startswith(MALFORMED),
                    {"version": "a.b"},
                ),
            )
        ]
        + [
            ask("DELETE rules/v4"),
            ask(
                "DELETE actions/v",
                shows={"version": "3.1.0", "exec": {"code": "def main(args):\n    return args\n"}},
            ),
            refused("DELETE actions/v", 404, NO_RESOURCE),
            ask("PUT actions/v?overwrite=true", CODE, shows={"version": "0.0.1"}),
            refused("PUT actions/v", 400, lambda text: text.startswith(MALFORMED), b"{"),
        ],
    ),
    Row(
        "2.5 t8 t9 c1.4",
        "annotations of an action merge, parameters replace",
        [
            ask(
                "PUT actions/a",
                CODE | {"parameters": pairs(p=1, q=2), "annotations": pairs(x=1, y=2)},
            ),
            ask(
                "PUT actions/a?overwrite=true",
                {"parameters": pairs(r=3), "annotations": pairs(y=3, z=4)},
                shows={
                    "parameters": pairs(r=3),
                    "annotations": [
                        *pairs(x=1, y=3, z=4),
                        {"key": "provide-api-key", "value": False},
                        {"key": "exec", "value": "python:3.x"},
                    ],
                },
            ),
            ask(
                "PUT actions/a?overwrite=true",
                {"delAnnotations": ["x", "nosuch", "provide-api-key"]},
                shows={
                    "parameters": pairs(r=3),
                    "annotations": [*pairs(y=3, z=4), {"key": "exec", "value": "python:3.x"}],
                },
            ),
            ask(
                "PUT actions/a?overwrite=true",
                {"annotations": pairs(exec="mine", y=0), "delAnnotations": ["y"]},
                shows={"annotations": [*pairs(y=0, z=4), {"key": "exec", "value": "python:3.x"}]},
            ),
            ask("PUT triggers/t", {"parameters": pairs(p=1), "annotations": pairs(x=1)}),
            ask(
                "PUT triggers/t?overwrite=true",
                {"annotations": pairs(y=1)},
                shows={"parameters": pairs(p=1), "annotations": pairs(y=1)},
            ),
            ask("PUT packages/k", {"parameters": pairs(p=1), "annotations": pairs(x=1)}),
            ask(
                "PUT packages/k?overwrite=true",
                {"parameters": []},
                shows={"parameters": [], "annotations": pairs(x=1)},
            ),
            typed("action update a --del-annotation z -a w 5", "ok: updated action a\n"),
            ask(
                "GET actions/a",
                shows={"annotations": [*pairs(w=5, y=0), {"key": "exec", "value": "python:3.x"}]},
            ),
        ],
    ),
    Row(
        "2.5",
        "parameters and their forms",
        [
            ask(
                "PUT actions/a",
                CODE
                | {
                    "parameters": [
                        {"key": "n", "value": None},
                        {"key": "k", "value": 1},
                        {"key": "k", "value": 2},
                        {"key": "i", "value": "x", "init": True},
                        {"key": "j", "value": 1, "init": False, "more": 1},
                    ]
                },
                shows={
                    "parameters": [
                        {"key": "i", "value": "x", "init": True},
                        Exactly({"key": "j", "value": 1}),
                        {"key": "k", "value": 2},
                        {"key": "n", "value": None},
                    ]
                },
            ),
            *(
                refused(
                    "PUT actions/b",
                    400,
                    lambda text: text.startswith(MALFORMED),
                    CODE | {"parameters": wrong},
                )
                for wrong in (
                    {"k": 1},
                    [{"key": "k"}],
                    [{"value": 1}],
                    [{"key": 1, "value": 1}],
                    ["k"],
                    [{"key": "k", "value": 1, "init": "yes"}],
                    "x",
                )
            ),
            refused(
                "PUT actions/b",
                400,
                lambda text: text.startswith(MALFORMED),
                CODE | {"annotations": {"k": 1}},
            ),
            refused(
                "PUT triggers/b",
                400,
                lambda text: text.startswith(MALFORMED),
                {"parameters": {"k": 1}},
            ),
        ],
    ),
    Row(
        "2.5 3.6",
        "a megabyte of parameters, and a byte more",
        [
            refused(
                f"PUT {path}",
                413,
                f"{field} larger than allowed: 1048577 > 1048576 bytes.",
                document | {field: pairs(p="x" * (1_048_577 - 3))},
            )
            for path, document in (("actions/a", CODE), ("triggers/t", {}), ("packages/p", {}))
            for field in ("parameters", "annotations")
        ],
    ),
)
