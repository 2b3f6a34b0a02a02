"""Two clients on one kept-alive connection each: the standard library's, and none at all.

`StandardClient` is `http.client`, what a Python program has at hand: it is in both sides of a
ratio. `ThinClient` writes prepared bytes to a socket: what is left is the server.
"""

import http.client
import socket
import time
from base64 import b64encode
from collections.abc import Mapping
from types import TracebackType
from urllib.parse import urlsplit


class ThinClient:
    """Sends one prepared request after the other. The server must answer with a Content-Length."""

    def __init__(self, url: str, auth: str | None = None) -> None:
        parts = urlsplit(url)
        self._host = f"{parts.hostname}:{parts.port}"
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._auth = f"Authorization: Basic {b64encode(auth.encode()).decode()}\r\n" if auth else ""

    def __enter__(self) -> "ThinClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._socket.close()

    def request(self, method: str, path: str, body: bytes) -> bytes:
        """Return the bytes of a request."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{self._auth}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def send(self, request: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        self.begin(request)
        return self.end()

    def begin(self, request: bytes) -> None:
        """Send a request; `end` has to follow."""
        self._socket.sendall(request)

    def end(self) -> tuple[int, bytes]:
        """Return status and body of the answer to what was begun."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(h.split(b":")[1]) for h in lines if h.startswith(b"content-length:"))
        while len(body) < length:
            body += self._more()
        return int(head.split(b" ", 2)[1]), body

    def time_us(self, request: bytes) -> float:
        """Return how long one round trip took. The status must be 200."""
        start_ns = time.perf_counter_ns()
        status, body = self.send(request)
        elapsed_us = (time.perf_counter_ns() - start_ns) / 1000
        assert status == 200, (status, body)
        return elapsed_us

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 16)
        assert data, "the server closed the connection"
        return data


class StandardClient:
    """Sends requests as `http.client` does."""

    def __init__(self, url: str, auth: str | None = None) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        self._headers: Mapping[str, str] = {"Content-Type": "application/json"}
        if auth:
            basic = b64encode(auth.encode()).decode()
            self._headers = {"Authorization": f"Basic {basic}", **self._headers}

    def __enter__(self) -> "StandardClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._connection.close()

    def time_us(self, path: str, body: bytes, method: str = "POST") -> float:
        """Return how long one round trip took. The status must be 200."""
        start_ns = time.perf_counter_ns()
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        elapsed_us = (time.perf_counter_ns() - start_ns) / 1000
        assert answer.status == 200, text
        return elapsed_us
