"""Ports for processes that a test starts, which listen some time after their port was chosen.

They are below those that the kernel gives to connections: one of those might be taken meanwhile.
Several tests choose at once, so each chooses at random.
"""

import secrets
import socket
from typing import Final

_FIRST: Final = 20_000
_LAST: Final = 32_000


def free_port(*, more: int = 0) -> int:
    """Return a free port whose *more* successors are free, too."""
    while True:
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if all(_is_free(each) for each in range(port, port + 1 + more)):
            return port


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
