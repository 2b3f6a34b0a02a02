"""The socket of a server: bound before anything is started, so that a taken port is found first."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import BriskError


class PortInUse(BriskError):
    """Another program listens on this port."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a bound socket: a port that is taken is found out before anything is started."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"Port {port} of {host} is in use by another program; choose one with --port."
        else:
            why = f"Port {port} of {host} cannot be listened on: {error.strerror}."
        raise PortInUse(why) from error
    with listener:
        listener.setblocking(False)
        yield listener


def url_of(host: str, listener: socket.socket) -> str:
    """Return where this host reaches *listener*, whatever other networks it is shown to."""
    named = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    bracketed = f"[{named}]" if ":" in named else named
    return f"http://{bracketed}:{listener.getsockname()[1]}"
