"""Where feeds may read: what the operator lists, and nothing else. Pure.

A provider stands inside of the operator's network, and users name hosts to it. So nothing may be
read unless somebody who is to say so has said that it may.
"""

import re
from typing import Any, Final

from controller.events.provider import Refused

ANY: Final = "*"
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:]{2,45}\]")


def require(listed: str, host: str, port: int) -> None:
    """Return if *host* may be read from at *port*. Raises `Refused`.

    listed: `HOST:PORT` each, or `HOST` for all its ports, with commas between; `*` is everywhere.
    """
    known = {each.strip().lower() for each in listed.split(",")}
    if not known & {ANY, host.lower(), f"{host.lower()}:{port}"}:
        raise Refused(
            f"feeds may not read from {host}:{port}: the operator lists where they may "
            "(BRISK_EVENTS__SOURCES)"
        )


def host_in(given: Any, name: str) -> str:
    """Return the host that a parameter names. Raises `Refused`."""
    if not isinstance(given, str) or _HOST.fullmatch(given) is None:
        raise Refused(f"{name} parameter '{given}' is no name of a host")
    return given


def port_in(given: Any, name: str) -> int:
    """Return the port that a parameter names. Raises `Refused`."""
    text = str(given)
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:6]) <= 65_535:
        raise Refused(f"{name} parameter '{given}' is no port")
    return int(text)
