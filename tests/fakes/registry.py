"""A registry of images on loopback: the part of the Registry v2 protocol that a pull needs.

What it serves is an image as `docker save` writes it. It asks for a password where it is told to,
keeps a list of who asked for what, and can be told to let a pull hang. Source: distribution's
`docs/spec/api.md`, and "Image Manifest Version 2, Schema 2".
"""

import hashlib
import io
import json
import tarfile
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG: Final = "application/vnd.docker.container.image.v1+json"
LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
HANG_S: Final = 120


class Registry:
    """One registry. *users*: who may pull, with their passwords; without any, everybody may."""

    def __init__(self, users: Mapping[str, str] | None = None) -> None:
        self.users = dict(users or {})
        self.asked: list[tuple[str, str, str]] = []
        """User, method and path of each request that was let in."""
        self.denied = 0
        self.hanging: set[str] = set()
        """Repositories whose manifests are never answered, until `release`."""
        self._manifests: dict[tuple[str, str], bytes] = {}
        self._blobs: dict[str, bytes] = {}
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """What the names of its images begin with."""
        return f"127.0.0.1:{self._server.server_port}"

    def add(self, repository: str, tag: str, saved: bytes) -> str:
        """Serve what `docker save` wrote as `repository:tag`; return its whole reference."""
        with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
            [image] = json.loads(_read(archive, "manifest.json"))
            config = _read(archive, image["Config"])
            layers = [_read(archive, name) for name in image["Layers"]]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._kept(config, CONFIG),
            "layers": [self._kept(layer, LAYER) for layer in layers],
        }
        text = json.dumps(manifest).encode()
        for name in (tag, _digest(text)):
            self._manifests[repository, name] = text
        return f"{self.host}/{repository}:{tag}"

    def hold(self) -> None:
        """Let repositories that are `hanging` hang again."""
        self._released.clear()

    def release(self) -> None:
        """Let go of who hangs."""
        self._released.set()

    def close(self) -> None:
        """Stop serving."""
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def user_of(self, header: str | None) -> str | None:
        """Return who asks; None who may not."""
        if not self.users:
            return ""
        kind, _, encoded = (header or "").partition(" ")
        if kind != "Basic":
            return None
        user, _, password = b64decode(encoded).decode().partition(":")
        return user if self.users.get(user) == password else None

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Return media type and body of what is at *path*; None for nothing."""
        if path == "/v2/":
            return "application/json", b"{}"
        repository, _, name = path.removeprefix("/v2/").rpartition("/manifests/")
        if repository:
            if repository in self.hanging:
                self._released.wait(HANG_S)
            text = self._manifests.get((repository, name))
            return None if text is None else (MANIFEST, text)
        blob = self._blobs.get(path.rpartition("/blobs/")[2])
        return None if blob is None else ("application/octet-stream", blob)

    def _kept(self, data: bytes, media_type: str) -> dict[str, Any]:
        self._blobs[_digest(data)] = data
        return {"mediaType": media_type, "size": len(data), "digest": _digest(data)}


@contextmanager
def registry(users: Mapping[str, str] | None = None) -> Iterator[Registry]:
    """Have a registry serve while inside."""
    serving = Registry(users)
    try:
        yield serving
    finally:
        serving.close()


def _handler(owner: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            user = owner.user_of(self.headers.get("Authorization"))
            if user is None:
                owner.denied += 1
                error = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
                self._send(401, "application/json", json.dumps(error).encode())
                return
            owner.asked.append((user, self.command, self.path))
            found = owner.answer(self.path)
            if found is None:
                error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
                self._send(404, "application/json", json.dumps(error).encode())
            else:
                self._send(200, *found)

        do_HEAD = do_GET

        def _send(self, status: int, media_type: str, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="test"')
                else:
                    self.send_header("Docker-Content-Digest", _digest(body))
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
            except OSError:
                self.close_connection = True  # the engine has given up

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None, name
    return member.read()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
