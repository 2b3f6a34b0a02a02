"""A small client of the REST API, for tests that look at answers and not at how they were sent."""

import json
import time
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answered:
    """Status, headers with lower-case names, and the decoded body (text where it is not JSON)."""

    status: int
    headers: dict[str, str]
    body: Any


class Api:
    """Talks to one platform as one namespace."""

    def __init__(self, url: str, auth: str) -> None:
        self.url = url
        self.authorization = f"Basic {b64encode(auth.encode()).decode()}"

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answered:
        """Send one request; *path* begins after `/api/v1/namespaces/_/` unless with a slash."""
        where = path if path.startswith("/") else f"/api/v1/namespaces/_/{path}"
        request = urllib.request.Request(
            self.url + where,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": self.authorization,
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return _answered(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answered(error.code, dict(error.headers), error.read())

    def put_action(
        self, name: str, code: str, *, kind: str = "python:default", **fields: object
    ) -> dict[str, Any]:
        """Create or update an action; *fields* are the rest of the document."""
        body = {"exec": {"kind": kind, "code": code}, **fields}
        answered = self.call("PUT", f"actions/{name}?overwrite=true", body)
        assert answered.status == 200, answered
        return dict(answered.body)

    def invoke(self, name: str, arguments: dict[str, Any] | None = None) -> Answered:
        """Invoke an action and wait for its activation."""
        return self.call("POST", f"actions/{name}?blocking=true", arguments or {})

    def metric(self, series: str) -> float:
        """Return the value of *series*, such as `brisk_pool_sandboxes{state="busy"}`."""
        lines = str(self.call("GET", "/metrics").body).splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series))

    def record(self, activation_id: str, *, within_s: float = 20.0) -> dict[str, Any]:
        """Return the record of an activation, once it is there."""
        give_up_s = time.monotonic() + within_s
        while True:
            answered = self.call("GET", f"activations/{activation_id}")
            if answered.status == 200:
                return dict(answered.body)
            assert answered.status == 404, answered
            assert time.monotonic() < give_up_s, f"{activation_id} never ended"
            time.sleep(0.02)


def _answered(status: int, headers: dict[str, str], body: bytes) -> Answered:
    lower = {name.lower(): value for name, value in headers.items()}
    is_json = lower.get("content-type", "").startswith("application/json")
    return Answered(status, lower, json.loads(body) if is_json else body.decode())
