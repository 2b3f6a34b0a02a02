"""Rules: between a trigger and an action."""

import re
from typing import Any, Final

from tests.conformance.chapters.errors import MALFORMED, NO_RESOURCE, NOT_FOUND
from tests.conformance.chapters.triggers import FQN, RULE
from tests.conformance.table import (
    ABSENT,
    CODE,
    Exactly,
    Row,
    ask,
    fails,
    holding,
    pairs,
    refused,
    sequence,
    typed,
)

NOT_NAMES: Final[tuple[Any, ...]] = (3, [], "//")
INCOMPLETE: Final = ({"path": "x"}, {"name": "a"})
NO_STATES: Final[tuple[Any, ...]] = ({}, {"status": 1}, [], b"")

ROWS = (
    Row(
        "8.1 8.2 8.3 t30 c1.8 c2.1 c2.5",
        "a rule is made, read, switched, and deleted",
        [
            ask("PUT triggers/t", {}),
            ask("PUT packages/p", {}),
            ask("PUT actions/p/a", CODE),
            ask("PUT actions/a", CODE),
            ask(
                "PUT rules/r",
                {
                    "trigger": "/_/t",
                    "action": "/_/p/a",
                    "status": "inactive",
                    "annotations": pairs(x=1),
                },
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "r",
                        "version": "0.0.1",
                        "publish": False,
                        "updated": "<n>",
                        "status": "active",
                        "trigger": Exactly({"path": "<ns>", "name": "t"}),
                        "action": Exactly({"path": "<ns>/p", "name": "a"}),
                        "annotations": pairs(x=1),
                    }
                ),
            ),
            ask(
                "GET triggers/t",
                shows={
                    "version": "0.0.1",
                    "rules": lambda rules: (
                        [(each["status"], each["action"]["name"]) for each in rules.values()]
                        == [("active", "a")]
                    ),
                },
            ),
            ask(
                "POST rules/r",
                {"status": "inactive", "trigger": None, "action": None},
                shows="OK",
                has={"content-type": re.compile("text/plain")},
            ),
            ask("GET rules/r", shows={"status": "inactive", "version": "0.0.1"}),
            ask(
                "PUT rules/r?overwrite=true",
                {},
                shows={"status": "inactive", "version": "0.0.2", "action": {"path": "<ns>/p"}},
            ),
            ask("PUT triggers/t2", {}),
            ask(
                "PUT rules/r?overwrite=true",
                {"trigger": "<ns>/t2"},
                shows={"status": "inactive", "trigger": {"name": "t2"}},
            ),
            ask("GET triggers/t", shows={"rules": Exactly({})}),
            ask("POST rules/r", {"status": "active"}, shows="OK"),
            ask("GET rules/r", shows={"status": "active"}),
            ask("DELETE rules/r", shows={"status": "inactive", "name": "r", "version": "0.0.3"}),
            ask("GET triggers/t2", shows={"rules": Exactly({})}),
            ask("PUT rules/r?overwrite=true", RULE, shows={"status": "active", "version": "0.0.1"}),
            ask("DELETE rules/r"),
            typed("rule create r t p/a", "ok: created rule r\n"),
            typed(
                "rule get r",
                "ok: got rule r\n",
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "r",
                        "version": "0.0.1",
                        "status": "active",
                        "publish": False,
                        "updated": "<n>",
                        "trigger": {"path": "<ns>", "name": "t"},
                        "action": {"path": "<ns>/p", "name": "a"},
                    }
                ),
            ),
            typed("rule get r -s", "rule /<ns>/r\n   (status: active)\n"),
            typed("rule disable r", "ok: disabled rule r\n"),
            typed("rule status r", "ok: rule r is inactive\n"),
            typed("rule update r t a", "ok: updated rule r\n"),
            typed("rule get r status", 'ok: got rule r, displaying field status\n"inactive"\n'),
            typed(
                "rule list", re.compile(r"\Arules\n/<ns>/r +private +inactive\n\Z"), eventually=True
            ),
            typed("rule enable r", "ok: enabled rule r\n"),
            fails(
                "rule create r t a",
                153,
                "error: Unable to create rule 'r': resource already exists (code <transid>)\n",
            ),
            fails(
                "rule create r2 t",
                1,
                "error: Invalid argument(s). A rule, trigger and action name are required.\n"
                "Run 'wsk --help' for usage.\n",
            ),
            fails(
                "rule status nosuch",
                148,
                f"error: Unable to get status of rule 'nosuch': {NO_RESOURCE} (code <transid>)\n"
                "Run 'wsk --help' for usage.\n",
            ),
            fails(
                "rule enable nosuch",
                148,
                f"error: Unable to enable rule 'nosuch': {NO_RESOURCE} (code <transid>)\n",
            ),
            typed("rule delete r --disable", "ok: deleted rule r\n"),
        ],
    ),
    Row(
        "8.3 t32 c2.8",
        "what a rule cannot refer to",
        [
            ask("PUT triggers/t", {}),
            ask("PUT actions/a", CODE),
            *(
                refused(
                    "PUT rules/r", 400, "rule requires a valid trigger and a valid action", body
                )
                for body in ({}, {"trigger": "/_/t"}, {"action": "/_/a"})
            ),
            *(
                refused("PUT rules/r", 400, FQN, body)
                for body in (RULE | {"trigger": "t"}, RULE | {"action": "a"})
            ),
            refused(
                "PUT rules/r", 400, "trigger /<ns>/no does not exist", RULE | {"trigger": "/_/no"}
            ),
            refused(
                "PUT rules/r",
                400,
                "trigger /<ns>/no does not exist",
                {"trigger": "/_/no", "action": "/_/no"},
            ),
            refused(
                "PUT rules/r", 400, "action /<ns>/no does not exist", RULE | {"action": "/_/no"}
            ),
            refused("PUT rules/r", 404, NO_RESOURCE, RULE | {"action": "/_/nosuch/a"}),
            refused("PUT rules/r", 403, holding("not authorized"), RULE | {"action": "/<other>/a"}),
            refused(
                "PUT rules/r", 403, holding("not authorized"), RULE | {"trigger": "/<other>/t"}
            ),
            refused(
                "PUT rules/r", 403, holding("not authorized"), RULE | {"action": "/<other>/p/a"}
            ),
            ask(
                "PUT rules/r",
                {"trigger": {"path": "<ns>", "name": "t"}, "action": {"path": "_", "name": "a"}},
                shows={"action": Exactly({"path": "<ns>", "name": "a"})},
            ),
            *(
                refused(
                    "PUT rules/q",
                    400,
                    lambda text: text.startswith(MALFORMED),
                    RULE | {"action": wrong},
                )
                for wrong in (*NOT_NAMES, *INCOMPLETE)
            ),
            fails(
                "rule create q no a",
                144,
                "error: Unable to create rule 'q': trigger /<ns>/no does not exist (code <transid>)\n",
            ),
            fails(
                "rule create q t no",
                144,
                "error: Unable to create rule 'q': action /<ns>/no does not exist (code <transid>)\n",
            ),
            refused("GET rules/r/x", 404, NOT_FOUND),
        ],
    ),
    Row(
        "8.5 t30 t31",
        "rules of triggers that are gone",
        [
            ask("PUT triggers/t", {}),
            ask("PUT actions/a", CODE),
            ask("PUT rules/r", RULE),
            *(
                refused("POST rules/r", 400, lambda text: text.startswith(MALFORMED), body)
                for body in NO_STATES
            ),
            refused(
                "POST rules/r",
                400,
                MALFORMED + "requirement failed: on is not a recognized rule state",
                {"status": "on"},
            ),
            refused(
                "POST rules/r",
                400,
                lambda text: text.startswith(MALFORMED),
                {"status": "activating"},
            ),
            refused(
                "POST rules/nosuch", 400, lambda text: text.startswith(MALFORMED), {"status": "x"}
            ),
            refused("POST rules/nosuch", 404, NO_RESOURCE, {"status": "active"}),
            ask("POST rules/r", {"status": "active"}, shows="OK"),
            ask("DELETE triggers/t", shows={"rules": lambda rules: len(rules) == 1}),
            ask("GET rules/r", shows={"status": "inactive"}),
            ask("POST rules/r", {"status": "inactive"}, shows="OK"),
            refused(
                "POST rules/r",
                404,
                "Only rules with existing triggers can be activated",
                {"status": "active"},
            ),
            refused("PUT rules/r?overwrite=true", 400, "trigger /<ns>/t does not exist", {}),
            fails(
                "rule enable r",
                148,
                "error: Unable to enable rule 'r': Only rules with existing triggers can be activated "
                "(code <transid>)\n",
            ),
            ask("PUT triggers/t", {}, shows={"rules": ABSENT}),
            ask("GET rules/r", shows={"status": "inactive"}),
            ask("POST rules/r", {"status": "active"}, shows="OK"),
            ask("GET triggers/t", shows={"rules": lambda rules: len(rules) == 1}),
            ask("DELETE actions/a"),
            ask("GET rules/r", shows={"status": "active"}),
            ask("DELETE triggers/t"),
            ask("DELETE rules/r", shows={"status": "inactive"}),
            refused("GET rules/r", 404, NO_RESOURCE),
        ],
    ),
    Row(
        "7.4 8.5 t29",
        "a sequence behind a rule is given what was fired",
        [
            ask("PUT triggers/t", {"parameters": pairs(p="t")}),
            ask("PUT actions/a", CODE),
            ask("PUT actions/s", sequence("a", "a")),
            ask("PUT rules/r", RULE | {"action": "/_/s"}),
            ask("POST triggers/t", {"q": 1}, status=202),
            ask(
                "GET activations?name=s&docs=true",
                shows=[
                    {
                        "cause": ABSENT,
                        "logs": lambda ids: len(ids) == 2,
                        "response": {"result": {"p": "t", "q": 1}},
                    }
                ],
                eventually=True,
            ),
        ],
    ),
)
