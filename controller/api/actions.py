"""Actions: create, update, read, delete, list. A handler parses, calls the store, prints.

The order of the checks of a `PUT` is OpenWhisk's, and clients see it: address, rights, query, the
sizes of the body, the body, limits, components, existence, kind.
"""

from aiohttp import web

from common.entity.action import SEQUENCE, Action, Exec
from common.entity.action_document import to_rest
from common.entity.action_request import ActionChange, SizeBounds, created, read_change, updated
from common.entity.forms import parsed
from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.errors import (
    InstancesOutOfBounds,
    NoComponent,
    NoSuchPackage,
    NoSuchResource,
    NotAllowedOnBinding,
    NotAuthorized,
    ResourceExists,
    RuntimeDeprecated,
    SequenceTooLong,
)
from common.ids import Namespace
from controller.api.bounds import check_kind, check_limits, effective
from controller.api.collection_list import LIST_QUERY, counted
from controller.api.route import Query, Route
from controller.api.services import Services
from controller.edge import address, answers, content, query
from controller.edge.auth import IDENTITY
from controller.entitlement import rights
from controller.invoke import sequence
from controller.invoke.resolve import NOT_THERE, package_of

_COLLECTION = "/api/v1/namespaces/{namespace}/actions"
_ONE = {200: "The action.", 404: "There is no such action.", 409: "It is something else."}
_WRITTEN = {
    200: "The action as it is now.",
    400: "The body, a limit or a component is wrong.",
    409: "It exists, is something else, or was changed by somebody else meanwhile.",
    413: "The code, the parameters or the annotations are too large.",
}


class Actions:
    """The collection `actions`."""

    def __init__(self, services: Services) -> None:
        self._actions = services.catalog.actions
        self._packages = services.catalog.packages
        self._resolver = services.resolver
        self._clock = services.clock
        self._manifest = services.manifest
        self._limits = services.settings.limits

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            *self._routes_of_one(f"{_COLLECTION}/{{name}}", ""),
            *self._routes_of_one(f"{_COLLECTION}/{{package}}/{{name}}", " of a package"),
            Route(
                method="GET",
                path=_COLLECTION,
                handler=self.list_all,
                shows={200: "ActionMeta[]"},
                summary="List the actions of a namespace, newest first",
                kind="action",
                query=LIST_QUERY,
                answers={200: "The actions without code, or how many there are."},
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path=f"{_COLLECTION}/{{package}}/",
                handler=self.list_package,
                shows={200: "ActionMeta[]"},
                summary="List the actions of a package, newest first",
                kind="action",
                query=LIST_QUERY,
                answers={
                    200: "The actions without code, or how many there are.",
                    404: "There is no such package.",
                    409: "It is no package.",
                },
            ),
        )

    def _routes_of_one(self, path: str, where: str) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path=path,
                handler=self.get,
                shows={200: "Action"},
                summary=f"Read an action{where}",
                kind="action",
                query=(Query("code", "boolean", "Whether its code is wanted; default true."),),
                answers=_ONE,
            ),
            Route(
                method="PUT",
                path=path,
                handler=self.put,
                takes="ActionPut",
                shows={200: "Action"},
                summary=f"Create or update an action{where}",
                kind="action",
                query=(Query("overwrite", "boolean", "Update what exists; default false."),),
                body="exec, parameters, annotations, delAnnotations, limits, version, publish.",
                answers=_WRITTEN,
            ),
            Route(
                method="DELETE",
                path=path,
                handler=self.delete,
                shows={200: "Action"},
                summary=f"Delete an action{where}",
                kind="action",
                answers=_ONE,
            ),
        )

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer one action, with what it inherits."""
        name = address.entity(request)
        with_code = query.boolean(request.query, "code", default=True)
        found = await self._resolver.resolve(request[IDENTITY], name)
        if with_code:
            code = await self._actions.code(found.action)
            return answers.json(to_rest(found.action, code=code))
        through = {} if found.binding is None else {"binding": found.binding.doc_id}
        return answers.json(to_rest(found.action) | through)

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Create or update one action, and answer what it is now."""
        identity, name = request[IDENTITY], await self._writable(request)
        may_overwrite = query.boolean(request.query, "overwrite", default=False)
        body = await content.document(request, limit_bytes=self._limits.max_request_bytes)
        bounds = effective(self._limits, identity.own)
        sizes = SizeBounds(
            code_bytes=bounds.max_code_bytes, parameters_bytes=bounds.max_parameters_bytes
        )
        change = read_change(body, self._manifest, sizes, identity.namespace)
        check_limits(change.limits, bounds)
        await self._check_components(identity, change.exec)
        if change.exec is not None:
            check_kind(change.exec.kind, bounds, identity.own)
        stored = await self._actions.existing(name)
        if stored is not None and not may_overwrite:
            raise ResourceExists
        written = await self._write(identity, name, change, stored)
        code = await self._actions.code(written) if change.exec is None else change.exec.code
        return answers.json(to_rest(written, code=code))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete one action, and answer what it was."""
        name = await self._writable(request)
        action = await self._actions.newest(name)
        code = await self._actions.code(action)
        await self._actions.delete(action)
        return answers.json(to_rest(action, code=code))

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """List a namespace."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        return await self._list(request, namespace, package=None)

    async def list_package(self, request: web.Request) -> web.StreamResponse:
        """List a package; of a binding, the package that is bound."""
        name = QualifiedName(
            address.namespace(request), None, address.legal_name(request.match_info["package"])
        )
        try:
            opened = await self._resolver.open(request[IDENTITY], name)
        except NoSuchResource as error:
            raise NoSuchPackage(name.doc_id) from error
        provider = opened.provider.name
        return await self._list(request, provider.namespace, package=provider.name)

    async def _list(
        self, request: web.Request, namespace: Namespace, *, package: str | None
    ) -> web.Response:
        page = query.page(request.query, "actions")
        if page.count:
            total = await self._actions.count(namespace, package=package)
            return answers.json(counted("actions", total, page))
        return answers.json(
            await self._actions.list(namespace, package=package, limit=page.limit, skip=page.skip)
        )

    async def _writable(self, request: web.Request) -> QualifiedName:
        """Return the action that a request writes: its own, and in no binding.

        Raises `NotAuthorized`, `NotAllowedOnBinding`, `Missing`, `WrongCollection`.
        """
        name = address.entity(request)
        rights.own_entity(request[IDENTITY], name)
        if name.package is not None:
            package = await self._packages.get(package_of(name))
            if package.binding is not None:
                raise NotAllowedOnBinding
        return name

    async def _write(
        self,
        identity: Identity,
        name: QualifiedName,
        change: ActionChange,
        stored: Action | None,
    ) -> Action:
        instances = change.limits.get("instances", 0)
        if instances > identity.concurrent_invocations:
            raise InstancesOutOfBounds(identity.concurrent_invocations)
        now_ms = self._clock.now_ms()
        if stored is None:
            wanted = created(name, change, updated_ms=now_ms)
        else:
            wanted = updated(stored, change, updated_ms=now_ms)
        await self._check_kind(identity, name, change.exec, wanted.exec)
        return await self._actions.put(wanted, over=None if stored is None else stored.rev)

    async def _check_kind(
        self, identity: Identity, name: QualifiedName, given: Exec | None, wanted: Exec
    ) -> None:
        if given is not None and given.kind == SEQUENCE:
            await self._check_sequence(identity, name, given)
        runtime = self._manifest.resolve(wanted.kind)
        if runtime is not None and runtime.deprecated:
            raise RuntimeDeprecated(wanted.kind)

    async def _check_sequence(self, identity: Identity, name: QualifiedName, given: Exec) -> None:
        """Judge a sequence before it is written.

        Raises: `SequenceTooLong`, `NoComponent`, `ComponentNotFound`, `SequenceCyclic`.
        """
        limit = self._limits.sequence_length
        if len(given.components) > limit:
            raise SequenceTooLong
        if not given.components:
            raise NoComponent
        known: dict[QualifiedName, Action | None] = {}
        while missing := sequence.unknown_parts(name, given.components, known):
            for part in missing:
                try:
                    known[part] = (await self._resolver.resolve(identity, part)).action
                except (*NOT_THERE, NotAuthorized):  # of a part of a part, it shows when it runs
                    known[part] = None
        sequence.check(name, given.components, known, limit=limit)

    async def _check_components(self, identity: Identity, given: Exec | None) -> None:
        """Refuse components in packages that the caller may not use.

        Raises `NotAuthorized`, `NoSuchResource`.
        """
        for component in given.components if given else ():
            await self._resolver.admit(identity, parsed(component))
