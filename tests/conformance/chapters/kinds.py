"""Code, kinds and limits of actions."""

import re

from tests.conformance.chapters.actions import LIMITS, MADE, archive, malformed
from tests.conformance.table import (
    ABSENT,
    CODE,
    ECHO,
    Exactly,
    Row,
    ask,
    code,
    fails,
    refused,
    typed,
)

ROWS = (
    Row(
        "3.3 t10 t15 c5.1",
        "what code looks like decides whether it is binary",
        [
            ask("PUT actions/text", code("abcd"), shows={"exec": {"binary": True}}),
            ask("PUT actions/text?overwrite=true", code("abc"), shows={"exec": {"binary": False}}),
            ask("PUT actions/text?overwrite=true", code(""), shows={"exec": {"binary": False}}),
            ask("PUT actions/text?overwrite=true", code("  "), shows={"exec": {"binary": False}}),
            ask(
                "PUT actions/text?overwrite=true",
                {"exec": {"kind": "python:default", "code": "x = 1", "binary": True}},
                shows={"exec": {"binary": False}},
            ),
            ask(
                "PUT actions/zip",
                code(archive(__main____py="def main(args): return {'zip': 1}")),
                shows={"exec": {"binary": True, "kind": "python:3.x"}, "annotations": MADE},
            ),
            ask("POST actions/zip?blocking=true&result=true", {}, shows=Exactly({"zip": 1})),
            ask(
                "PUT actions/image",
                {"exec": {"kind": "blackbox", "image": "some/image:latest", "code": " "}},
                shows={
                    "exec": Exactly(
                        {"kind": "blackbox", "image": "some/image:latest", "binary": False}
                    )
                },
            ),
            ask("GET actions/image", shows={"exec": {"code": ABSENT}}),
            fails("action get image --save", 2, re.compile("Cannot save Docker images")),
            ask(
                "PUT actions/image?overwrite=true",
                {"exec": {"kind": "blackbox", "image": "some/image", "code": "x"}},
                shows={
                    "exec": Exactly(
                        {"kind": "blackbox", "image": "some/image", "binary": False, "code": "x"}
                    )
                },
            ),
            ask(
                "GET actions/image?code=false",
                shows={
                    "exec": Exactly({"kind": "blackbox", "image": "some/image", "binary": False})
                },
            ),
            ask(
                "GET actions?limit=1&skip=0",
                shows=[{"annotations": [*MADE[:1], {"key": "exec", "value": "blackbox"}]}],
                eventually=True,
            ),
            typed(
                "action get text --save", re.compile(r"\Aok: saved action code to /.*/text\.py\n\Z")
            ),
            fails("action get text --save", 2, re.compile("The file 'text.py' already exists")),
            typed(
                "action get zip --save-as my.bin",
                re.compile(r"\Aok: saved action code to /.*/my\.bin\n\Z"),
            ),
        ],
    ),
    Row(
        "3.5 t11 c2.10",
        "limits of an action at their bounds and beyond",
        [
            *(
                ask(
                    "PUT actions/a?overwrite=true",
                    CODE | {"limits": given},
                    shows={"limits": Exactly(LIMITS | given)},
                )
                for given in (
                    {"timeout": 100},
                    LIMITS | {"timeout": 300_000},
                    LIMITS | {"memory": 128},
                    LIMITS | {"memory": 512},
                    LIMITS | {"logs": 0},
                    LIMITS,
                )
            ),
            *(
                refused(
                    "PUT actions/a?overwrite=true",
                    400,
                    f"requirement failed: {text}",
                    CODE | {"limits": given},
                )
                for given, text in (
                    (
                        {"timeout": 99},
                        "duration 99 milliseconds below allowed threshold of 100 milliseconds",
                    ),
                    (
                        {"timeout": 300_001},
                        "duration 300001 milliseconds exceeds allowed threshold of 300000 milliseconds",
                    ),
                    ({"memory": 127}, "memory size 127 MB below allowed threshold of 128 MB"),
                    ({"memory": 513}, "memory size 513 MB exceeds allowed threshold of 512 MB"),
                    ({"logs": 11}, "log size 11 MB exceeds allowed threshold of 10 MB"),
                    ({"concurrency": 0}, "concurrency 0 below allowed threshold of 1"),
                    ({"concurrency": 2}, "concurrency 2 exceeds allowed threshold of 1"),
                )
            ),
            *(
                refused(
                    "PUT actions/a?overwrite=true", 400, malformed(text), CODE | {"limits": given}
                )
                for given, text in (
                    ({"timeout": 1.5}, "requirement failed: time limit must be whole number"),
                    ({"memory": 128.5}, "requirement failed: memory limit must be whole number"),
                    ({"logs": 0.5}, "requirement failed: log limit must be whole number"),
                    ({"timeout": "100"}, "time limit malformed"),
                    ({"memory": "256"}, "memory limit malformed"),
                    ({"logs": "10"}, "log limit malformed"),
                    ({"concurrency": "1"}, "concurrency limit malformed"),
                    (
                        {"logs": -1},
                        "requirement failed: a negative size of an object is not allowed.",
                    ),
                )
            ),
            fails(
                "action create b a.py -m 64", 144, re.compile("below allowed threshold of 128 MB")
            ),
            fails(
                "action create b a.py -t 1",
                144,
                re.compile("below allowed threshold of 100 milliseconds"),
            ),
            fails(
                "action create b a.py -l 99", 144, re.compile("exceeds allowed threshold of 10 MB")
            ),
            fails("action create b a.py -c 99", 144, re.compile("exceeds allowed threshold of 1")),
            fails("action create b a.py -m many", 1, re.compile("many")),
        ],
        files={"a.py": ECHO},
    ),
    Row(
        "3.5 0.4",
        "instances are bounded by the namespace's concurrency",
        [
            ask(
                "PUT actions/a",
                CODE | {"limits": {"instances": 3}},
                shows={"limits": Exactly(LIMITS | {"instances": 3})},
            ),
            ask(
                "PUT actions/a?overwrite=true",
                {},
                shows={"limits": Exactly(LIMITS | {"instances": 3})},
            ),
            refused(
                "PUT actions/a?overwrite=true",
                400,
                "Max action instance concurrency must not exceed your namespace concurrency of 5.",
                {"limits": {"instances": 6}},
            ),
            refused(
                "PUT actions/a?overwrite=true",
                400,
                malformed(
                    "requirement failed: Action container concurrency must "
                    "be greater than or equal to 0."
                ),
                {"limits": {"instances": -1}},
            ),
        ],
        limits={"concurrentInvocations": 5},
    ),
    Row(
        "3.6",
        "code of 48 MB and a byte more",
        [
            refused(
                "PUT actions/a",
                413,
                "exec larger than allowed: 50331649 > 50331648 bytes.",
                code("#" * (50_331_648 + 1)),
            ),
            refused(
                "PUT actions/a",
                413,
                "exec larger than allowed: 50331649 > 50331648 bytes.",
                {"exec": {"kind": "python:default", "code": "#" * 50_331_645, "main": "main"}},
            ),
        ],
    ),
    Row(
        "3.3",
        "the kinds that there are",
        [
            ask(
                "PUT actions/js",
                {"exec": {"kind": "nodejs:default", "code": "function main(a) { return a }"}},
                shows={"exec": {"kind": re.compile(r"\Anodejs:\d+\Z").match}},
            ),
            ask(
                "POST actions/js?blocking=true&result=true",
                {"a": "<&>é"},
                shows=Exactly({"a": "<&>é"}),
            ),
            typed("action invoke js -r -p a '<&>é'", '{\n    "a": "<&>é"\n}\n'),
            typed("action get js --save", re.compile(r"/js\.js\n\Z")),
        ],
    ),
)
