"""Namespaces, and names in them."""

import re
from typing import Any
from urllib.parse import quote

from tests.conformance.chapters.errors import NO_RESOURCE, NOT_FOUND
from tests.conformance.table import (
    CODE,
    Ask,
    Exactly,
    Row,
    ask,
    fails,
    holding,
    refused,
    typed,
)

ILLEGAL = "The name of the entity contains illegal characters."
FOREIGN = "The supplied authentication is not authorized to access '<other>/{}'."


def each(name: str) -> list[Ask]:
    """Return requests that make and take away an action of that name."""
    path = f"actions/{quote(name, safe='')}"
    return [
        ask(f"PUT {path}", CODE, shows={"name": name}),
        ask(f"GET {path}", shows={"name": name}),
        ask(f"DELETE {path}", shows={"name": name}),
    ]


def ranges(collection: str) -> list[Ask]:
    """Return requests with bounds of lists that are none."""
    malformed = "The query parameter '{}' was malformed:\n{}"
    return [
        refused(f"GET {collection}?limit=201", 400, malformed.format(
            "limit", f"The value '201' is not in the range of 0 to 200 for {collection}.")),
        refused(f"GET {collection}?limit=-1", 400, malformed.format(
            "limit", f"The value '-1' is not in the range of 0 to 200 for {collection}.")),
        refused(f"GET {collection}?limit=x", 400, malformed.format(
            "limit", f"The value 'x' is not an integer for {collection}.")),
        refused(f"GET {collection}?skip=-1", 400, malformed.format(
            "skip", f"The value '-1' is not greater than or equal to 0 for {collection}.")),
        refused(f"GET {collection}?skip=1.5", 400, malformed.format(
            "skip", f"The value '1.5' is not an integer for {collection}.")),
        refused(f"GET {collection}?count=maybe", 400, malformed.format(
            "count", "'maybe' is not a valid Boolean value")),
    ]  # fmt: skip


def listed(collection: str, document: dict[str, Any], of_item: dict[str, Any]) -> list[Ask]:
    """Return requests that make three entities and list them."""
    return [
        *(ask(f"PUT {collection}/{name}", document) for name in ("a", "b", "c")),
        ask(f"GET {collection}", shows=lambda items: [each["name"] for each in items] == ["c", "b", "a"],
            eventually=True),
        ask(f"GET {collection}/?limit=2", shows=lambda items: [each["name"] for each in items] == ["c", "b"]),
        ask(f"GET {collection}?limit=1&skip=1",
            shows=[Exactly({"name": "b", "namespace": "<ns>", "version": "0.0.1", "publish": False,
                            "updated": "<n>", **of_item})]),
        ask(f"GET {collection}?limit=0", shows=lambda items: len(items) == 3),
        ask(f"GET {collection}?skip=3", shows=[]),
        ask(f"GET {collection}?count=true", shows=Exactly({collection: 3})),
        ask(f"GET {collection}?count=true&skip=1&limit=1", shows=Exactly({collection: 2})),
        ask(f"GET {collection}?count=true&skip=9", shows=Exactly({collection: 0})),
        *ranges(collection),
    ]  # fmt: skip


ROWS = (
    Row(
        "2.1 1.3 c1.10",
        "a key has one namespace, and `_` is it",
        [
            ask("GET /api/v1/namespaces", shows=["<ns>"]),
            ask("GET /api/v1/namespaces/", shows=["<ns>"]),
            ask("GET /api/v1/namespaces/<ns>/actions", shows=[]),
            ask("PUT /api/v1/namespaces/<ns>/actions/a", CODE, shows={"namespace": "<ns>"}),
            ask("GET actions/a", shows={"namespace": "<ns>"}),
            ask(
                "PUT actions/b",
                CODE | {"namespace": "elsewhere", "name": "x", "updated": 1},
                shows={"namespace": "<ns>", "name": "b", "updated": lambda ms: ms > 1},
            ),
            refused(
                "GET /api/v1/namespaces/-bad/actions",
                400,
                "The namespace contains illegal characters.",
            ),
            refused(
                f"GET /api/v1/namespaces/{'n' * 257}/actions",
                400,
                "Namespace longer than allowed: 257 > 256.",
            ),
            typed("namespace list", "namespaces\n<ns>\n"),
            fails("namespace get other", 1, re.compile("Invalid|not")),
        ],
    ),
    Row(
        "1.3 c2.10",
        "what belongs to others is forbidden, also where it is missing",
        [
            *(
                refused(
                    f"GET /api/v1/namespaces/<other>/{collection}",
                    403,
                    holding("The supplied authentication is not authorized to access"),
                )
                for collection in ("actions", "triggers", "rules", "activations", "limits")
            ),
            ask("GET /api/v1/namespaces/<other>/packages", shows=[]),
            ask("GET /api/v1/namespaces/no-such-one/packages", shows=[]),
            ask("GET /api/v1/namespaces/no-such-one/packages?public=maybe", shows=[]),
            *(
                refused(
                    f"{method} /api/v1/namespaces/<other>/actions/a", 403, FOREIGN.format("a"), body
                )
                for method, body in (("GET", b""), ("DELETE", b""), ("PUT", CODE), ("POST", {}))
            ),
            *(
                refused(
                    f"{method} /api/v1/namespaces/<other>/triggers/t",
                    403,
                    FOREIGN.format("t"),
                    body,
                )
                for method, body in (("GET", b""), ("DELETE", b""), ("PUT", {}), ("POST", {}))
            ),
            refused("GET /api/v1/namespaces/<other>/packages/p", 403, FOREIGN.format("p")),
            refused("PUT /api/v1/namespaces/<other>/packages/p", 403, FOREIGN.format("p"), {}),
            refused("GET /api/v1/namespaces/<other>/actions/p/a", 403, FOREIGN.format("p")),
            refused(
                "PUT /api/v1/namespaces/<other>/actions/p/a", 403, holding("not authorized"), CODE
            ),
            refused("GET /api/v1/namespaces/no-such-one/packages/p", 403, holding("no-such-one/p")),
            fails(
                "action get /<other>/a",
                147,
                f"error: Unable to get action 'a': {FOREIGN.format('a')} "
                "(code <transid>)\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "trigger list /<other>",
                147,
                "error: Unable to obtain the list of triggers for namespace "
                "'<other>': The supplied authentication is not authorized to access '<other>'. "
                "(code <transid>)\n",
            ),
        ],
    ),
    Row(
        "2.2",
        "names that are",
        [
            step
            for name in ("a b", "a@b.c&d", "_", "_ _", "0.0", "a.0", "a" * 256, "A-b", "x&y")
            for step in each(name)
        ],
    ),
    Row(
        "2.2 0.4 t1 t25",
        "names that are none",
        [
            *(
                refused(f"PUT actions/{quote(name, safe='')}", 400, ILLEGAL, CODE)
                for name in (
                    " a",
                    "a ",
                    "-abc",
                    "&abc",
                    ".x",
                    "a=b",
                    "a?b",
                    "x#x",
                    "§",
                    "a\tb",
                    "a\n",
                    "hi+there",
                    "$hola",
                    "dora?",
                    "|dora|dora?",
                    " ",
                    "a%b",
                    "é",
                )
            ),
            refused(
                f"PUT actions/{'n' * 257}",
                400,
                "Name segement longer than allowed: 257 > 256.",
                CODE,
            ),
            refused(
                f"GET triggers/{'n' * 300}", 400, "Name segement longer than allowed: 300 > 256."
            ),
            refused(
                f"PUT actions/p/{'n' * 257}",
                400,
                "Name segement longer than allowed: 257 > 256.",
                CODE,
            ),
            refused(
                f"PUT actions/{'n' * 257}/a",
                400,
                "Name segement longer than allowed: 257 > 256.",
                CODE,
            ),
            refused("PUT actions/a/b/c", 404, NOT_FOUND, CODE),
            refused("PUT triggers/p/t", 404, NOT_FOUND, {}),
            fails("action get -- $hola", 144, re.compile(ILLEGAL)),
            fails("trigger create pkg/t", 148, re.compile("Unable to create trigger 'pkg/t': ")),
        ],
    ),
    Row(
        "2.2 c1.12",
        "names differ by case, and may hold blanks",
        [
            ask("PUT actions/Case", CODE),
            refused("GET actions/case", 404, NO_RESOURCE),
            ask("PUT triggers/a%20b", {}),
            ask("PUT packages/my%20pack", {}),
            ask(
                "PUT actions/my%20pack/my%20action",
                CODE,
                shows={"namespace": "<ns>/my pack", "name": "my action"},
            ),
            ask(
                "POST actions/my%20pack/my%20action?blocking=true&result=true",
                {"n": 1},
                shows={"n": 1},
            ),
            typed("action invoke 'my pack/my action' -r -p n 2", shows={"n": 2}),
            typed(
                "action get 'my pack/my action' --url",
                "ok: got action my action\n<url>/api/v1/namespaces/<ns>/actions/my%20pack/my%20action\n",
            ),
            typed("trigger get 'a b' name", 'ok: got trigger a b, displaying field name\n"a b"\n'),
            fails(
                "action get //x",
                1,
                "error: '//x' is not a valid qualified name: A valid qualified name must be "
                "specified.\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "action get /",
                1,
                "error: '/' is not a valid qualified name: A valid qualified name must be "
                "specified.\nRun 'wsk --help' for usage.\n",
            ),
            fails(
                "trigger list foo",
                1,
                "error: An entity name, 'foo', was provided instead of a namespace. Valid "
                "namespaces are of the following format: /NAMESPACE.\nRun 'wsk --help' for usage.\n",
            ),
        ],
    ),
    Row(
        "2.2 t38 c2.9",
        "all entities of a namespace share their names",
        [
            ask("PUT triggers/x", {}),
            *(
                refused(
                    f"{method} actions/x",
                    409,
                    "Resource by this name exists but is not in this collection.",
                    body,
                )
                for method, body in (("GET", b""), ("DELETE", b""), ("PUT", CODE), ("POST", {}))
            ),
            refused(
                "PUT packages/x?overwrite=true",
                409,
                "Resource by this name exists but is not in this collection.",
                {},
            ),
            refused(
                "GET rules/x", 409, "Resource by this name exists but is not in this collection."
            ),
            fails(
                "action get x", 153, re.compile("Resource by this name exists but is not in this")
            ),
            fails(
                "package delete x",
                153,
                re.compile("Resource by this name exists but is not in this"),
            ),
        ],
    ),
)
