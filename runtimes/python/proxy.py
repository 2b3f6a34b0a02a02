"""The Python runtime: loads an action and runs it, over frames or over HTTP.

    python proxy.py --channel 3             frames on an inherited, connected socket
    python proxy.py --connect PATH          frames on the Unix socket at this path
    python proxy.py --http 0.0.0.0:8080     OpenWhisk's /init and /run

Any CPython from 3.9 on, standard library only. A zygote imports this file by its path, forks, and
calls `serve_channel` in the child; everything that a first activation needs has then been imported,
and no thread has been started.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import socket
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))

sys.path.insert(0, _HERE)
try:
    from brisk_runtime import channel, web
finally:
    sys.path.remove(_HERE)  # what lies beside this file is not for actions to import

# What actions import most. A zygote pays for it once, and its children share the pages; without
# it, the first `import` of each in a fresh child costs milliseconds.
_COMMON_MODULES = (
    "asyncio",
    "base64",
    "collections",
    "concurrent.futures",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "email.message",
    "encodings.cp437",
    "encodings.idna",
    "encodings.latin_1",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "html",
    "http.client",
    "inspect",
    "io",
    "itertools",
    "json",
    "linecache",
    "logging",
    "math",
    "operator",
    "pathlib",
    "pickle",
    "queue",
    "random",
    "re",
    "secrets",
    "shutil",
    "ssl",
    "statistics",
    "string",
    "struct",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "time",
    "traceback",
    "types",
    "typing",
    "unicodedata",
    "urllib.error",
    "urllib.parse",
    "urllib.request",
    "uuid",
    "xml.etree.ElementTree",
    "zipfile",
    "zlib",
    "zoneinfo",
)


def preload() -> None:
    """Import what actions are likely to want; skip what this interpreter was built without."""
    for name in _COMMON_MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def serve_channel(fd: int) -> None:
    """Serve frames on the connected socket *fd*. Never returns: its end ends the process."""
    channel.serve(fd)


def serve_socket(path: str) -> None:
    """Connect to the Unix socket at *path* and serve frames on it. Never returns."""
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(path)
    channel.serve(connected.detach())


def serve_http(host: str, port: int) -> None:
    """Serve /init and /run on *host*:*port* until the process is ended."""
    web.serve(host, port)


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description="Run one Python action.")
    face = parser.add_mutually_exclusive_group()
    face.add_argument("--channel", type=int, metavar="FD", help="serve frames on this socket")
    face.add_argument("--connect", metavar="PATH", help="or connect to this Unix socket for it")
    # 8080 on all interfaces: where OpenWhisk looks for a runtime in its container.
    face.add_argument("--http", default="0.0.0.0:8080", metavar="HOST:PORT", help="or HTTP")
    arguments = parser.parse_args()
    if arguments.channel is not None:
        serve_channel(arguments.channel)
        return
    if arguments.connect is not None:
        serve_socket(arguments.connect)
        return
    host, _, port = arguments.http.rpartition(":")
    serve_http(host.strip("[]"), int(port))


if __name__ == "__main__":
    if sys.path and os.path.abspath(sys.path[0]) == _HERE:
        del sys.path[0]
    main()
else:
    preload()
