"""Names of entities as they are typed.

    foo              the entity foo of the default package of the caller's namespace
    pkg/foo          in a package
    /ns/foo          in another namespace
    /ns/pkg/foo      likewise, in a package; the leading slash may be left out
    /ns              a namespace, where one is asked for

The caller's namespace is written `_` on the wire: only the server knows its real name. Whether a
part is a legal name is the server's to say.
"""

from dataclasses import dataclass
from typing import Final

from cli.failures import Failure, Remedy

OWN: Final = "_"
_LONGEST: Final = 3


@dataclass(frozen=True, slots=True)
class EntityName:
    """One entity, somewhere."""

    name: str
    package: str | None = None
    namespace: str = OWN

    @property
    def in_namespace(self) -> str:
        """`name` or `package/name`: what success lines print."""
        return f"{self.package}/{self.name}" if self.package else self.name

    def __str__(self) -> str:
        return f"/{self.namespace}/{self.in_namespace}"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a list looks: a namespace, or a package of it."""

    namespace: str = OWN
    package: str | None = None

    @property
    def shown(self) -> str:
        """The namespace in messages: the caller's own is `default` there."""
        return "default" if self.namespace == OWN else self.namespace


def parse_entity(typed: str) -> EntityName:
    """Return the entity that *typed* names. Raises `Failure` when it names none."""
    match _parts(typed):
        case ["", namespace, name]:
            return EntityName(name, None, namespace)
        case ["", namespace, package, name] | [namespace, package, name]:
            return EntityName(name, package, namespace)
        case [package, name]:
            return EntityName(name, package)
        case [name]:
            return EntityName(name)
        case _:
            raise invalid(typed)


def parse_scope(typed: str) -> Scope:
    """Return the namespace, or the package, that *typed* names for a list."""
    match _parts(typed):
        case ["", namespace]:
            return Scope(namespace)
        case ["", namespace, package] | [namespace, package]:
            return Scope(namespace, package)
        case [package]:
            return Scope(OWN, package)
        case _:
            raise invalid(typed)


def parse_namespace(typed: str) -> Scope:
    """Return the namespace `/NS` that *typed* names, for lists of what is in no package."""
    match _parts(typed):
        case ["", namespace]:
            return Scope(namespace)
        case [*_, name]:
            raise Failure(
                f"An entity name, '{name}', was provided instead of a namespace. "
                "Valid namespaces are of the following format: /NAMESPACE.",
                remedy=Remedy("a list is of a namespace", f"/{name}, or no name at all"),
            )
        case _:
            raise invalid(typed)


def invalid(typed: str) -> Failure:
    """Return what to say of a name that is none."""
    return Failure(
        f"'{typed}' is not a valid qualified name: A valid qualified name must be specified.",
        remedy=Remedy("a name is NAME, PACKAGE/NAME or /NAMESPACE/PACKAGE/NAME"),
    )


def _parts(typed: str) -> list[str]:
    parts = typed.split("/")
    rest = parts[1:] if parts[0] == "" else parts
    if not rest or len(rest) > _LONGEST or "" in rest:
        raise invalid(typed)
    return parts
