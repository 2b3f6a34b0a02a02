"""Who may call one's APIs: their keys, and what is asked of callers, under our own address.

A key is told once, when it is made. After that nobody can tell it, the platform neither.
"""

import secrets
from typing import Any, Final

from aiohttp import web

from common.clock import Clock
from common.entity.api import Api
from common.errors import MalformedContent
from common.settings import GatewaySettings
from controller.api.route import Query, Route
from controller.edge import address, answers, content
from controller.edge.auth import IDENTITY
from controller.entitlement import rights
from controller.gateway import access
from controller.gateway.address import url_of
from controller.gateway.apis import Apis

_COLLECTION: Final = "/api/brisk/v1/namespaces/{namespace}/apis"
_WHICH: Final = (Query("api", "string", "The base path of the API, or its title."),)
MAX_BODY_BYTES: Final = 8_192
KEY_BYTES: Final = 32
ID_BYTES: Final = 4


class ApiAccess:
    """The collection `apis`."""

    def __init__(self, apis: Apis, clock: Clock, settings: GatewaySettings) -> None:
        self._apis = apis
        self._clock = clock
        self._settings = settings

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            Route(
                method="GET",
                path=_COLLECTION,
                handler=self.list_all,
                summary="List the APIs of a key, and who may call them",
                kind="api",
                answers={200: "Their titles, addresses and keys; of keys only what may be read."},
            ),
            Route(
                method="PUT",
                path=f"{_COLLECTION}/access",
                handler=self.put_access,
                summary="Say what is asked of who calls an API",
                kind="api",
                query=_WHICH,
                body="Any of needsKey, header, perMinute, showsDocs; what is absent stays.",
                answers={200: "What is asked now.", 400: "The body is wrong.", 404: "No such API."},
            ),
            Route(
                method="POST",
                path=f"{_COLLECTION}/keys",
                handler=self.make_key,
                summary="Make a key for an API, which asks for one from then on",
                kind="api",
                query=_WHICH,
                body="label and perMinute, both optional.",
                answers={200: "The key. It is told this once.", 404: "No such API."},
            ),
            Route(
                method="DELETE",
                path=f"{_COLLECTION}/keys/{{key}}",
                handler=self.revoke_key,
                summary="Revoke a key of an API",
                kind="api",
                query=_WHICH,
                answers={200: "The keys that are left.", 404: "No such API, or no such key."},
            ),
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """Answer all APIs, or those that are called by one name."""
        tenant = _tenant(request)
        found = await self._apis.found(tenant, request.query.get("api", ""))
        return answers.json([self._shown(request, each) for each in found])

    async def put_access(self, request: web.Request) -> web.StreamResponse:
        """Change what is asked of callers."""
        tenant = _tenant(request)
        given = await content.document(request, limit_bytes=MAX_BODY_BYTES)
        changed = await self._apis.change(
            tenant, _which(request), lambda api: access.with_access(api, given)
        )
        return answers.json(access.shown_access(changed))

    async def make_key(self, request: web.Request) -> web.StreamResponse:
        """Make one."""
        tenant = _tenant(request)
        _, given = await content.optional_object(request, limit_bytes=MAX_BODY_BYTES)
        key_id = secrets.token_hex(ID_BYTES)
        key = f"{key_id}.{secrets.token_urlsafe(KEY_BYTES)}"
        made = access.new_key(given, key, key_id, self._clock.now_ms())
        most = self._settings.max_keys
        await self._apis.change(
            tenant, _which(request), lambda api: access.with_key(api, made, most=most)
        )
        return answers.json(access.shown_key(made) | {"key": key})

    async def revoke_key(self, request: web.Request) -> web.StreamResponse:
        """Take one away."""
        tenant = _tenant(request)
        key_id = request.match_info["key"]
        changed = await self._apis.change(
            tenant, _which(request), lambda api: access.without_key(api, key_id)
        )
        return answers.json([access.shown_key(key) for key in changed.keys])

    def _shown(self, request: web.Request, api: Api) -> dict[str, Any]:
        host = f"{request.scheme}://{request.host}"
        return {
            "name": api.title,
            "basePath": api.base_path,
            "url": url_of(api, public=self._settings.url, asked=host),
            "updated": api.updated_ms,
            "access": access.shown_access(api),
            "keys": [access.shown_key(key) for key in api.keys],
        }


def _tenant(request: web.Request) -> str:
    identity = request[IDENTITY]
    rights.own_namespace(identity, address.namespace(request))
    return identity.uuid


def _which(request: web.Request) -> str:
    name = request.query.get("api", "")
    if not name:
        raise MalformedContent("the query is to say which API: ?api=/base/path")
    return name
