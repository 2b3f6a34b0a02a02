"""Every error that a client can provoke has the contract's words, its status and a request id."""

import json
from typing import Any

import pytest

from tests.fakes.embedded import RunningPlatform
from tests.fakes.replay import Player

OWN = "/api/v1/namespaces/_"
MALFORMED = "The request content was malformed:\n"
CODE = {"kind": "python:default", "code": "def main(args):\n    return args\n"}
NOT_AUTHORIZED = "The supplied authentication is not authorized to access"

# method, path, what is sent beside it, status, text
REFUSALS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nothing", {}, 405, "HTTP method not allowed, supported methods: OPTIONS"),
    ("PUT", "/ping", {}, 405, "HTTP method not allowed, supported methods: GET, OPTIONS"),
    ("GET", "/api/v1/nothing", {}, 404, "The requested resource could not be found."),
    (
        "GET",
        f"{OWN}/actions",
        {"auth": None},
        401,
        "The resource requires authentication, which was not supplied with the request",
    ),
    (
        "GET",
        f"{OWN}/actions",
        {"auth": "nobody:nothing"},
        401,
        "The supplied authentication is invalid",
    ),
    (
        "GET",
        f"{OWN}/actions",
        {"headers": {"Accept": "text/html"}},
        406,
        "Resource representation is only available with these types:\napplication/json",
    ),
    ("GET", f"{OWN}/actions/-a", {}, 400, "The name of the entity contains illegal characters."),
    (
        "GET",
        f"{OWN}/actions/{'a' * 257}",
        {},
        400,
        "Name segement longer than allowed: 257 > 256.",
    ),
    (
        "GET",
        "/api/v1/namespaces/a$b/actions",
        {},
        400,
        "The namespace contains illegal characters.",
    ),
    (
        "GET",
        f"/api/v1/namespaces/{'n' * 257}/actions",
        {},
        400,
        "Namespace longer than allowed: 257 > 256.",
    ),
    ("GET", f"{OWN}/activations/x", {}, 400, "Activation id length is 1 but must be 32."),
    ("GET", f"{OWN}/activations/{'g' * 32}", {}, 400, "The activation id is not valid."),
    ("GET", f"{OWN}/activations/{'0' * 32}", {}, 404, "The requested resource does not exist."),
    (
        "GET",
        f"{OWN}/activations?docs=true&count=true",
        {},
        400,
        "The parameter 'docs' is not permitted with 'count'.",
    ),
    (
        "GET",
        f"{OWN}/limits/x",
        {},
        400,
        "Inner entity level routes for limits are not yet implemented.",
    ),
    ("GET", f"{OWN}/packages/p", {}, 404, "The requested resource 'guest/p' does not exist."),
    ("GET", "/api/v1/namespaces/other/actions/a", {}, 403, f"{NOT_AUTHORIZED} 'other/a'."),
    ("GET", f"{OWN}/actions/missing", {}, 404, "The requested resource does not exist."),
    (
        "GET",
        f"{OWN}/triggers/taken",
        {},
        409,
        "Resource by this name exists but is not in this collection.",
    ),
    ("PUT", f"{OWN}/actions/taken", {"body": {}}, 409, "resource already exists"),
    ("PUT", f"{OWN}/actions/a", {"body": {}}, 400, "exec undefined"),
    ("PUT", f"{OWN}/actions/a", {}, 400, "Request entity expected but not supplied"),
    (
        "PUT",
        f"{OWN}/actions/a",
        {"body": "a", "headers": {"Content-Type": "text/plain"}},
        415,
        "The request's Content-Type [text/plain] is not supported. Expected:\napplication/json",
    ),
    (
        "PUT",
        f"{OWN}/actions/a",
        {"body": {"exec": CODE, "parameters": {}}},
        400,
        f"{MALFORMED}parameters malformed!",
    ),
    (
        "PUT",
        f"{OWN}/actions/a",
        {"body": {"exec": CODE | {"code": {"$head": "", "$text": "#", "$times": 50331649}}}},
        413,
        "exec larger than allowed: 50331649 > 50331648 bytes.",
    ),
    (
        "PUT",
        f"{OWN}/actions/a",
        {"body": {"$head": "", "$text": " ", "$times": 52428801}},
        413,
        "The request content is larger than the server is willing or able to process.",
    ),
    (
        "PUT",
        f"{OWN}/actions/a",
        {"body": {"exec": CODE, "limits": {"memory": 1}}},
        400,
        "requirement failed: memory size 1 MB below allowed threshold of 128 MB",
    ),
    (
        "PUT",
        f"{OWN}/actions/a",
        {"body": {"exec": {"kind": "sequence", "components": []}}},
        400,
        "No component specified for the sequence.",
    ),
    (
        "PUT",
        f"{OWN}/actions/a",
        {"body": {"exec": {"kind": "sequence", "components": ["/_/missing"]}}},
        400,
        "Sequence component does not exist.",
    ),
    ("POST", f"{OWN}/actions/taken", {"body": []}, 400, f"{MALFORMED}JSON object expected"),
    (
        "POST",
        f"{OWN}/actions/taken",
        {"body": {"fixed": 2}},
        400,
        "Request defines parameters that are not allowed (e.g., reserved properties).",
    ),
    (
        "POST",
        f"{OWN}/actions/taken?timeout=0",
        {"body": {}},
        400,
        "The query parameter 'timeout' was malformed:\n"
        "Timeout must be number of milliseconds up to 60000.",
    ),
    (
        "POST",
        f"{OWN}/actions/missing",
        {"body": {"x": {"$head": "", "$text": "y", "$times": 1048676}}},
        413,
        "Request larger than allowed: 1048685 > 1048576 bytes.",
    ),
]


@pytest.fixture(scope="module")
def player(platform: RunningPlatform) -> Player:
    """A client of a platform with one action, `taken`, whose parameter `fixed` is final."""
    guest = Player(platform.url, platform.auth)
    body = {
        "exec": CODE,
        "parameters": [{"key": "fixed", "value": 1}],
        "annotations": [{"key": "final", "value": True}],
    }
    made = guest.send({"method": "PUT", "path": f"{OWN}/actions/taken", "body": body})
    assert made.status == 200
    return guest


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "text"),
    [pytest.param(*row, id=f"{row[3]}-{row[4][:60]}") for row in REFUSALS],
)
def test_a_refusal_has_the_words_of_the_contract(
    player: Player, method: str, path: str, sent: dict[str, Any], status: int, text: str
) -> None:
    heard = player.send({"method": method, "path": path} | sent)
    body = json.loads(heard.text)
    assert (heard.status, body["error"]) == (status, text)
    assert set(body) == {"error", "code"}
    assert body["code"] == heard.headers["x-request-id"]
    assert heard.headers["content-type"] == "application/json"
