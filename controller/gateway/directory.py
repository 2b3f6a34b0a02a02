"""Which API a call is for, and its routes: at hand for those that are called often."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from common.entity.api import Api, api_name
from common.errors import NoSuchApi
from common.ids import DocId, Rev
from common.store.apis import ApiStore
from common.store.port import Missing
from controller.gateway import paths
from controller.gateway.routing import Routes

REMEMBERED: Final = 512
"""Revisions of APIs whose routes are kept; those that were called last."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The API that a call is for, and what of its path follows the base path."""

    api: Api
    routes: Routes
    segments: Sequence[str]


class Directory:
    """Finds APIs. One per controller."""

    def __init__(self, store: ApiStore) -> None:
        self._store = store
        self._routes: OrderedDict[DocId, tuple[Rev, Routes]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Directory {len(self._routes)} at hand>"

    async def find(self, tenant: str, segments: Sequence[str]) -> Entry:
        """Return the API of *tenant* with the longest base path that *segments* begin with.

        segments: decoded. Raises `NoSuchApi`, `StoreUnavailable`, `Corrupted`.
        """
        bases = await self._store.base_paths(tenant)
        for base_path, length in paths.possible_bases(segments):
            if base_path in bases:
                try:
                    api = await self._store.get(api_name(tenant, base_path))
                except Missing:
                    continue  # deleted a moment ago
                return Entry(api, self._routes_of(api), segments[length:])
        raise NoSuchApi

    def _routes_of(self, api: Api) -> Routes:
        doc_id = api.name.doc_id
        rev, routes = self._routes.get(doc_id, (None, None))
        if routes is None or rev != api.rev:
            routes = Routes(api.document)
            self._routes[doc_id] = (api.rev, routes)
            if len(self._routes) > REMEMBERED:
                self._routes.popitem(last=False)
        self._routes.move_to_end(doc_id)
        return routes
