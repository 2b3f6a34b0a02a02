"""Which pages may read an answer: all of them, where the request reached a collection.

OpenWhisk leaves these headers off what it turns away before (401, unknown paths, malformed
requests), and so does Brisk; the table of errors says which those are.
"""

from typing import Final

HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": (
        "Authorization, Origin, X-Requested-With, Content-Type, Accept, User-Agent"
    ),
    "Access-Control-Allow-Methods": "GET, DELETE, POST, PUT, HEAD",
}

WEB_METHODS: Final = "OPTIONS, GET, DELETE, POST, PUT, HEAD, PATCH"


def of_web(asked_for: str | None) -> dict[str, str]:
    """Return what a web action's answer says, unless the action says it itself.

    asked_for: the request's `Access-Control-Request-Headers`.
    """
    return HEADERS | {
        "Access-Control-Allow-Headers": asked_for or HEADERS["Access-Control-Allow-Headers"],
        "Access-Control-Allow-Methods": WEB_METHODS,
    }
