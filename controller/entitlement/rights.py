"""Who may touch what. Pure; the texts are OpenWhisk's (`Entitlement.scala`, `PackageCollection`).

A key may do everything in its own namespace. Of other namespaces it may use what is in a package
that is published: read and list it, invoke its actions, bind it, and name it in sequences and
rules. A binding opens nothing to others, and nothing of another namespace is ever written. Whether
a thing of another namespace exists is not told: it is forbidden either way.
"""

from enum import Enum, auto

from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.entity.package import Package
from common.errors import NotAuthorized
from common.ids import Namespace


class Right(Enum):
    """What somebody wants to do with an entity."""

    READ = auto()
    ACTIVATE = auto()
    WRITE = auto()


def may(caller: Namespace, right: Right, name: QualifiedName, package: Package | None) -> bool:
    """Tell whether *caller* has *right* on *name*.

    package: the package *name*, or the one that it is in; None where there is none.
    """
    if name.namespace == caller:
        return True
    return right is not Right.WRITE and package is not None and is_shared(package)


def is_shared(package: Package) -> bool:
    """Tell whether other namespaces may use *package*."""
    return package.publish and package.binding is None


def own_namespace(identity: Identity, namespace: Namespace, entity: str | None = None) -> None:
    """Refuse another namespace, or the *entity* in it. Raises `NotAuthorized`."""
    if namespace != identity.namespace:
        raise NotAuthorized([namespace if entity is None else f"{namespace}/{entity}"])


def own_entity(identity: Identity, name: QualifiedName) -> None:
    """Refuse an entity of another namespace, whatever it is. Raises `NotAuthorized`."""
    own_namespace(identity, name.namespace, name.package or name.name)
