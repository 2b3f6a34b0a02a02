"""Actions: what their documents say, and what is refused."""

import base64
import io
import re
import zipfile
from typing import Final

from tests.conformance.chapters.errors import MALFORMED, NO_RESOURCE
from tests.conformance.table import (
    ABSENT,
    CODE,
    ECHO,
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

LIMITS: Final = {"timeout": 60_000, "memory": 256, "logs": 10, "concurrency": 1}
MADE: Final = [{"key": "provide-api-key", "value": False}, {"key": "exec", "value": "python:3.x"}]
HINT: Final = "Run 'wsk --help' for usage.\n"


def archive(**files: str) -> str:
    """Return a zip archive in base64."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, text in files.items():
            file.writestr(name.replace("__py", ".py"), text)
    return base64.b64encode(held.getvalue()).decode()


def malformed(detail: str) -> str:
    """Return the text for a body that is JSON of another form."""
    return MALFORMED + detail


ROWS = (
    Row(
        "3.1 3.2 3.3 3.4 t9 t11 c1.4 c2.1",
        "an action is made, read, changed, and deleted",
        [
            ask(
                "PUT actions/a",
                CODE | {"annotations": pairs(x=1)},
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "a",
                        "version": "0.0.1",
                        "publish": False,
                        "updated": "<n>",
                        "exec": Exactly({"kind": "python:3.x", "code": ECHO, "binary": False}),
                        "limits": Exactly(LIMITS),
                        "parameters": [],
                        "annotations": [*pairs(x=1), *MADE],
                    }
                ),
            ),
            ask(
                "GET actions/a",
                shows={"exec": Exactly({"kind": "python:3.x", "code": ECHO, "binary": False})},
            ),
            ask(
                "GET actions/a?code=false",
                shows={
                    "exec": Exactly({"kind": "python:3.x", "binary": False}),
                    "limits": Exactly(LIMITS),
                },
            ),
            ask(
                "PUT actions/a?overwrite=true",
                {"limits": {"memory": 128}},
                shows={
                    "version": "0.0.2",
                    "limits": Exactly(LIMITS | {"memory": 128}),
                    "exec": {"code": ECHO},
                },
            ),
            ask(
                "PUT actions/a?overwrite=true",
                code("x = 1", limits={"timeout": 100}),
                shows={
                    "limits": Exactly(LIMITS | {"memory": 128, "timeout": 100}),
                    "exec": {"code": "x = 1"},
                },
            ),
            ask("DELETE actions/a", shows={"exec": {"code": "x = 1"}, "version": "0.0.3"}),
            typed("action create a a.py -a x 1 -m 128", "ok: created action a\n"),
            typed(
                "action get a",
                "ok: got action a\n",
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "a",
                        "version": "0.0.1",
                        "publish": False,
                        "updated": "<n>",
                        "exec": Exactly({"kind": "python:3.x", "binary": False}),
                        "limits": Exactly(LIMITS | {"memory": 128}),
                        "annotations": [*pairs(x=1), *MADE],
                    }
                ),
            ),
            typed(
                "action get a exec",
                "ok: got action a, displaying field exec\n",
                shows=Exactly({"kind": "python:3.x", "binary": False}),
            ),
            typed("action get a VERSION", 'ok: got action a, displaying field VERSION\n"0.0.1"\n'),
            typed("action get a publish", "ok: got action a, displaying field publish\nfalse\n"),
            fails("action get a nosuch", 2, f"error: Invalid field filter 'nosuch'.\n{HINT}"),
            typed("action update a -p k v", "ok: updated action a\n"),
            typed(
                "action get a parameters",
                "ok: got action a, displaying field parameters\n",
                shows=pairs(k="v"),
            ),
            fails(
                "action create a a.py",
                153,
                "error: Unable to create action 'a': resource already exists "
                f"(code <transid>)\n{HINT}",
            ),
            typed("action delete a", "ok: deleted action a\n"),
            fails(
                "action delete a",
                148,
                f"error: Unable to delete action 'a': {NO_RESOURCE} (code <transid>)\n{HINT}",
            ),
        ],
        files={"a.py": ECHO},
    ),
    Row(
        "3.2 3.3 0.4",
        "a document that is none of an action's",
        [
            refused("PUT actions/a", 400, "exec undefined", {}),
            refused("PUT actions/a", 400, "exec undefined", {"parameters": []}),
            refused(
                "PUT actions/a",
                400,
                malformed("'kind' must be a string defined in 'exec'"),
                {"exec": {}},
            ),
            refused(
                "PUT actions/a",
                400,
                malformed("'kind' must be a string defined in 'exec'"),
                {"exec": {"kind": 1}},
            ),
            refused("PUT actions/a", 400, malformed("JSON object expected"), {"exec": "x"}),
            refused(
                "PUT actions/a",
                400,
                lambda text: text.startswith(MALFORMED + "'code' must be a string"),
                {"exec": {"kind": "python:default"}},
            ),
            refused(
                "PUT actions/a",
                400,
                lambda text: text.startswith(MALFORMED + "'code' must be a string"),
                {"exec": {"kind": "python:default", "code": 1}},
            ),
            refused(
                "PUT actions/a",
                400,
                lambda text: text.startswith(MALFORMED + "if defined, 'main' be a string"),
                {"exec": {"kind": "python:default", "code": "", "main": 1}},
            ),
            refused(
                "PUT actions/a",
                400,
                malformed("'components' must be defined for sequence kind"),
                {"exec": {"kind": "sequence"}},
            ),
            refused(
                "PUT actions/a",
                400,
                malformed("'components' must be an array"),
                {"exec": {"kind": "sequence", "components": "/_/a"}},
            ),
            refused(
                "PUT actions/a",
                400,
                malformed("'image' must be a string defined in 'exec' for 'blackbox' actions"),
                {"exec": {"kind": "blackbox"}},
            ),
            refused(
                "PUT actions/a",
                400,
                malformed("could not parse image name"),
                {"exec": {"kind": "blackbox", "image": "Not An Image"}},
            ),
            refused(
                "PUT actions/a",
                400,
                holding(
                    "runtime 'nosuch:1' is not supported by this platform. Valid values are: ",
                    "'sequence'",
                    "'blackbox'",
                ),
                {"exec": {"kind": "nosuch:1", "code": ""}},
            ),
            refused(
                "PUT actions/a",
                400,
                re.compile(r"'[^']+'\.\Z").search,
                {"exec": {"kind": "nosuch:1", "code": ""}},
            ),
            refused(
                "PUT actions/a",
                400,
                holding("runtime 'python'"),
                {"exec": {"kind": "python", "code": ""}},
            ),
            ask(
                "PUT actions/b",
                {"exec": {"kind": " Python:Default ", "code": ""}},
                shows={"exec": Exactly({"kind": "python:3.x", "code": "", "binary": False})},
            ),
            ask(
                "PUT actions/c",
                {"exec": {"kind": "python:default", "code": ECHO, "main": "other"}, "more": 1},
                shows={"exec": {"main": "other"}, "more": ABSENT},
            ),
            ask(
                "GET actions/c?code=false",
                shows={"exec": Exactly({"kind": "python:3.x", "binary": False, "main": "other"})},
            ),
            fails(
                "action create x x.nosuch",
                2,
                re.compile(r"'\.nosuch' is not a supported action runtime"),
            ),
            fails(
                "action create x gone.py",
                2,
                re.compile("File 'gone.py' is not a valid file or it does not exist"),
            ),
            fails(
                "action create x a.zip",
                2,
                re.compile(
                    "creating an action from a .zip artifact requires specifying "
                    "the action kind explicitly"
                ),
            ),
            fails(
                "action create x a.py --kind nosuch:1",
                144,
                re.compile("The specified runtime 'nosuch:1' is not supported by this platform"),
            ),
            fails(
                "action create x a.py --kind python:3 --docker img",
                149,
                re.compile("Cannot specify both --kind and --docker at the same time."),
            ),
            fails("action create x", 2, re.compile("Invalid argument")),
        ],
        files={"x.nosuch": "", "a.zip": "", "a.py": ECHO},
    ),
    Row(
        "3.4 t9",
        "annotations of the system's",
        [
            *(
                ask(
                    f"PUT actions/{name}",
                    CODE | {"annotations": [{"key": "provide-api-key", "value": value}]},
                    shows={"annotations": [MADE[1], {"key": "provide-api-key", "value": value}]},
                )
                for name, value in (("t", True), ("f", False), ("n", None), ("s", "no"))
            ),
            ask(
                "PUT actions/e",
                CODE | {"annotations": pairs(exec="mine")},
                shows={"annotations": MADE},
            ),
            ask("GET actions?limit=1", shows=[{"annotations": MADE}], eventually=True),
            ask(
                "PUT actions/e?overwrite=true",
                {"delAnnotations": ["provide-api-key", "exec"]},
                shows={"annotations": MADE[1:]},
            ),
            ask("PUT actions/e?overwrite=true", {}, shows={"annotations": MADE[1:]}),
        ],
    ),
    Row(
        "3.7 t19 2.5",
        "final parameters are not overridden, but those that are null may be given",
        [
            ask(
                "PUT actions/a",
                CODE | {"parameters": pairs(p=1, n=None), "annotations": pairs(final=True)},
            ),
            ask(
                "POST actions/a?blocking=true&result=true",
                {"n": 2, "q": 3},
                shows=Exactly({"p": 1, "n": 2, "q": 3}),
            ),
            refused(
                "POST actions/a?blocking=true",
                400,
                "Request defines parameters that are not allowed (e.g., reserved properties).",
                {"p": 2},
            ),
            refused("POST actions/a", 400, holding("not allowed"), {"p": 1}),
            ask("PUT actions/a?overwrite=true", {"annotations": pairs(final="true")}),
            ask("POST actions/a?blocking=true&result=true", {"p": 2}, shows={"p": 2}),
            ask("PUT packages/k", {"parameters": pairs(kp=1)}),
            ask("PUT actions/k/a", CODE | {"annotations": pairs(final=True)}),
            refused("POST actions/k/a", 400, holding("not allowed"), {"kp": 1}),
        ],
    ),
)
