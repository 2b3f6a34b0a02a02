"""Who may touch what, as long as nothing is shared: a namespace is open to its own key alone."""

from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.errors import NoSuchResource, NotAuthorized
from common.ids import Namespace


def own_namespace(identity: Identity, namespace: Namespace, entity: str | None = None) -> None:
    """Refuse another namespace, or the *entity* in it. Raises `NotAuthorized`."""
    if namespace != identity.namespace:
        raise NotAuthorized([namespace if entity is None else f"{namespace}/{entity}"])


def own_entity(identity: Identity, name: QualifiedName) -> None:
    """Refuse an entity of another namespace, and one in a package, of which there are none.

    Whether a package of somebody else exists is not told: it is forbidden either way.
    Raises: `NotAuthorized`, `NoSuchResource`.
    """
    own_namespace(identity, name.namespace, name.package or name.name)
    if name.package is not None:
        raise NoSuchResource
