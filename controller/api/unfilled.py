"""Packages, triggers and rules: collections that have no members yet, and say so correctly.

All entities of a namespace share one space of names. So an action is found under these addresses
too, and is then refused for being in the wrong collection.
"""

from typing import Literal, NoReturn

from aiohttp import web

from common.entity.names import QualifiedName
from common.errors import NoSuchPackage, WrongCollection
from common.metrics import RouteClass
from common.store.actions import ActionStore
from common.store.port import Missing
from controller.api.collection_list import LIST_QUERY, counted
from controller.api.route import Route
from controller.edge import address, answers, query
from controller.edge.auth import IDENTITY
from controller.entitlement import rights

Name = Literal["packages", "triggers", "rules"]


class Unfilled:
    """One collection without members."""

    def __init__(self, collection: Name, kind: RouteClass, actions: ActionStore) -> None:
        self._collection = collection
        self._kind: RouteClass = kind
        self._actions = actions

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        root = f"/api/v1/namespaces/{{namespace}}/{self._collection}"
        missing = {404: "There is none of this name.", 409: "It is something else."}
        return (
            Route(
                method="GET",
                path=root,
                handler=self.list_all,
                summary=f"List the {self._collection} of a namespace",
                kind=self._kind,
                query=LIST_QUERY,
                answers={200: f"The {self._collection}, or how many there are."},
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path=f"{root}/{{name}}",
                handler=self.get,
                summary=f"Read a {self._kind}",
                kind=self._kind,
                answers=missing,
            ),
            Route(
                method="DELETE",
                path=f"{root}/{{name}}",
                handler=self.delete,
                summary=f"Delete a {self._kind}",
                kind=self._kind,
                answers=missing,
            ),
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """List a namespace. Of others, packages may be listed: the public ones."""
        namespace = address.namespace(request)
        if self._collection != "packages":
            rights.own_namespace(request[IDENTITY], namespace)
        page = query.page(request.query, self._collection)
        return answers.json(counted(self._collection, 0, page) if page.count else [])

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Say that there is no such entity."""
        name = self._own(request)
        try:
            await self._refuse(name)
        except Missing as error:
            if self._collection == "packages":
                raise NoSuchPackage(name.doc_id) from error
            raise

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Say that there is no such entity."""
        await self._refuse(self._own(request))

    def _own(self, request: web.Request) -> QualifiedName:
        name = address.entity(request)
        rights.own_entity(request[IDENTITY], name)
        return name

    async def _refuse(self, name: QualifiedName) -> NoReturn:
        await self._actions.get(name)
        raise WrongCollection
