"""Where tests find a container engine, and the mark of those that need one."""

import os
import socket as sockets
from pathlib import Path

import pytest

_USUAL = Path("/var/run/docker.sock")


def socket() -> Path:
    """Return the socket of an engine: the one that is named, the usual, or that of deploy/dev."""
    cache = os.getenv("XDG_CACHE_HOME") or Path.home() / ".cache"
    ours = Path(os.getenv("BRISK_DEV") or Path(cache, "brisk-dev"), "docker", "docker.sock")
    named = os.getenv("BRISK_DOCKER__SOCKET")
    if named:
        return Path(named)
    return next((each for each in (_USUAL, ours) if answers_at(each)), ours)


def answers() -> bool:
    """Tell whether there is one."""
    return answers_at(socket())


def answers_at(path: Path) -> bool:
    """Tell whether an engine listens at *path*."""
    with sockets.socket(sockets.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return client.recv(64).startswith(b"HTTP/1.")
        except OSError:
            return False


is_there = pytest.mark.skipif(
    not answers(), reason=f"no container engine answers on {socket()}: make services"
)
needed = (pytest.mark.docker, is_there)
"""Marks of what needs an engine."""
