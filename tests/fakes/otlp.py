"""A collector of spans: takes what OTLP over HTTP brings, and reads it with its own schema."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

WAIT_S: Final = 15.0


class Sink:
    """What arrived. *status*: what senders are answered."""

    def __init__(self) -> None:
        self.status = 200
        self.url = ""
        self.paths: set[str] = set()
        self.resources: list[dict[str, Any]] = []
        self._spans: list[Span] = []
        self._arrived = threading.Condition()

    def took(self, path: str, body: bytes) -> None:
        """Keep what a request brought."""
        request = ExportTraceServiceRequest.FromString(body)
        with self._arrived:
            self.paths.add(path)
            for resource in request.resource_spans:
                self.resources.append(attributes(resource.resource))
                for scope in resource.scope_spans:
                    self._spans += scope.spans
            self._arrived.notify_all()

    def spans(self, count: int, trace_id: str) -> list[Span]:
        """Return the spans of a trace once there are *count*. Raises AssertionError when late."""

        def found() -> list[Span]:
            return [each for each in self._spans if each.trace_id.hex() == trace_id]

        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(found()) >= count, WAIT_S)
            assert arrived, f"of {count} spans came {[each.name for each in found()]}"
            return found()

    @property
    def count(self) -> int:
        """How many spans arrived."""
        return len(self._spans)


def attributes(told: Any) -> dict[str, Any]:
    """Return the attributes of a span or a resource."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in told.attributes
    }


@contextmanager
def collecting(port: int = 0) -> Iterator[Sink]:
    """Take spans on 127.0.0.1 until the end of the block."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if sink.status == 200:
                sink.took(self.path, body)
            self.send_response(sink.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    sink.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_S)
