"""The APIs of tenants: made, changed, found and deleted.

A change reads what is stored, decides what it becomes, and writes over the revision that was read;
who loses the race begins anew, a few times.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from common.clock import Clock
from common.entity.api import ROOT, Api, api_name
from common.errors import ApiRefused, NoSuchApi
from common.ids import Namespace
from common.settings import GatewaySettings
from common.store.apis import ApiStore
from common.store.port import Conflict, Missing
from controller.gateway import document, openapi, paths, validation
from controller.gateway.document import Document, Endpoint
from controller.gateway.validation import Bounds

ATTEMPTS: Final = 20
"""Of so many who change an API at the same moment, each gets through."""


class Apis:
    """What APIs there are. One per controller."""

    def __init__(self, store: ApiStore, clock: Clock, settings: GatewaySettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._bounds = Bounds(settings.max_document_bytes)

    async def put_endpoint(self, tenant: str, namespace: Namespace, endpoint: Endpoint) -> Api:
        """Put an operation into the API at its base path, made if need be; return the API.

        Raises `ApiRefused`, `Conflict`, `StoreUnavailable`.
        """
        validation.require_bounded([endpoint.parameters, endpoint.secret], self._bounds)

        def changed(there: Api | None) -> Document:
            base = there.document if there else document.new(base_path, endpoint.title)
            new = document.with_endpoint(base, endpoint)
            self._require_valid(new)
            return new

        base_path = await self._base_path(tenant, endpoint.base_path)
        return await self._put(tenant, namespace, base_path, changed)

    async def put_document(self, tenant: str, namespace: Namespace, given: Document) -> Api:
        """Have the API at the base path of *given* be what that says; return the API.

        given: Swagger 2.0, or OpenAPI 3, which becomes that. Raises as `put_endpoint` does.
        """
        validation.require_bounded(given, self._bounds)
        if openapi.is_openapi(given):
            given = openapi.swagger_of(given)
        self._require_valid(given)
        return await self._put(
            tenant, namespace, paths.base_path(given["basePath"]), lambda _: given
        )

    async def change(self, tenant: str, name: str, changed: Callable[[Api], Api]) -> Api:
        """Have the API *name*, a base path or a title, be what *changed* makes of it; return it.

        Raises `NoSuchApi`, `Conflict`, `StoreUnavailable`, and what *changed* raises.
        """
        base_path = (await self.named(tenant, name)).base_path
        for _ in range(ATTEMPTS):
            there = await self._store.existing(api_name(tenant, base_path))
            if there is None:
                raise NoSuchApi
            written = await self._written(changed(there), there)
            if written is not None:
                return written
        raise Conflict

    async def remove(self, tenant: str, name: str, path: str | None, verb: str | None) -> None:
        """Delete the API *name*, or a path of it, or a verb of that; the last one goes with it.

        Raises `NoSuchApi`, `ApiRefused`, `Conflict`, `StoreUnavailable`.
        """
        base_path = (await self.named(tenant, name)).base_path
        for _ in range(ATTEMPTS):
            there = await self._store.existing(api_name(tenant, base_path))
            if there is None:
                raise NoSuchApi
            left = document.without(there.document, path, verb) if path else None
            if left is not None and left["paths"]:
                if await self._written(replace(there, document=left), there) is not None:
                    return
                continue
            try:
                await self._store.delete(there)
            except Conflict:
                continue
            except Missing as error:
                raise NoSuchApi from error
            return
        raise Conflict

    async def found(self, tenant: str, name: str) -> list[Api]:
        """Return the APIs of *tenant* that are called *name*; empty is all, the newest first.

        name: begins with a slash where it is a base path, else it is a title.
        Raises `ApiRefused`, `StoreUnavailable`.
        """
        if not name:
            return await self._store.of(tenant)
        if not name.startswith("/"):
            return [each for each in await self._store.of(tenant) if each.title == name]
        there = await self._store.existing(api_name(tenant, paths.base_path(name)))
        return [] if there is None else [there]

    async def named(self, tenant: str, name: str) -> Api:
        """Return the API called *name*; of several of one title, the newest. Raises `NoSuchApi`."""
        found = await self.found(tenant, name)
        if not name or not found:
            raise NoSuchApi
        return found[0]

    async def _base_path(self, tenant: str, given: str) -> str:
        """Return *given*, or the base path of the API that is called so. Raises `ApiRefused`."""
        if given.startswith("/"):
            return paths.base_path(given)
        try:
            return (await self.named(tenant, given)).base_path
        except NoSuchApi as error:
            raise ApiRefused(
                f"There is no API named '{given[:80]}': a new one is made at a base path, which "
                "begins with '/'."
            ) from error

    async def _put(
        self,
        tenant: str,
        namespace: Namespace,
        base_path: str,
        changed: Callable[[Api | None], Document],
    ) -> Api:
        for _ in range(ATTEMPTS):
            there = await self._store.existing(api_name(tenant, base_path))
            new = changed(there)
            if there is None:
                await self._require_room(tenant)
                one = Api(tenant=tenant, namespace=namespace, base_path=base_path, document=new)
            else:
                one = replace(there, document=new)
            written = await self._written(one, there)
            if written is not None:
                return written
        raise Conflict

    def _require_valid(self, given: Mapping[str, Any]) -> None:
        validation.require_bounded(given, self._bounds)
        validation.require_valid(given)

    async def _require_room(self, tenant: str) -> None:
        most = self._settings.max_apis
        if await self._store.count(ROOT, package=tenant) >= most:
            raise ApiRefused(f"There are {most} APIs already, and no more are allowed.")

    async def _written(self, one: Api, over: Api | None) -> Api | None:
        """Write *one*; return it as it is stored, None if somebody else was faster."""
        one = replace(one, updated_ms=self._clock.now_ms())
        try:
            rev = await self._store.write(one, None if over is None else over.rev)
        except (Conflict, Missing):
            return None
        stored = replace(one, rev=rev)
        self._store.keep(stored)
        return stored
