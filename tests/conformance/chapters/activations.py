"""Activations: reading them, lists and their filters."""

import re

from tests.conformance.chapters.errors import NO_RESOURCE, NOT_FOUND
from tests.conformance.table import ABSENT, CODE, Exactly, Row, ask, fails, holding, refused, typed

NONE = "0" * 32
FILTER = "Parameter may be a 'simple' name or 'package-name/simple' name: "
EPOCH = "Parameter is not a valid value for epoch seconds: "

ROWS = (
    Row(
        "9.1 t24 t25 c1.5",
        "ids that are none, and that nobody has",
        [
            *(
                refused(f"GET activations/{NONE}{rest}", 404, NO_RESOURCE)
                for rest in ("", "/result", "/logs", "/")
            ),
            refused(f"GET activations/{NONE}/bogus", 404, NOT_FOUND),
            *(
                refused(
                    f"GET activations/{id_}{rest}",
                    400,
                    f"Activation id length is {len(id_)} but must be 32.",
                )
                for id_ in ("abc", "a" * 33)
                for rest in ("", "/logs", "/result")
            ),
            *(
                refused(f"GET activations/{id_}", 400, "The activation id is not valid.")
                for id_ in ("A" * 32, "g" * 32, "-" * 32)
            ),
            fails(
                f"activation get {NONE}",
                148,
                f"error: Unable to get activation '{NONE}': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                f"activation logs {NONE}",
                148,
                f"error: Unable to get logs for activation '{NONE}': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                f"activation result {NONE}",
                148,
                f"error: Unable to get result for activation '{NONE}': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                f"activation get -g {NONE}",
                148,
                f"error: Unable to get activation '{NONE}': {NO_RESOURCE} (code <transid>)\n",
            ),
            fails(
                "activation get abc",
                144,
                "error: Unable to get activation 'abc': Activation id length is 3 but must be 32. "
                "(code <transid>)\n",
            ),
            fails(
                "activation get",
                1,
                "error: Invalid argument(s). An activation ID is required.\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "activation get --last",
                1,
                "error: Unable to get activation: Activation list does not contain any activations.\n"
                "Run 'wsk --help' for usage.\n",
            ),
            fails(
                "activation logs --last",
                1,
                "error: Unable to get logs for activation: Activation list does not contain any "
                "activations.\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "activation result -l",
                1,
                "error: Unable to get result for activation: Activation list does not contain any "
                "activations.\nRun 'wsk --help' for usage.\n",
            ),
            typed("activation list", "\n"),
            fails(f"activation get {NONE} nosuch", 1, "error: Invalid field filter 'nosuch'.\n"),
        ],
    ),
    Row(
        "9.2 2.7 t26 c1.5 c2.3",
        "a list, its bounds and its filters",
        [
            ask("PUT packages/p", {}),
            ask("PUT actions/a", CODE),
            ask("PUT actions/p/a", CODE),
            ask("POST actions/a?blocking=true", {"n": 1}, save="one"),
            ask("POST actions/p/a?blocking=true", {"n": 2}, save="two"),
            ask("POST actions/a?blocking=true", {"n": 3}, save="three"),
            ask(
                "GET activations",
                shows=[
                    {"activationId": "<three>"},
                    {"activationId": "<two>"},
                    {"activationId": "<one>"},
                ],
                eventually=True,
            ),
            ask("GET activations/", shows=lambda found: len(found) == 3),
            ask(
                "GET activations?limit=1",
                shows=[
                    Exactly(
                        {
                            "activationId": "<three>",
                            "namespace": "<ns>",
                            "name": "a",
                            "version": "0.0.1",
                            "publish": False,
                            "annotations": lambda found: (
                                {"path", "kind", "limits", "waitTime", "timeout"}
                                <= {each["key"] for each in found}
                            ),
                            "start": "<n>",
                            "end": "<n>",
                            "duration": "<n>",
                            "statusCode": 0,
                        }
                    )
                ],
            ),
            ask(
                "GET activations?limit=1&docs=true",
                shows=[
                    {
                        "activationId": "<three>",
                        "subject": "<ns>",
                        "logs": [],
                        "response": {"result": {"n": 3}},
                        "statusCode": ABSENT,
                    }
                ],
            ),
            ask("GET activations?limit=0", shows=lambda found: len(found) == 3),
            ask("GET activations?skip=1&limit=1", shows=[{"activationId": "<two>"}]),
            ask(
                "GET activations?name=a",
                shows=[{"activationId": "<three>"}, {"activationId": "<one>"}],
            ),
            ask("GET activations?name=p/a", shows=[{"activationId": "<two>"}]),
            ask("GET activations?name=nosuch", shows=[]),
            ask("GET activations?name=", shows=lambda found: len(found) == 3),
            ask("GET activations?name=%20", shows=lambda found: len(found) == 3),
            ask("GET activations?count=true", shows=Exactly({"activations": 3})),
            ask("GET activations?count=true&skip=2", shows=Exactly({"activations": 1})),
            ask("GET activations?count=true&name=a", shows=Exactly({"activations": 2})),
            ask("GET activations?count=true&name=a&skip=5", shows=Exactly({"activations": 0})),
            ask("GET activations?upto=1", shows=[]),
            ask("GET activations?since=1", shows=lambda found: len(found) == 3),
            ask("GET activations?since=99999999999999", shows=[]),
            ask(
                "GET activations?since=1&upto=99999999999999&count=true",
                shows=Exactly({"activations": 3}),
            ),
            refused(
                "GET activations?docs=true&count=true",
                400,
                holding("The parameter 'docs' is not permitted with 'count'."),
            ),
            *(
                refused(f"GET activations?name={wrong}", 400, holding(FILTER))
                for wrong in ("a/b/c", "0%20", "-a", "a//b/c", "/p/a/b")
            ),
            *(
                refused(f"GET activations?{bound}={wrong}", 400, holding(EPOCH, wrong))
                for bound in ("since", "upto")
                for wrong in ("x", "1.5")
            ),
            refused(
                "GET activations?limit=201",
                400,
                holding("The value '201' is not in the range of 0 to 200 for activations."),
            ),
            refused(
                "GET activations?limit=-1",
                400,
                holding("The value '-1' is not in the range of 0 to 200 for activations."),
            ),
            refused(
                "GET activations?limit=x",
                400,
                holding("The value 'x' is not an integer for activations."),
            ),
            refused(
                "GET activations?skip=-1",
                400,
                holding("The value '-1' is not greater than or equal to 0 for activations."),
            ),
            refused(
                "GET activations?docs=maybe", 400, holding("'maybe' is not a valid Boolean value")
            ),
            typed(
                "activation list -l 1",
                re.compile(
                    r"\ADatetime +Activation ID +Kind +Start +Duration +Status +Entity *\n"
                    r"[-\d]+ [:\d]+ <three> python:3\.\d+ (warm|cold) +\d+m?s +success +<ns>/a:0\.0\.1 *\n\Z"
                ),
            ),
            typed("activation list p/a", re.compile(r"\A.*\n.*<two>.*\n\Z")),
            typed("activation list /_/a", re.compile(r"\A.*\n.*<three>.*\n.*<one>.*\n\Z")),
            typed(
                "activation list -f -l 1",
                "activations\n",
                shows={"activationId": "<three>", "response": {"result": {"n": 3}}},
            ),
            typed(
                "activation get --last",
                "ok: got activation <three>\n",
                shows={"activationId": "<three>", "statusCode": 0},
            ),
            typed(
                "activation get --last name",
                'ok: got activation <three>, displaying field name\n"a"\n',
            ),
            typed("activation result --last", '{\n    "n": 3\n}\n'),
            typed(
                "activation get <one> RESPONSE",
                "ok: got activation <one>, displaying field RESPONSE\n",
                shows={
                    "status": "success",
                    "success": True,
                    "statusCode": 0,
                    "result": Exactly({"n": 1}),
                },
            ),
            typed(
                "activation get <one> -s name",
                re.compile(
                    r"\Aactivation result for '/<ns>/a' \(success at .*\)\n\{\n    \"n\": 1\n\}\n\Z"
                ),
            ),
            typed("activation get <one> -g", ""),
            typed(
                "activation poll --exit 1", "Enter Ctrl-c to exit.\nPolling for activation logs\n"
            ),
            fails("activation list -l x", 1, re.compile("x")),
            fails(
                "activation list -l 201",
                144,
                re.compile("The value '201' is not in the range of 0 to 200 for activations."),
            ),
        ],
    ),
    Row(
        "9.1 1.3",
        "records are their namespace's",
        [
            ask("PUT actions/a", CODE),
            ask("POST actions/a?blocking=true", {}, save="mine"),
            ask("GET activations/<mine>", eventually=True),
            refused(
                "GET /api/v1/namespaces/<ns>/activations/<mine>",
                403,
                holding("not authorized"),
                auth="other",
            ),
            refused("GET activations/<mine>", 404, NO_RESOURCE, auth="other"),
            ask("GET activations", shows=[], auth="other"),
        ],
    ),
)
