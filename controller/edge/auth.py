"""Who asks: HTTP Basic credentials to an identity.

Whatever is not Basic counts as not supplied, also credentials that are not base64; what can be read
but is nobody's counts as invalid. The shape of the key is checked before anybody is looked up.
"""

import base64
import binascii
from typing import Final, Protocol

from aiohttp import web

from common.entity.identity import Identity
from common.ids import Namespace
from controller.edge.rejections import InvalidCredentials, MissingCredentials

CHALLENGE: Final = 'Basic realm="OpenWhisk secure realm",charset=UTF-8'
IDENTITY: Final = web.RequestKey("identity", Identity)
REFUSED: Final = (MissingCredentials, InvalidCredentials)
"""What `authenticate` raises."""
UUID_LENGTH: Final = 36
KEY_LENGTH: Final = 64


class Subjects(Protocol):
    """Who has which key."""

    async def identify(self, uuid: str, key: str) -> Identity | None:
        """Return whose key this is; None when it is nobody's, or its subject is blocked."""
        ...

    async def owner(self, namespace: Namespace) -> Identity | None:
        """Return in whose name the web actions of *namespace* run; None when there is nobody."""
        ...


async def authenticate(header: str | None, subjects: Subjects) -> Identity:
    """Return who sent *header*, the value of `Authorization`.

    Raises `MissingCredentials`, `InvalidCredentials`.
    """
    uuid, colon, key = _credentials(header).partition(":")
    if not colon or len(uuid) != UUID_LENGTH or len(key) != KEY_LENGTH:
        raise InvalidCredentials
    identity = await subjects.identify(uuid, key)
    if identity is None:
        raise InvalidCredentials
    return identity


def _credentials(header: str | None) -> str:
    scheme, _, encoded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        raise MissingCredentials
    encoded = encoded.strip()
    padding = "=" * (-len(encoded) % 4)
    try:
        data = base64.b64decode(encoded + padding, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MissingCredentials from error
    return data.decode("utf-8", "replace")
