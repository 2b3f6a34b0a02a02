"""Plays recorded requests against a live platform and tells where its answers differ.

The recordings are exchanges with a running OpenWhisk, one a line. What changes from run to run
stands in them as `<id>`, `<n>` and so on; lines marked `derived` keep a reduced body. A difference
is a sentence, so that a failing test shows all of them at once.
"""

import base64
import http.client
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

RECORDED = Path(__file__).resolve().parents[1] / "data" / "recorded"
SETTLE_S = 15.0
"""How long a record may take to be readable after its activation was accepted."""
ANSWER_S = 30.0

CORS = (
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-allow-methods",
)
_NUMBERS = ("<n>", "<ms>")
_PATTERNS = {
    "<id>": r"[0-9a-f]{32}",
    "<ts>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ?",
    "<transid>": r"[!-~]+",
    "<parser>": r".+",
    "<host>": r"[^\"]+",
    "<kinds>": r".+",
    "<auth>": r".+",
    "<n>": r"-?\d+",
    "<ms>": r"\d+",
    "python:3.x": r"python:3\.\d+",
}
_PLACEHOLDER = re.compile("|".join(map(re.escape, _PATTERNS)))


@dataclass(frozen=True)
class Heard:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    text: bytes

    @property
    def body(self) -> Any:
        """The JSON of it, or its text where it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return self.text.decode("utf-8", "replace")


@dataclass
class Player:
    """Talks to the platform at *url* with the key *auth*, and remembers names of activations."""

    url: str
    auth: str
    names: dict[str, str] = field(default_factory=dict)

    def send(self, request: Mapping[str, Any]) -> Heard:
        """Send one recorded request as it was sent."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_S)
        try:
            headers = {"Content-Type": "application/json"} if "body" in request else {}
            authorization = self._authorization(request.get("auth", self.auth))
            sent = {**headers, **authorization, **request.get("headers", {})}
            connection.request(
                request["method"],
                self._named(request["path"]),
                body=_body(request["body"]) if "body" in request else None,
                headers={name: value for name, value in sent.items() if value is not None},
            )
            answer = connection.getresponse()
            read = {name.lower(): value for name, value in answer.getheaders()}
            heard = Heard(answer.status, read, answer.read())
        finally:
            connection.close()
        if "save" in request:
            self.names[request["save"]] = heard.headers.get("x-openwhisk-activation-id", "")
        return heard

    def settle(self, name: str) -> None:
        """Return when the record of the activation *name* can be read; fail after a while."""
        path = f"/api/v1/namespaces/_/activations/{self.names[name]}"
        ends_s = time.monotonic() + SETTLE_S
        pause = threading.Event()
        while self.send({"method": "GET", "path": path}).status != 200:
            assert time.monotonic() < ends_s, f"there is no record of {name}"
            pause.wait(0.05)

    def _named(self, path: str) -> str:
        for name, value in self.names.items():
            path = path.replace(f"{{{name}}}", value)
        return path

    def _authorization(self, given: str | None) -> dict[str, str]:
        if given is None:
            return {}
        if not given.startswith(("Basic ", "basic ", "Bearer")):
            given = "Basic " + base64.b64encode(given.encode()).decode()
        return {"Authorization": given}


def play(scenario: str, url: str, auth: str, left_out: Mapping[int, str]) -> list[str]:
    """Play *scenario* and return what differs from the recording.

    left_out: steps that are not sent, and why.
    """
    player = Player(url, auth, {"t0": str(time.time_ns() // 1_000_000)})
    differences: list[str] = []
    for exchange in exchanges(scenario):
        step, request = exchange["step"], exchange["request"]
        if step in left_out:
            continue
        if "settle" in request:
            player.settle(request["settle"])
            continue
        heard = player.send(request)
        if "response" in exchange:
            what = f"{scenario} {step}: {request['method']} {request['path'][:120]}"
            is_derived = exchange.get("derived", False)
            found = compare(exchange["response"], heard, scenario, is_derived=is_derived)
            differences += [f"{what}: {difference}" for difference in found]
    return differences


def exchanges(scenario: str) -> Iterator[dict[str, Any]]:
    """Yield the recorded lines of *scenario*."""
    for line in (RECORDED / f"{scenario}.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def compare(
    expected: Mapping[str, Any], heard: Heard, scenario: str, *, is_derived: bool
) -> Iterator[str]:
    """Yield how *heard* differs from the recorded answer."""
    if heard.status != expected["status"]:
        yield f"status {heard.status}, not {expected['status']}: {heard.text[:300]!r}"
    for name, values in expected.get("headers", {}).items():
        if heard.headers.get(name) != ", ".join(values):
            yield f"{name}: {heard.headers.get(name)!r}, not {values}"
    if not is_derived and not any(name in expected.get("headers", {}) for name in CORS):
        yield from (f"{name} is there" for name in CORS if name in heard.headers)
    if "body" in expected:
        body = reduced(expected["body"], scenario, heard) if is_derived else heard.body
        yield from differing(expected["body"], body, "body")


def reduced(kept: Any, scenario: str, heard: Heard) -> Any:
    """Return of an answer what a `derived` line keeps; *kept* shows in which form."""
    body = heard.body
    if isinstance(kept, dict) and kept.keys() == {"keys", "names"}:
        is_list = isinstance(body, list)
        return {
            "keys": sorted(body[0]) if is_list else None,
            "names": [item["name"] for item in body] if is_list else body,
        }
    if isinstance(kept, str):
        return type(body).__name__
    if scenario == "invoke":
        response = body["response"]
        return {
            "keys": sorted(response["result"]),
            "status": response["status"],
            "success": response["success"],
        }
    if scenario == "activations" and isinstance(body, list):
        return [
            {
                "annotations": sorted(each["key"] for each in item["annotations"]),
                "keys": sorted(item),
                "name": item["name"],
            }
            for item in body
        ]
    return body


def differing(expected: Any, actual: Any, where: str) -> Iterator[str]:
    """Yield where *actual* is not what *expected* allows."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if key not in actual or key not in expected:
                yield f"{where}.{key} is {'missing' if key in expected else 'too much'}"
            else:
                yield from differing(expected[key], actual[key], f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{where} has {len(actual)} entries, not {len(expected)}: {actual}"
            return
        pairs = zip(by_key(expected), by_key(actual), strict=True)
        for index, (one, other) in enumerate(pairs):
            yield from differing(one, other, f"{where}[{index}]")
    elif not matches(expected, actual):
        yield f"{where} is {actual!r}, not {expected!r}"


def matches(expected: Any, actual: Any) -> bool:
    """Tell whether *actual* is the recorded value, or what its placeholders stand for."""
    if not isinstance(expected, str):
        return type(expected) is type(actual) and bool(expected == actual)
    if expected in _NUMBERS:
        return isinstance(actual, int) and not isinstance(actual, bool)
    if not isinstance(actual, str):
        return False
    pattern, at = "", 0
    for found in _PLACEHOLDER.finditer(expected):
        pattern += re.escape(expected[at : found.start()]) + _PATTERNS[found[0]]
        at = found.end()
    return re.fullmatch(pattern + re.escape(expected[at:]), actual, re.DOTALL) is not None


def by_key(values: list[Any]) -> list[Any]:
    """Return lists of key and value in the order of their keys; OpenWhisk's is arbitrary."""
    if values and all(
        isinstance(each, dict) and each.keys() >= {"key", "value"} for each in values
    ):
        return sorted(values, key=lambda each: str(each["key"]))
    return values


def _body(recorded: Any) -> bytes:
    if isinstance(recorded, str):
        return recorded.encode()
    if isinstance(recorded, dict) and "$base64" in recorded:
        return base64.b64decode(recorded["$base64"])
    return json.dumps(_expanded(recorded)).encode()


def _expanded(value: Any) -> Any:
    if isinstance(value, dict) and "$times" in value:
        return str(value["$head"]) + str(value["$text"]) * int(value["$times"])
    if isinstance(value, dict):
        return {key: _expanded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_expanded(each) for each in value]
    return value
