"""Triggers with feeds, which the command line tells."""

import re

from tests.conformance.chapters.triggers import FAILS
from tests.conformance.table import (
    CODE,
    Exactly,
    Row,
    ask,
    code,
    fails,
    pairs,
    typed,
)

ROWS = (
    Row(
        "c8.1 c8.2 c8.3 c2.9",
        "a trigger with a feed tells the feed",
        [
            ask("PUT actions/feed", CODE),
            ask("PUT actions/bad", code(FAILS)),
            typed(
                "trigger create t --feed feed -F a 1 -T b 2",
                re.compile(
                    r"\Aok: invoked /_/feed with id [0-9a-f]{32}\n\{\n(.|\n)*\n\}\nok: created trigger t\n\Z"
                ),
            ),
            ask(
                "GET triggers/t",
                shows={"parameters": pairs(b=2), "annotations": pairs(feed="/_/feed")},
            ),
            ask(
                "GET activations?name=feed&docs=true",
                shows=[
                    {
                        "response": {
                            "result": Exactly(
                                {
                                    "lifecycleEvent": "CREATE",
                                    "triggerName": "/_/t",
                                    "authKey": "<auth>",
                                    "a": 1,
                                }
                            )
                        }
                    }
                ],
                eventually=True,
            ),
            typed(
                "trigger get t",
                re.compile(r"\A\{\n(.|\n)*\"READ\"(.|\n)*\n\}\n\Z"),
            ),
            typed(
                "trigger update t -F a 2",
                re.compile(r"\A\{\n(.|\n)*\"UPDATE\"(.|\n)*\n\}\nok: updated trigger t\n\Z"),
            ),
            typed(
                "trigger delete t",
                re.compile(r"\A\{\n(.|\n)*\"DELETE\"(.|\n)*\n\}\nok: deleted trigger t\n\Z"),
            ),
            fails(
                "trigger create t --feed bad",
                246,
                re.compile(
                    r"error: Unable to create trigger 't': Unable to configure feed '/_/bad': "
                ),
                out=re.compile(""),
            ),
            ask("GET triggers/t", status=404),
            fails(
                "trigger create t --feed nosuch",
                148,
                re.compile(
                    r"error: Unable to create trigger 't': Unable to configure feed '/_/nosuch': "
                ),
                out=re.compile(""),
            ),
            typed("trigger create t --feed feed -p a 1", re.compile("ok: created trigger t")),
            ask("GET triggers/t", shows={"parameters": [], "annotations": pairs(feed="/_/feed")}),
            typed("trigger create bare", "ok: created trigger bare\n"),
            fails(
                "trigger update bare -F a 1", 1, re.compile("this trigger does not contain a feed")
            ),
        ],
    ),
)
