"""APIs in the store, and at hand.

The path of a call begins with a base path, and nobody can tell where that ends: so the base paths
of a tenant are kept at hand, too, and are forgotten with any change to its APIs.
"""

from collections.abc import Sequence
from typing import Any, Final

from common.clock import Clock, SystemClock
from common.entity import api
from common.entity.api import Api
from common.ids import Rev
from common.store.cache import Cache, Lifetimes
from common.store.entities import CACHED, LIFETIMES, EntityStore, Form
from common.store.port import Corrupted, DocStore, Gap, Invalidation

API: Final = Form(
    entity_type=api.ENTITY_TYPE,
    to_document=api.to_document,
    from_document=api.from_document,
    to_list_item=api.to_list_item,
)
_PREFIX: Final = f"{api.ROOT}/"
_PAGE: Final = 8
"""Documents of APIs are long: so many are read at a time, and others are served in between."""


class ApiStore(EntityStore[Api]):
    """All APIs of all tenants. Belongs to one event loop; holds nothing to close."""

    def __init__(
        self,
        docs: DocStore,
        *,
        clock: Clock | None = None,
        lifetimes: Lifetimes = LIFETIMES,
        capacity: int = CACHED,
    ) -> None:
        """Serve the APIs in *docs*."""
        super().__init__(docs, API, clock=clock, lifetimes=lifetimes, capacity=capacity)
        self._bases: Cache[str, tuple[str, ...]] = Cache(
            self._read_bases, clock or SystemClock(), capacity=capacity, lifetimes=lifetimes
        )

    async def base_paths(self, tenant: str) -> Sequence[str]:
        """Return where the APIs of *tenant* begin; of one that has none, nothing.

        On a cache hit without yielding to the loop. Raises `StoreUnavailable`, `Corrupted`.
        """
        return await self._bases.get(tenant)

    async def of(self, tenant: str) -> list[Api]:
        """Return all APIs of *tenant* as they are stored now, the newest first.

        To be read: they know no revision, so none of them can be written over.
        Raises `StoreUnavailable`, `Corrupted`.
        """
        try:
            return [api.from_document(body, Rev("")) for body in await self._bodies(tenant)]
        except ValueError as error:
            raise Corrupted(f"An API of the tenant {tenant} cannot be read.") from error

    async def write(self, entity: Api, over: Rev | None) -> Rev:
        """Write *entity*, and return its revision now. Raises `Conflict`, `Missing`."""
        try:
            return await super().write(entity, over)
        finally:
            self._bases.forget(entity.tenant)

    async def delete(self, entity: Api) -> None:
        """Delete the revision *entity*. Raises `Conflict`, `Missing`, `StoreUnavailable`."""
        try:
            await super().delete(entity)
        finally:
            self._bases.forget(entity.tenant)

    def forget(self, change: Invalidation | Gap) -> None:
        """Forget what somebody else has changed."""
        super().forget(change)
        if isinstance(change, Gap):
            self._bases.clear()
        elif change.doc_id.startswith(_PREFIX):
            self._bases.forget(change.doc_id.removeprefix(_PREFIX).partition("/")[0])

    async def _read_bases(self, tenant: str) -> tuple[str, ...]:
        return tuple(body["basePath"] for body in await self._bodies(tenant))

    async def _bodies(self, tenant: str) -> list[dict[str, Any]]:
        bodies: list[dict[str, Any]] = []
        while True:
            page = await self._docs.list(
                api.ROOT, api.ENTITY_TYPE, package=tenant, limit=_PAGE, skip=len(bodies)
            )
            bodies += page
            if len(page) < _PAGE:
                return bodies
