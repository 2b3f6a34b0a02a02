"""What a path names: the namespace, the entity, the activation; each legal, or refused at once."""

import re
from typing import Final

from aiohttp import web

from common.entity.names import MAX_LENGTH, QualifiedName, is_legal
from common.errors import (
    ActivationIdLength,
    IllegalActivationId,
    IllegalName,
    IllegalNamespace,
    NameTooLong,
)
from common.ids import ACTIVATION_ID_LENGTH, ActivationId, Namespace
from controller.edge.auth import IDENTITY

OWN: Final = "_"
"""In place of a namespace: the caller's own."""

_HEX: Final = re.compile(r"[0-9a-f]+")


def namespace(request: web.Request) -> Namespace:
    """Return the namespace in the path. Raises `IllegalNamespace`, `NameTooLong`."""
    given = request.match_info["namespace"]
    if given == OWN:
        return request[IDENTITY].namespace
    return legal_namespace(given)


def entity(request: web.Request) -> QualifiedName:
    """Return the entity in the path, perhaps one in a package.

    Raises: `IllegalNamespace`, `IllegalName`, `NameTooLong`.
    """
    where = namespace(request)
    package = request.match_info.get("package")
    if package is not None:
        legal_name(package)
    return QualifiedName(where, package, legal_name(request.match_info["name"]))


def activation_id(request: web.Request) -> ActivationId:
    """Return the activation in the path. Raises `ActivationIdLength`, `IllegalActivationId`."""
    return legal_activation_id(request.match_info["id"])


def legal_namespace(given: str) -> Namespace:
    """Return *given*. Raises `IllegalNamespace`, `NameTooLong`."""
    if len(given) > MAX_LENGTH:
        raise NameTooLong("Namespace", len(given), MAX_LENGTH)
    if not is_legal(given):
        raise IllegalNamespace
    return Namespace(given)


def legal_name(given: str) -> str:
    """Return *given*. Raises `IllegalName`, `NameTooLong`."""
    if len(given) > MAX_LENGTH:
        # The spelling is OpenWhisk's, and clients compare it.
        raise NameTooLong("Name segement", len(given), MAX_LENGTH)
    if not is_legal(given):
        raise IllegalName
    return given


def legal_activation_id(given: str) -> ActivationId:
    """Return *given*. Raises `ActivationIdLength`, `IllegalActivationId`."""
    if len(given) != ACTIVATION_ID_LENGTH:
        raise ActivationIdLength(len(given), ACTIVATION_ID_LENGTH)
    if not _HEX.fullmatch(given):
        raise IllegalActivationId
    return ActivationId(given)
