"""Where an operation leads: to a web action, by its address. Pure.

All sorts of tools write such addresses into documents: their host is whatever the tool knew the
platform by, so that only what follows it counts. The gateway runs the action itself, inside the
platform: it sends nothing to any host, whatever a document says.
"""

import re
from dataclasses import dataclass
from typing import Final

from common.entity.names import QualifiedName, is_legal
from common.errors import ApiRefused
from common.ids import Namespace

DEFAULT_PACKAGE: Final = "default"
REQUEST_PATH: Final = "$(request.path)"
"""At the end of an address: there the path of the request is put."""
RESPONSE_TYPES: Final = ("http", "json", "text", "html", "svg")
MAX_LENGTH: Final = 2048
"""Of an address; what is longer is cut, and leads nowhere then."""

_ADDRESS: Final = re.compile(
    r"(?P<host>(?:https?://)?[^/\s]*)/api/v\d+/web"
    r"/(?P<namespace>[^/]+)/(?P<package>[^/]+)/(?P<name>[^/$?#]+)(?P<rest>[^?#]*)"
)
_EXTENSION: Final = re.compile(r"\.(http|json|text|html|svg)\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """A web action, and what is asked of it."""

    action: QualifiedName
    extension: str
    """With its dot."""
    rest: str = ""
    """What of the address follows the action: a part of its `__ow_path`."""
    takes_path: bool = False
    """Whether the path of the request follows that."""
    secret: str | None = None
    """What the action wants in `X-Require-Whisk-Auth`."""

    def path(self, asked: str) -> str:
        """Return the `__ow_path` of a request for *asked*, which begins with the base path."""
        return self.rest + asked if self.takes_path else self.rest

    def __repr__(self) -> str:
        """Return what may be shown: no secret."""
        return f"<Target {self.action}{self.extension}>"


def target_of(address: str, secret: str | None = None) -> Target | None:
    """Return where *address* leads; None if to no web action."""
    found = _ADDRESS.search(address[:MAX_LENGTH])
    if found is None:
        return None
    name, extension = _split_extension(found["name"])
    package = None if found["package"] == DEFAULT_PACKAGE else found["package"]
    if not all(map(is_legal, (found["namespace"], package or name, name))):
        return None
    rest = found["rest"]
    takes_path = rest.endswith(REQUEST_PATH)
    return Target(
        QualifiedName(Namespace(found["namespace"]), package, name),
        extension,
        rest.removesuffix(REQUEST_PATH),
        takes_path,
        secret,
    )


def address_of(host: str, action: QualifiedName, response_type: str) -> str:
    """Return the address of a web action that answers with *response_type*.

    host: with its scheme. Raises `ApiRefused` for a type that there is not.
    """
    if response_type not in RESPONSE_TYPES:
        raise ApiRefused(
            f"'{response_type}' is not a valid response type. "
            f"Valid values are: {', '.join(RESPONSE_TYPES)}"
        )
    package = action.package or DEFAULT_PACKAGE
    return f"{host}/api/v1/web/{action.namespace}/{package}/{action.name}.{response_type}"


def host_of(address: str) -> str:
    """Return the host in the address of a web action, with its scheme. Raises `ApiRefused`."""
    found = _ADDRESS.search(address[:MAX_LENGTH])
    if found is None:
        raise ApiRefused(
            f"The backendUrl '{address[:200]}' is not the address of a web action: "
            "https://HOST/api/v1/web/NAMESPACE/PACKAGE/ACTION.http is one."
        )
    host = found["host"]
    return host if host.startswith("http") else f"https://{host}"


def _split_extension(segment: str) -> tuple[str, str]:
    found = _EXTENSION.search(segment)
    return (segment[: found.start()], found[0]) if found else (segment, ".http")
