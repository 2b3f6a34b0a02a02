"""The actions of `/whisk.system/apimgmt`, with which clients of OpenWhisk manage APIs.

There, they are web actions that talk to a gateway. Here, they are a part of the platform, at the
same addresses and with the same answers: what they refuse is told with status 502, as the error of
an action is. A caller sees and changes the APIs of its own key, whatever tenant it names.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, get_args

from aiohttp import web

from common import codec
from common.entity.api import Api
from common.entity.identity import Identity
from common.errors import ApiRefused, NoSuchApi, NoSuchResource
from common.ids import Namespace
from common.store.port import Conflict
from controller.api.route import Method, Route
from controller.api.services import Services
from controller.edge import auth, content, cors
from controller.gateway import request as asked
from controller.gateway.address import url_of
from controller.gateway.apis import Apis
from controller.gateway.document import Endpoint

_ADDRESS: Final = "/api/v1/web/whisk.system/apimgmt/{name}"
_UNUSED: Final = "Not Used"
"""What OpenWhisk's answers say in fields that its newer gateway has no use for."""
_CHANGED_BY_OTHERS: Final = "The API is being changed by others: try again."
Message = Mapping[str, Any]


class ApiManagement:
    """Serves the three actions."""

    def __init__(self, services: Services, apis: Apis) -> None:
        self._services = services
        self._apis = apis
        # The document is in the body with all that a client says around it, and quoted.
        self._most_bytes = 4 * services.settings.gateway.max_document_bytes
        self._actions: Mapping[str, Callable[[web.Request, Message], Awaitable[Any]]] = {
            "createApi": self._create,
            "getApi": self._get,
            "deleteApi": self._delete,
        }

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        methods: tuple[Method, ...] = get_args(Method)
        return tuple(
            Route(
                method=method,
                path=_ADDRESS,
                handler=self.serve,
                summary="Manage APIs by `createApi`, `getApi` and `deleteApi`, as OpenWhisk does",
                kind="api",
                body="apidoc, or what is in the query." if method in ("PUT", "POST") else None,
                answers={
                    200: "The API, or a list of APIs, or nothing.",
                    404: "There is no such action.",
                    413: "The body is too large.",
                    502: "It was refused; `error` says why.",
                },
                is_open=True,
            )
            for method in methods
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Do one of the three."""
        headers = cors.of_web(request.headers.get("Access-Control-Request-Headers"))
        action = self._actions.get(request.match_info["name"].partition(".")[0])
        if action is None:
            raise NoSuchResource
        if request.method == "OPTIONS":
            return web.Response(headers=headers)
        _, given = await content.optional_object(request, limit_bytes=self._most_bytes)
        try:
            told, status = await action(request, {**request.query, **given}), 200
        except ApiRefused as error:
            told, status = {"error": str(error)}, 502
        headers |= {"Content-Type": content.JSON}
        return web.Response(body=codec.encode(told), status=status, headers=headers)

    async def _create(self, request: web.Request, message: Message) -> Any:
        caller = await self._caller(request)
        wanted = asked.creation(message, _namespace(caller))
        assert caller, "nobody's is refused"
        with _told_as(asked.CREATION):
            if isinstance(wanted, Endpoint):
                made = await self._apis.put_endpoint(caller.uuid, caller.namespace, wanted)
            else:
                made = await self._apis.put_document(caller.uuid, caller.namespace, wanted)
        return self._shown(request, made)

    async def _get(self, request: web.Request, message: Message) -> Any:
        caller = await self._caller(request)
        name = asked.wanted(message, _namespace(caller))
        assert caller, "nobody's is refused"
        found = await self._apis.found(caller.uuid, name)
        shown = [self._shown(request, each) for each in asked.page(found, message)]
        return {"apis": [{"id": _UNUSED, "key": _UNUSED, "value": each} for each in shown]}

    async def _delete(self, request: web.Request, message: Message) -> Any:
        caller = await self._caller(request)
        wanted = asked.removal(message, _namespace(caller))
        assert caller, "nobody's is refused"
        with _told_as(asked.DELETION):
            try:
                await self._apis.remove(caller.uuid, wanted.base_path, wanted.path, wanted.verb)
            except NoSuchApi as error:
                raise asked.missing(wanted.base_path) from error
        return {}

    async def _caller(self, request: web.Request) -> Identity | None:
        header = request.headers.get("Authorization")
        try:
            return await auth.authenticate(header, self._services.subjects)
        except auth.REFUSED:
            return None

    def _shown(self, request: web.Request, api: Api) -> dict[str, Any]:
        public = self._services.settings.gateway.url
        url = url_of(api, public=public, asked=f"{request.scheme}://{request.host}")
        return {
            "namespace": _UNUSED,
            "gwApiActivated": True,
            "tenantId": _UNUSED,
            "gwApiUrl": url,
            "apidoc": api.document,
        }


def _namespace(caller: Identity | None) -> Namespace | None:
    return None if caller is None else caller.namespace


@contextmanager
def _told_as(failure: str) -> Iterator[None]:
    """Have a refusal begin with the words of what has failed."""
    try:
        yield
    except ApiRefused as error:
        raise ApiRefused(f"{failure}{error}") from error
    except Conflict as error:
        raise ApiRefused(f"{failure}{_CHANGED_BY_OTHERS}") from error
