"""Packages: what they hold, and who may see them."""

import re

from tests.conformance.chapters.errors import NO_RESOURCE, NOT_FOUND
from tests.conformance.table import (
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

WHERE = "def main(args):\n    import os\n    return {'ns': os.environ['__OW_NAMESPACE'], 'args': args}\n"
OTHERS = "/api/v1/namespaces/<other>"
NAMES = "/api/v1/namespaces/<ns>"
CIRCLE = "Resource by this name exists but is not in this collection."

ROWS = (
    Row(
        "6.1 6.2 6.6 t2 t6 c1.9 c2.1 c2.5",
        "a package is made, read, changed, and deleted",
        [
            ask(
                "PUT packages/p",
                {"parameters": pairs(a=1), "annotations": pairs(x=1), "publish": True},
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "p",
                        "version": "0.0.1",
                        "publish": True,
                        "updated": "<n>",
                        "binding": Exactly({}),
                        "parameters": pairs(a=1),
                        "annotations": pairs(x=1),
                    }
                ),
            ),
            ask("PUT actions/p/act", CODE | {"annotations": pairs(description="It echoes.")}),
            ask("PUT actions/p/feed", CODE | {"annotations": pairs(feed=False)}),
            ask(
                "GET packages/p",
                shows=Exactly(
                    {
                        "namespace": "<ns>",
                        "name": "p",
                        "version": "0.0.1",
                        "publish": True,
                        "updated": "<n>",
                        "binding": Exactly({}),
                        "parameters": pairs(a=1),
                        "annotations": pairs(x=1),
                        "actions": [
                            Exactly(
                                {
                                    "name": "act",
                                    "version": "0.0.1",
                                    "annotations": lambda found: len(found) == 3,
                                }
                            )
                        ],
                        "feeds": [
                            Exactly(
                                {
                                    "name": "feed",
                                    "version": "0.0.1",
                                    "annotations": lambda found: len(found) == 3,
                                }
                            )
                        ],
                    }
                ),
                eventually=True,
            ),
            refused("GET packages/p/act", 404, NOT_FOUND),
            ask(
                "PUT packages/p?overwrite=true",
                {"publish": False},
                shows={"publish": False, "version": "0.0.2", "parameters": pairs(a=1)},
            ),
            refused(
                "DELETE packages/p",
                409,
                "Package not empty (contains 2 entities). Set force param or delete "
                "package contents.",
            ),
            ask("DELETE actions/p/feed"),
            refused(
                "DELETE packages/p",
                409,
                "Package not empty (contains 1 entity). Set force param or delete "
                "package contents.",
                eventually=True,
            ),
            ask(
                "DELETE packages/p?force=true",
                shows={"name": "p", "binding": Exactly({}), "version": "0.0.2"},
            ),
            refused("GET actions/p/act", 404, lambda text: True),
            refused("GET packages/p", 404, "The requested resource '<ns>/p' does not exist."),
            refused("DELETE packages/p", 404, NO_RESOURCE),
            typed(
                "package create p -p a 1 -a description 'All of it.' --shared yes",
                "ok: created package p\n",
            ),
            typed(
                "action create p/act a.py -a description 'It echoes.' -p own 1",
                "ok: created action p/act\n",
            ),
            typed(
                "package get p",
                "ok: got package p\n",
                shows={
                    "name": "p",
                    "publish": True,
                    "binding": Exactly({}),
                    "actions": [{"name": "act"}],
                },
                eventually=True,
            ),
            typed("package get p binding", "ok: got package p, displaying field binding\n{}\n"),
            typed(
                "package get p -s",
                "package /<ns>/p: All of it.\n   (parameters: *a)\n"
                " action /<ns>/p/act: It echoes.\n   (parameters: none defined)\n",
            ),
            typed(
                "action get p/act -s", "action /<ns>/p/act: It echoes.\n   (parameters: *a, *own)\n"
            ),
            typed("package update p --shared no", "ok: updated package p\n"),
            typed("package get p publish", "ok: got package p, displaying field publish\nfalse\n"),
            fails("package get p nosuch", 1, "error: Invalid field filter 'nosuch'.\n"),
            fails(
                "package create p2 --shared maybe",
                1,
                re.compile("Cannot use value 'maybe' for shared."),
            ),
            fails(
                "package create p",
                153,
                "error: Unable to create package 'p': resource already exists (code <transid>)\n",
            ),
            fails(
                "package delete p",
                153,
                re.compile(
                    r"Unable to delete package 'p': Package not empty \(contains 1 entity\)"
                ),
            ),
            typed("action delete p/act", "ok: deleted action p/act\n"),
            typed("package delete p", "ok: deleted package p\n", eventually=True),
        ],
        files={"a.py": "def main(args):\n    return args\n"},
    ),
    Row(
        "6.5 1.3 t3 t5 t38",
        "a shared package is everybody's to read, and nobody else's to write",
        [
            ask("PUT packages/shared", {"publish": True, "parameters": pairs(p=1)}, auth="other"),
            ask(
                f"PUT {OTHERS}/packages/shared",
                {"publish": True, "parameters": pairs(p=1)},
                auth="other",
                status=409,
            ),
            ask("PUT packages/hidden", {"publish": False}, auth="other"),
            ask(
                "PUT packages/bound",
                {"publish": True, "binding": {"namespace": "_", "name": "shared"}},
                auth="other",
            ),
            ask(f"PUT {OTHERS}/actions/shared/a", code(WHERE), auth="other"),
            ask(f"PUT {OTHERS}/actions/hidden/a", code(WHERE), auth="other"),
            ask(
                f"GET {OTHERS}/packages",
                shows=lambda found: [each["name"] for each in found] == ["shared"],
                eventually=True,
            ),
            ask("GET packages", shows=lambda found: len(found) == 3, auth="other", eventually=True),
            ask(f"GET {OTHERS}/packages?count=true", shows=Exactly({"packages": 1})),
            ask(
                f"GET {OTHERS}/packages/shared", shows={"actions": [{"name": "a"}]}, eventually=True
            ),
            refused(f"GET {OTHERS}/packages/hidden", 403, holding("'<other>/hidden'")),
            refused(f"GET {OTHERS}/packages/bound", 403, holding("'<other>/bound'")),
            refused(f"GET {OTHERS}/actions/hidden/a", 403, holding("'<other>/hidden'")),
            ask(f"GET {OTHERS}/actions/shared/", shows=[{"name": "a"}]),
            ask(f"GET {OTHERS}/actions/shared/a", shows={"parameters": pairs(p=1)}),
            ask(
                f"POST {OTHERS}/actions/shared/a?blocking=true",
                {},
                shows={
                    "namespace": "<ns>",
                    "response": {"result": {"ns": "<ns>", "args": {"p": 1}}},
                },
                save="ran",
            ),
            ask("GET activations/<ran>", shows={"subject": "<ns>"}, eventually=True),
            ask(f"GET {OTHERS}/activations/<ran>", auth="other", status=404),
            refused(f"PUT {OTHERS}/actions/shared/b", 403, holding("not authorized"), CODE),
            refused(f"DELETE {OTHERS}/packages/shared", 403, holding("not authorized")),
            ask(
                "PUT packages/mine",
                {"binding": {"namespace": "<other>", "name": "shared"}, "parameters": pairs(p=2)},
            ),
            ask("POST actions/mine/a?blocking=true&result=true", {}, shows={"args": {"p": 2}}),
            ask("PUT actions/line", sequence("/<other>/shared/a")),
            ask("POST actions/line?blocking=true&result=true", {}, shows={"args": {"p": 1}}),
            ask("PUT triggers/t", {}),
            ask(
                "PUT rules/r",
                {"trigger": "/_/t", "action": "/<other>/shared/a"},
                shows={"action": Exactly({"path": "<other>/shared", "name": "a"})},
            ),
            typed("package list /<other>", re.compile(r"\Apackages\n/<other>/shared +shared\n\Z")),
            typed(
                "package get /<other>/shared publish",
                "ok: got package shared, displaying field publish\ntrue\n",
            ),
            ask("PUT packages/shared?overwrite=true", {"publish": False}, auth="other"),
            refused("POST actions/line", 403, holding("not authorized"), {}, eventually=True),
            refused("POST actions/mine/a", 403, holding("not authorized"), {}, eventually=True),
            refused("GET packages/mine", 403, holding("not authorized")),
            ask(
                "GET packages",
                shows=[{"name": "mine", "binding": {"namespace": "<other>", "name": "shared"}}],
                eventually=True,
            ),
            ask("DELETE packages/mine"),
        ],
    ),
)
