"""One thing that a project consists of, as it is wanted or as it is there. Pure.

Both sides have the same fields, so that they can be compared: parameters and annotations are
tables, names are whole (`/_/package/name`), and what is the caller's own namespace is `_`.

    package    publish, parameters, annotations, version?
    binding    provider, parameters, annotations
    action     kind, code?, main?, image?, parameters, annotations, limits, version?
    sequence   components, annotations
    trigger    feed?, parameters, annotations
    rule       trigger, action, status, annotations
    api        title, action, response, secret?; its name is `METHOD /base /path`
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from cli.jsontext import Json
from cli.names import OWN
from cli.project.section import Place


class Kind(StrEnum):
    """What there is, in the order in which it is made; it goes in the opposite order."""

    PACKAGE = "package"
    BINDING = "binding"
    ACTION = "action"
    SEQUENCE = "sequence"
    TRIGGER = "trigger"
    RULE = "rule"
    API = "api"

    @property
    def collection(self) -> str:
        """Where the API keeps it."""
        return _COLLECTIONS.get(self, f"{self.value}s")

    @property
    def rank(self) -> int:
        """Its place in the order of making."""
        return list(Kind).index(self)


_COLLECTIONS: Final = {Kind.BINDING: "packages", Kind.SEQUENCE: "actions"}
Fields: TypeAlias = Mapping[str, Json]
Key: TypeAlias = tuple[str, str]
"""A collection and a name in it: what cannot be there twice."""

MANAGED: Final = "whisk-managed"
"""The annotation that says which project something belongs to."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing, by its name in the namespace: `package/name`, or `name`."""

    kind: Kind
    name: str
    fields: Fields
    place: Place | None = None
    """Where the manifest has it; None for what was found."""

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return self.kind.collection, self.name

    @property
    def package(self) -> str | None:
        """The package that it is in; None for none, and for what is never in one."""
        package, slash, _ = self.name.rpartition("/")
        return package if slash and self.kind.collection == "actions" else None

    @property
    def project(self) -> str | None:
        """The project that it belongs to; None when it is not managed."""
        managed = self.table("annotations").get(MANAGED)
        name = managed.get("projectName") if isinstance(managed, dict) else None
        return name if isinstance(name, str) else None

    def table(self, field: str) -> dict[str, Json]:
        """Return a field that holds keys and values."""
        found = self.fields.get(field)
        return found if isinstance(found, dict) else {}

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def localized(path: str, own: str) -> str:
    """Return `/ns/…` with `_` for the namespace *own*."""
    head = f"/{own}/"
    return f"/{OWN}/{path.removeprefix(head)}" if own and path.startswith(head) else path
