"""What a namespace shows registries of its private images, under our own address.

Passwords come in and are never given out.
"""

from typing import Any

from aiohttp import web

from common.errors import MalformedContent
from common.store.registries import Login, Registered, RegistryStore
from controller.api.route import Route
from controller.edge import address, answers, content
from controller.edge.auth import IDENTITY
from controller.entitlement import rights

_COLLECTION = "/api/brisk/v1/namespaces/{namespace}/registries"
MAX_BODY_BYTES = 32_768


class Registries:
    """The collection `registries`."""

    def __init__(self, registries: RegistryStore) -> None:
        self._registries = registries

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        one = f"{_COLLECTION}/{{registry}}"
        return (
            Route(
                method="GET",
                path=_COLLECTION,
                handler=self.list_all,
                summary="List the registries that a namespace has credentials for",
                kind="namespace",
                answers={200: "Their hosts and users, without passwords."},
            ),
            Route(
                method="PUT",
                path=one,
                handler=self.put,
                summary="Keep credentials for a registry",
                kind="namespace",
                body="username, password.",
                answers={200: "The host and its user.", 400: "The host or the body is wrong."},
            ),
            Route(
                method="DELETE",
                path=one,
                handler=self.delete,
                summary="Forget the credentials for a registry",
                kind="namespace",
                answers={200: "What they were.", 404: "There are none."},
            ),
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """Answer hosts and users."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        return answers.json([_shown(each) for each in await self._registries.registered(namespace)])

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Keep a user and a password."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        body = await content.document(request, limit_bytes=MAX_BODY_BYTES)
        login = _login(body)
        host = request.match_info["registry"]
        return answers.json(_shown(await self._registries.put(namespace, host, login)))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Forget them."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        host = request.match_info["registry"]
        return answers.json(_shown(await self._registries.delete(namespace, host)))


def _login(body: Any) -> Login:
    match body:
        case {"username": str(username), "password": str(password)}:
            return Login(username, password)
        case _:
            raise MalformedContent("username and password are expected, both text")


def _shown(registered: Registered) -> dict[str, Any]:
    return {
        "host": registered.host,
        "username": registered.username,
        "updated": registered.updated_ms,
    }
