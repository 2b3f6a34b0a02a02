"""Puts the packages of `whisk.system` into the store, and brings older ones up to date.

It does nothing when they are there already: one document says which ones are. Several controllers
may do it at once. What an operator has bound to a package stays bound. The namespace has no key, so
nobody changes what is in it, unless an operator gives it to somebody.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from common.clock import Clock
from common.entity import action_request
from common.entity.action import Action, Exec
from common.entity.exec_request import Kinds
from common.entity.names import QualifiedName
from common.entity.package import Package
from common.ids import DocId
from common.log import logger
from common.store.catalog import Catalog
from common.store.port import Conflict, DocStore, Missing
from controller.system.packages import NAMESPACE, PACKAGES, SystemAction, SystemPackage, digest

KNOWN_BY: Final = DocId("system-packages")
"""The document of `meta` that says which ones are there."""
KIND: Final = "python:default"
_log: Final = logger(__name__)


async def install(catalog: Catalog, kinds: Kinds, meta: DocStore, clock: Clock) -> None:
    """Have all packages there. Raises `StoreUnavailable`.

    kinds: what this platform runs; without Python nothing is installed.
    """
    runtime = kinds.resolve(KIND)
    if runtime is None:
        _log.warning("system_packages_left_out", why=f"nothing here runs {KIND}")
        return
    wanted = digest(runtime.kind)
    try:
        known = await meta.get(KNOWN_BY)
    except Missing:
        known = None
    if known is not None and known.body.get("digest") == wanted:
        return
    with suppress(Conflict, Missing):  # somebody else installs the same
        for package in PACKAGES:
            await _put_package(catalog, package, clock)
            for action in package.actions:
                await _put_action(catalog, package, action, runtime.kind, clock)
        body = {"digest": wanted}
        if known is None:
            await meta.create(KNOWN_BY, body)
        else:
            await meta.replace(KNOWN_BY, known.rev, body)
        _log.info("system_packages_installed", packages=[each.name for each in PACKAGES])


async def _put_package(catalog: Catalog, package: SystemPackage, clock: Clock) -> None:
    name = QualifiedName(NAMESPACE, None, package.name)
    stored = await catalog.packages.existing(name)
    if stored is None:
        stored = Package(name=name)
    wanted = replace(
        stored,
        publish=True,
        annotations=dict(stored.annotations) | {"description": package.description},
        updated_ms=clock.now_ms(),
    )
    await catalog.packages.write(wanted, stored.rev or None)


async def _put_action(
    catalog: Catalog, package: SystemPackage, action: SystemAction, kind: str, clock: Clock
) -> None:
    name = QualifiedName(NAMESPACE, package.name, action.name)
    stored = await catalog.actions.existing(name)
    wanted = Action(
        name=name,
        exec=Exec(kind=kind, code=action.source, binary=False),
        annotations=action.annotations
        | {action_request.API_KEY_ANNOTATION: False, action_request.EXEC_ANNOTATION: kind},
        version="0.0.1" if stored is None else action_request.next_version(stored.version),
        parameters=() if stored is None else stored.parameters,
        updated_ms=clock.now_ms(),
    )
    await catalog.actions.put(wanted, None if stored is None else stored.rev)
