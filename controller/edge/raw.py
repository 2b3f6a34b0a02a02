"""Answers as the bytes that go out, for what is answered past aiohttp."""

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from aiohttp import web

from common.clock import Clock
from common.ids import TransId
from controller.edge.gate import SERVER
from controller.edge.transid import HEADER

_BODILESS: Final = frozenset({*range(100, 200), HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_OURS: Final = frozenset({"content-length", HEADER.lower(), "server"})
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class RawAnswers:
    """Writes answers. One per listener."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._date = (0, b"")

    def dated(self) -> bytes:
        """Return the line that says when; it is made once a second."""
        second = self._clock.now_ms() // 1000
        if self._date[0] != second:
            self._date = (second, f"Date: {formatdate(second, usegmt=True)}\r\n".encode())
        return self._date[1]

    def whole(
        self, status: int, headers: list[tuple[str, str]], body: bytes, transid: TransId
    ) -> bytes:
        """Return an answer with *headers*; those that are the server's to say are left out."""
        told = [pair for pair in headers if pair[0].lower() not in _OURS]
        lines = "".join(f"{name}: {value}\r\n" for name, value in told)
        head = (
            f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\n{lines}"
            f"{HEADER}: {transid}\r\nServer: {SERVER}\r\n"
        )
        date = b"" if any(name.lower() == "date" for name, _ in told) else self.dated()
        if status in _BODILESS:
            return head.encode() + date + b"\r\n"
        length = f"Content-Length: {len(body)}\r\n"
        return b"".join((head.encode(), length.encode(), date, b"\r\n", body))

    def of(self, response: web.Response, transid: TransId) -> bytes:
        """Return *response*, a whole one of ours."""
        body = response.body
        assert isinstance(body, bytes), "what is refused is told in words"
        return self.whole(response.status, list(response.headers.items()), body, transid)
