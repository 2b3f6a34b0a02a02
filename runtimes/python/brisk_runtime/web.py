"""The HTTP face: POST /init and POST /run, as OpenWhisk's invoker sends them.

One thread serves all connections, since one activation runs at a time. A connection that is slow
to send holds up nobody: its request is worked on when it is whole. After each run, and after an
initialisation that reached the code, both streams get the line that ends an activation's log.
"""

from __future__ import annotations

import json
import selectors
import socket

from brisk_runtime.habitat import Habitat
from brisk_runtime.replies import AnyRunner, Reply
from brisk_runtime.runner import Runner
from brisk_runtime.streams import Streams, write_all

MARKER = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n"

_BACKLOG = 128
_MAX_HEAD_BYTES = 65_536
# Code has up to 48 MB, and JSON escapes may lengthen source text.
_MAX_BODY_BYTES = 128 << 20
_RECEIVE_BYTES = 262_144
# A client that stops reading its answer is given up.
_SEND_TIMEOUT_S = 60.0
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 413: "Content Too Large"}


class BadRequest(Exception):
    """The bytes on a connection are no request that is served here."""


class Request:
    """One request: its path, its body, and whether the connection stays open."""

    def __init__(self, path: str, body: bytes, keep_alive: bool) -> None:
        self.path = path
        self.body = body
        self.keep_alive = keep_alive


class Inbox:
    """What one connection has sent and was not yet served."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._awaited = 0
        self.expects_continue = False

    def take(self, data: bytes) -> None:
        """Append *data*."""
        self._bytes += data

    def next_request(self) -> Request | None:
        """Return the next whole request, or None; raises `BadRequest`."""
        if len(self._bytes) < self._awaited:
            return None
        end = self._bytes.find(b"\r\n\r\n")
        if end < 0:
            if len(self._bytes) > _MAX_HEAD_BYTES:
                raise BadRequest
            return None
        lines = self._bytes[:end].decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3:
            raise BadRequest
        headers = dict(_header(line) for line in lines[1:])
        length = headers.get("content-length", "0")
        if not length.isdecimal() or "transfer-encoding" in headers:
            raise BadRequest
        if int(length) > _MAX_BODY_BYTES:
            raise BadRequest
        self._awaited = end + 4 + int(length)
        if len(self._bytes) < self._awaited:
            self.expects_continue = headers.get("expect", "").lower() == "100-continue"
            return None
        body = bytes(self._bytes[end + 4 : self._awaited])
        del self._bytes[: self._awaited]
        self._awaited = 0
        connection = headers.get("connection", "").lower()
        keep_alive = connection != "close" if words[2] == "HTTP/1.1" else connection == "keep-alive"
        return Request(words[1].partition("?")[0], body, keep_alive)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise BadRequest
    return name.strip().lower(), value.strip()


class Server:
    """Accepts, reads whole requests, and has them served one after the other."""

    def __init__(self, listener: socket.socket, streams: Streams, runner: AnyRunner) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._streams = streams
        self._runner = runner

    def serve_for_ever(self) -> None:
        """Serve until the process ends."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._receive(key.fileobj, key.data)  # type: ignore[arg-type]

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it was gone before it was taken
            return
        connection.settimeout(_SEND_TIMEOUT_S)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection, selectors.EVENT_READ, Inbox())

    def _receive(self, connection: socket.socket, inbox: Inbox) -> None:
        try:
            data = connection.recv(_RECEIVE_BYTES)
            if not data:
                self._drop(connection)
                return
            inbox.take(data)
            while (request := inbox.next_request()) is not None:
                connection.sendall(_rendered(self._serve(request), request.keep_alive))
                if not request.keep_alive:
                    self._drop(connection)
                    return
            if inbox.expects_continue:
                inbox.expects_continue = False
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        except BadRequest:
            refusal = Reply(400, json.dumps({"error": "Bad request."}).encode())
            self._refuse(connection, refusal)
        except OSError:  # the client went away
            self._drop(connection)

    def _serve(self, request: Request) -> Reply:
        if request.path == "/run":
            reply = self._runner.run(request.body)
            if reply.has_run_code:
                self._end_log()
            return reply
        if request.path == "/init":
            reply = self._runner.init(request.body)
            if reply.has_run_code and reply.status != 200:
                self._end_log()
            return reply
        return Reply(200, b"")  # as the Go proxy answers whatever it does not know

    def _end_log(self) -> None:
        for stream in (self._streams.stdout, self._streams.stderr):
            stream.write(MARKER if stream.is_at_line_start else b"\n" + MARKER)

    def _refuse(self, connection: socket.socket, reply: Reply) -> None:
        try:
            connection.sendall(_rendered(reply, keep_alive=False))
        except OSError:  # it did not even wait to be told
            pass
        finally:
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()


def _rendered(reply: Reply, keep_alive: bool) -> bytes:
    head = (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Error')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(reply.body)}\r\n"
    )
    if not keep_alive:
        head += "Connection: close\r\n"
    return head.encode() + b"\r\n" + reply.body


def serve(host: str, port: int) -> None:
    """Serve Python code on *host*:*port*; port 0 takes a free one. Never returns."""
    streams = Streams(write_all)
    serve_calls(host, port, streams, Runner(streams, Habitat()))


def serve_calls(host: str, port: int, streams: Streams, runner: AnyRunner) -> None:
    """Have *runner* answer what comes to *host*:*port*. Never returns."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    Server(listener, streams, runner).serve_for_ever()
