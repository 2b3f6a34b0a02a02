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
