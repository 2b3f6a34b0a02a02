"""From the name that a caller uses to the action that it means, with what it inherits.

A name in a package is looked up in the package, or through a binding in the package that is bound.
Parameters are inherited, the later wins: package < binding < action. What a caller may not use is
refused here, so that every way of running an action (a call, a rule, a sequence, a composition)
asks the same question.
"""

from dataclasses import dataclass, replace
from typing import Final

from common.entity.action import Action, Parameter
from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.entity.package import Package
from common.errors import CircularBinding, NoSuchResource, NotAuthorized, WrongCollection
from common.ids import Namespace
from common.store.catalog import Catalog
from common.store.port import Missing
from controller.entitlement import rights
from controller.entitlement.rights import Right

NOT_THERE: Final = (Missing, NoSuchResource, WrongCollection, CircularBinding)
"""How `Resolver.resolve` says that a name means no action."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """An action, ready to be run or shown."""

    action: Action
    """By its real name, its parameters those of package and binding and its own, merged."""
    binding: QualifiedName | None = None
    """The binding through which it was named."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A package that the caller may use."""

    named: Package
    """What was named: the package, or a binding."""
    provider: Package
    """Where the actions are."""

    @property
    def binding(self) -> QualifiedName | None:
        """The binding that was named, if one was."""
        return None if self.named is self.provider else self.named.name

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What actions inherit."""
        if self.named is self.provider:
            return self.provider.parameters
        return merged(self.provider.parameters, self.named.parameters)

    def name_of(self, action: str) -> QualifiedName:
        """Return the real name of *action*."""
        provider = self.provider.name
        return QualifiedName(provider.namespace, provider.name, action)


class Resolver:
    """Finds actions by the names that callers use. Holds nothing but the catalog."""

    def __init__(self, catalog: Catalog) -> None:
        """Look things up in *catalog*."""
        self._catalog = catalog

    async def resolve(self, identity: Identity, name: QualifiedName) -> Resolved:
        """Return the action that *name* means to *identity*, who may use it.

        Raises `NotAuthorized`; `Missing`, `NoSuchResource`, `WrongCollection` where there is no
        such action; `CircularBinding`; what the store raises.
        """
        if name.package is None:
            rights.own_entity(identity, name)
            return Resolved(await self._catalog.actions.get(name))
        opened = await self.open(identity, package_of(name))
        action = await self._catalog.actions.get(opened.name_of(name.name))
        return _inheriting(action, opened)

    async def admit(self, identity: Identity, name: QualifiedName) -> None:
        """Refuse an action, whether it is there or not, that *identity* may not use.

        Raises as `resolve` does of a package.
        """
        if name.package is None:
            rights.own_entity(identity, name)
        else:
            await self.open(identity, package_of(name))

    def at_hand(self, caller: Namespace, name: QualifiedName) -> Resolved | None:
        """Return what `resolve` would, if nobody has to be asked for it; else None.

        None, too, for what is not as simple as an action of the caller's own.
        """
        if name.namespace != caller:
            return None
        action = self._catalog.actions.cached(name)
        if name.package is None or action is None:
            return None if action is None else Resolved(action)
        package = self._catalog.packages.cached(package_of(name))
        if package is None or package.binding is not None:
            return None
        return _inheriting(action, Opened(package, package))

    async def open(self, identity: Identity, name: QualifiedName) -> Opened:
        """Return the package *name* if *identity* may use it.

        Raises `NotAuthorized`, `NoSuchResource`, `WrongCollection`, `CircularBinding`; what the
        store raises.
        """
        named = await self._readable(identity, name, name)
        if named.binding is None:
            return Opened(named, named)
        if named.binding == name:
            raise CircularBinding(name.doc_id)
        provider = await self._readable(identity, named.binding, name)
        if provider.binding is not None:
            raise CircularBinding(name.doc_id)
        return Opened(named, provider)

    async def _readable(
        self, identity: Identity, name: QualifiedName, asked_for: QualifiedName
    ) -> Package:
        """Return package *name*; what is refused is *asked_for*."""
        is_own = name.namespace == identity.namespace
        try:
            package = await self._catalog.packages.get(name)
        except (Missing, WrongCollection) as error:
            if not is_own:
                raise NotAuthorized([asked_for.doc_id]) from error
            if isinstance(error, WrongCollection):
                raise
            raise NoSuchResource from error
        if not rights.may(identity.namespace, Right.READ, name, package):
            raise NotAuthorized([asked_for.doc_id])
        return package


def package_of(name: QualifiedName) -> QualifiedName:
    """Return the package that *name* is in."""
    assert name.package is not None, "it is in a package"
    return QualifiedName(name.namespace, None, name.package)


def merged(*layers: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Return one layer of parameters; of equal keys the last wins, in the place of the first."""
    return tuple({each.key: each for layer in layers for each in layer}.values())


def _inheriting(action: Action, opened: Opened) -> Resolved:
    inherited = opened.parameters
    if inherited:
        action = replace(action, parameters=merged(inherited, action.parameters))
    return Resolved(action, opened.binding)
