"""What is there of a project: read from the platform, entity by entity or by its annotation."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cli.apis import checked
from cli.failures import Failure
from cli.jsontext import Json
from cli.names import OWN, EntityName, Scope, parse_entity
from cli.project.apis import calls, operations_of, whole_of
from cli.project.entity import Entity, Key, Kind
from cli.project.present import (
    member_name,
    present_action,
    present_package,
    present_rule,
    present_trigger,
    table_of,
)

if TYPE_CHECKING:
    from cli.client import Client

PAGE: Final = 200
"""Rows of a list that a platform gives at a time."""
INHERITED: Final = "inherited"
"""The field of a binding that holds the parameters of its provider."""
_NOT_FOUND: Final = 404
_UNREADABLE: Final = frozenset({403, 404})
_MAKERS: Final = {
    "packages": present_package,
    "actions": present_action,
    "triggers": present_trigger,
    "rules": present_rule,
}


class Looker:
    """Reads entities of one namespace.

    namespace: as it is asked for; own: its real name.
    gateway: what says whose APIs are meant.
    """

    def __init__(
        self,
        client: "Client",
        own: str,
        namespace: str = OWN,
        gateway: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._gateway = dict(gateway or {})
        self._own = own
        self._namespace = namespace

    def present(self, wanted: Iterable[Entity], *, code: bool) -> dict[Key, Entity]:
        """Return those of *wanted* that are there, as they are."""
        found: dict[Key, Entity] = {}
        for one in wanted:
            there = self._api(one) if one.kind is Kind.API else self._one(one, code)
            if there is not None:
                found[there.key] = there
        return found

    def apis_of(self, actions: Iterable[Entity]) -> list[Entity]:
        """Return the operations of APIs that call one of *actions*."""
        names = {one.name for one in actions if one.kind.collection == "actions"}
        return [one for one in self._operations.values() if calls(one, names)]

    def managed(self, project: str | None) -> list[Entity]:
        """Return what is annotated as a part of *project*, of any project for None; no code."""
        found = (one for collection in _MAKERS for one in self._all(collection))
        return [one for one in found if one.project is not None and project in (None, one.project)]

    def of_packages(self, names: Iterable[str]) -> list[Entity]:
        """Return the packages *names*, and what is in them. Raises `Failure`."""
        found: list[Entity] = []
        for name in names:
            document = self._client.entity("packages", EntityName(name, None, self._namespace))
            package = present_package(document, self._own)
            found.append(package)
            if package.kind is Kind.PACKAGE:
                rows = self._client.entities("actions", Scope(self._namespace, name), PAGE, 0)
                found += (present_action(row, self._own) for row in rows)
        return found

    def contents(self) -> dict[str, list[str]]:
        """Return the names of the actions in each package."""
        found: dict[str, list[str]] = {}
        for row in self._rows("actions"):
            name = member_name(row)
            package, slash, _ = name.rpartition("/")
            if slash:
                found.setdefault(package, []).append(name)
        return found

    def whole(self, entity: Entity) -> Entity:
        """Return *entity*, which a list had, with everything that it has."""
        if entity.kind is Kind.API:
            return entity
        return self._one(entity, code=True) or entity

    @cached_property
    def _apis(self) -> list[dict[str, Json]]:
        try:
            found = self._client.apis(self._gateway)
        except Failure as failure:
            if failure.status in _UNREADABLE:
                return []  # A platform without a gateway has no APIs.
            raise failure.within("Unable to obtain the API list") from failure
        return [checked(one.get("value")) for one in found]

    @cached_property
    def _operations(self) -> dict[str, Entity]:
        every = (operations_of(one, self._own) for one in self._apis)
        return {one.name: one for each in every for one in each}

    def _api(self, wanted: Entity) -> Entity | None:
        if "document" not in wanted.fields:
            return self._operations.get(wanted.name)
        return next((whole_of(one) for one in self._apis
                     if one["apidoc"]["basePath"] == wanted.name), None)  # fmt: skip

    def _one(self, entity: Entity, code: bool) -> Entity | None:
        collection = entity.kind.collection
        name = named(entity, self._namespace)
        try:
            if collection == "actions":
                document = self._client.action(name, code=code)
            else:
                document = self._client.entity(collection, name)
        except Failure as failure:
            if failure.status == _NOT_FOUND:
                return None
            raise failure.within(f"Unable to get {entity.kind} '{entity.name}'") from failure
        found = _MAKERS[collection](document, self._own)
        if found.kind is not Kind.BINDING:
            return found
        inherited = self._provided(str(found.fields["provider"]))
        return Entity(found.kind, found.name, {**found.fields, INHERITED: inherited})

    def _provided(self, provider: str) -> dict[str, Json]:
        """Return the parameters of a package that a binding shows; nothing of one that is gone."""
        try:
            return table_of(
                self._client.entity("packages", parse_entity(provider)).get("parameters")
            )
        except Failure as failure:
            if failure.status in _UNREADABLE:
                return {}
            raise

    def _all(self, collection: str) -> Iterator[Entity]:
        for row in self._rows(collection):
            yield _MAKERS[collection](row, self._own)

    def _rows(self, collection: str) -> Iterator[Mapping[str, Json]]:
        skip = 0
        while True:
            rows = self._client.entities(collection, Scope(self._namespace), PAGE, skip)
            yield from rows
            if len(rows) < PAGE:
                return
            skip += PAGE


def named(entity: Entity, namespace: str = OWN) -> EntityName:
    """Return the name of *entity* for the API."""
    package, slash, name = entity.name.rpartition("/")
    return EntityName(name, package if slash else None, namespace)


def foreign_to(going: Iterable[Entity], contents: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return, by package, the actions in it that are not among *going*."""
    names = {one.name for one in going if one.kind.collection == "actions"}
    found = {package: [one for one in held if one not in names]
             for package, held in contents.items()}  # fmt: skip
    return {package: others for package, others in found.items() if others}
