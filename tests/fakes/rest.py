"""An API host that says what it is told to say, and remembers what it was asked."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """One answer. A body that is text is sent as it is, anything else as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class FakeApi:
    """Answers of `METHOD path`, by its longest known beginning; several are given in turn."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self._replies: dict[str, list[Reply]] = {}

    def answer(
        self, what: str, body: Any = None, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Answer requests that begin with *what*; the last answer given is repeated."""
        self._replies.setdefault(what, []).append(Reply(status, body, headers or {}))

    def refuse(self, what: str, status: int, error: str) -> None:
        """Answer with an error of the platform."""
        self.answer(what, {"error": error, "code": "tid42"}, status)

    @property
    def targets(self) -> list[str]:
        """What was asked: method, and path below the namespace or the version."""
        short = "/api/v1/namespaces/_/"
        return [f"{one.method} {one.target.removeprefix(short)}" for one in self.asked]

    def take(self, asked: Asked) -> Reply:
        """Remember one request and return its answer."""
        self.asked.append(asked)
        line = f"{asked.method} {asked.target.removeprefix('/api/v1/namespaces/_/')}"
        known = [what for what in self._replies if line.startswith(what)]
        if not known:
            missing = {"error": "The requested resource does not exist.", "code": "tid42"}
            return Reply(404, missing)
        replies = self._replies[max(known, key=len)]
        return replies.pop(0) if len(replies) > 1 else replies[0]


@contextmanager
def fake_api(tls: ssl.SSLContext | None = None) -> Iterator[FakeApi]:
    """Serve on a free port of this machine until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if tls is None else "https"
    api = FakeApi(f"{scheme}://127.0.0.1:{server.server_port}")
    server.api = api  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    def handle(self) -> None:
        with suppress(ssl.SSLError, ConnectionError):  # A client that does not trust us hangs up.
            super().handle()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length).decode()
        asked = Asked(
            self.command,
            self.path,
            {name.lower(): value for name, value in self.headers.items()},
            json.loads(text) if text else None,
        )
        reply = self.server.api.take(asked)  # type: ignore[attr-defined]
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_PUT = do_POST = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a test reads standard error."""
