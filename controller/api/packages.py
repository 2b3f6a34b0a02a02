"""Packages and bindings: create, update, read, delete, list.

The order of the checks of a `PUT` is OpenWhisk's: rights, query, body, the reserved name, what is
bound, existence.
"""

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from aiohttp import web

from common.entity.entity_change import (
    FEED,
    EntityChange,
    changed_package,
    new_package,
    read_package,
)
from common.entity.forms import parameters_shown
from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.entity.package import Package, to_rest
from common.errors import (
    BindingDoesNotExist,
    BindingToBinding,
    NoSuchPackage,
    NoSuchResource,
    NotAPackageToBind,
    NotAuthorized,
    PackageNotEmpty,
    ReservedPackageName,
    ResourceExists,
    WrongCollection,
)
from common.store.port import Missing
from controller.api.bounds import effective
from controller.api.collection_list import LIST_QUERY, counted
from controller.api.route import Query, Route
from controller.api.services import Services
from controller.edge import address, answers, content, query
from controller.edge.auth import IDENTITY
from controller.entitlement import rights
from controller.entitlement.rights import Right

RESERVED: Final = frozenset({"default"})
_ROOT: Final = "/api/v1/namespaces/{namespace}/packages"
_PAGE: Final = 200


class Packages:
    """The collection `packages`."""

    def __init__(self, services: Services) -> None:
        self._packages = services.catalog.packages
        self._actions = services.catalog.actions
        self._resolver = services.resolver
        self._clock = services.clock
        self._limits = services.settings.limits

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        one = f"{_ROOT}/{{name}}"
        return (
            Route(
                method="GET",
                path=_ROOT,
                handler=self.list_all,
                shows={200: "PackageMeta[]"},
                summary="List the packages of a namespace, newest first",
                kind="package",
                query=LIST_QUERY,
                answers={200: "The packages; of another namespace, those that it shares."},
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path=one,
                handler=self.get,
                shows={200: "Package"},
                summary="Read a package",
                kind="package",
                answers={
                    200: "The package, its actions and its feeds.",
                    404: "There is no such package.",
                    409: "It is something else.",
                    422: "It is a binding that leads nowhere.",
                },
            ),
            Route(
                method="PUT",
                path=one,
                handler=self.put,
                takes="PackagePut",
                shows={200: "Package"},
                summary="Create or update a package",
                kind="package",
                query=(Query("overwrite", "boolean", "Update what exists; default false."),),
                body="binding, parameters, annotations, version, publish.",
                answers={
                    200: "The package as it is now.",
                    400: "The body, the name or what is bound is wrong.",
                    409: "It exists, is something else, or was changed by somebody else meanwhile.",
                    413: "The parameters or the annotations are too large.",
                },
            ),
            Route(
                method="DELETE",
                path=one,
                handler=self.delete,
                shows={200: "Package"},
                summary="Delete a package",
                kind="package",
                query=(Query("force", "boolean", "Delete its actions, too; default false."),),
                answers={
                    200: "The package as it was.",
                    404: "There is no such package.",
                    409: "It is something else, or has actions in it.",
                },
            ),
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """List a namespace. Of another, what it shares."""
        namespace = address.namespace(request)
        page = query.page(request.query, "packages")
        if namespace == request[IDENTITY].namespace:
            if page.count:
                total = await self._packages.count(namespace)
                return answers.json(counted("packages", total, page))
            return answers.json(
                await self._packages.list(namespace, limit=page.limit, skip=page.skip)
            )
        shared = [
            item for item in await _all(partial(self._packages.list, namespace)) if _is_shared(item)
        ]
        if page.count:
            return answers.json(counted("packages", len(shared), page))
        return answers.json(shared[page.skip : page.skip + page.limit])

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer one package with what is in it; of a binding, what it shows."""
        name = address.entity(request)
        try:
            opened = await self._resolver.open(request[IDENTITY], name)
        except NoSuchResource as error:
            raise NoSuchPackage(name.doc_id) from error
        items = await self._contents(opened.provider.name)
        feeds = [item for item in items if _is_feed(item)]
        shown = to_rest(opened.named) | {
            "parameters": parameters_shown(opened.parameters),
            "actions": [_content(item) for item in items if not _is_feed(item)],
            "feeds": [_content(item) for item in feeds],
        }
        return answers.json(shown)

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Create or update one package, and answer what it is now."""
        identity, name = request[IDENTITY], self._own(request)
        may_overwrite = query.boolean(request.query, "overwrite", default=False)
        body = await content.document(request, limit_bytes=self._limits.max_request_bytes)
        most_bytes = effective(self._limits, identity.own).max_parameters_bytes
        change = read_package(body, name.namespace, most_bytes)
        if name.name in RESERVED:
            raise ReservedPackageName(name.name)
        stored = await self._packages.existing(name)
        if stored is not None and not may_overwrite:
            raise ResourceExists
        wanted = self._wanted(name, stored, change)
        if change.binding is not None:
            await self._check_bound(identity, change.binding)
        await self._packages.write(wanted, None if stored is None else stored.rev)
        return answers.json(to_rest(wanted))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete one package, and answer what it was."""
        name = self._own(request)
        with_contents = query.boolean(request.query, "force", default=False)
        package = await self._packages.newest(name)
        if package.binding is None:
            await self._empty(name, by_force=with_contents)
        await self._packages.delete(package)
        return answers.json(to_rest(package))

    def _own(self, request: web.Request) -> QualifiedName:
        name = address.entity(request)
        rights.own_entity(request[IDENTITY], name)
        return name

    def _wanted(self, name: QualifiedName, stored: Package | None, change: EntityChange) -> Package:
        now_ms = self._clock.now_ms()
        if stored is None:
            return new_package(name, change, updated_ms=now_ms)
        return changed_package(stored, change, updated_ms=now_ms)

    async def _check_bound(self, identity: Identity, bound: QualifiedName) -> None:
        """Refuse to bind *bound*, unless it is a package that *identity* may use."""
        is_own = bound.namespace == identity.namespace
        try:
            package = await self._packages.newest(bound)
        except Missing as error:
            raise (BindingDoesNotExist() if is_own else NotAuthorized([bound.doc_id])) from error
        except WrongCollection as error:
            raise (NotAPackageToBind() if is_own else NotAuthorized([bound.doc_id])) from error
        if not rights.may(identity.namespace, Right.READ, bound, package):
            raise NotAuthorized([bound.doc_id])
        if package.binding is not None:
            raise BindingToBinding

    async def _contents(self, package: QualifiedName) -> Sequence[dict[str, Any]]:
        return await _all(partial(self._actions.list, package.namespace, package=package.name))

    async def _empty(self, package: QualifiedName, *, by_force: bool) -> None:
        """Delete what is in *package*, if that is wanted. Raises `PackageNotEmpty`."""
        items = await self._contents(package)
        if items and not by_force:
            raise PackageNotEmpty(len(items))
        for item in items:
            name = QualifiedName(package.namespace, package.name, item["name"])
            action = await self._actions.existing(name)
            if action is not None:
                await self._actions.delete(action)


class _List(Protocol):
    def __call__(self, *, limit: int, skip: int) -> Awaitable[Sequence[dict[str, Any]]]: ...


async def _all(listed: _List) -> Sequence[dict[str, Any]]:
    """Return every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    while True:
        page = await listed(limit=_PAGE, skip=len(items))
        items += page
        if len(page) < _PAGE:
            return items


def _is_shared(item: Mapping[str, Any]) -> bool:
    return bool(item["publish"]) and not item["binding"]


def _is_feed(item: Mapping[str, Any]) -> bool:
    return any(each["key"] == FEED for each in item["annotations"])


def _content(item: Mapping[str, Any]) -> dict[str, Any]:
    return {field: item[field] for field in ("name", "version", "annotations")}
