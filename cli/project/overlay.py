"""A deployment file laid over a manifest: inputs and annotations of what the manifest has. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, TypeVar

from cli.failures import Failure
from cli.project.manifest import Action, Input, Inputs, Manifest, Package, Trigger, Values
from cli.project.section import Place


class _Bound(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def place(self) -> Place: ...
    @property
    def inputs(self) -> Inputs: ...
    @property
    def annotations(self) -> Values: ...


T = TypeVar("T", Action, Trigger, Package)


def overlaid(manifest: Manifest, deployment: Manifest) -> Manifest:
    """Return *manifest* with what *deployment* says of it; what it does not have is noted.

    Raises `Failure` when the two are of different projects.
    """
    if manifest.name and deployment.name and manifest.name != deployment.name:
        raise Failure(
            f"{deployment.file} is of the project '{deployment.name}', "
            f"{manifest.file} of '{manifest.name}'",
            shows_usage=False,
        )
    notes: list[str] = []
    packages = _merged(manifest.packages, deployment.packages, "package", notes)
    theirs = {package.name: package for package in deployment.packages}
    packages = tuple(
        replace(
            package,
            actions=_merged(package.actions, theirs[package.name].actions, "action", notes),
            triggers=_merged(package.triggers, theirs[package.name].triggers, "trigger", notes),
        )
        if package.name in theirs
        else package
        for package in packages
    )
    return replace(
        manifest,
        namespace=deployment.namespace or manifest.namespace,
        credential=deployment.credential or manifest.credential,
        api_host=deployment.api_host or manifest.api_host,
        gateway_token=deployment.gateway_token or manifest.gateway_token,
        inputs=_inputs(manifest.inputs, deployment.inputs),
        packages=packages,
        notes=(*manifest.notes, *notes),
    )


def _merged(ours: tuple[T, ...], theirs: Iterable[T], what: str, notes: list[str]) -> tuple[T, ...]:
    given = {one.name: one for one in theirs}
    unknown = [given[name] for name in sorted(given.keys() - {one.name for one in ours})]
    notes += (f"{one.place}: the manifest has no {what} '{one.name}'" for one in unknown)
    return tuple(_bound(one, given[one.name]) if one.name in given else one for one in ours)


def _bound(ours: T, theirs: _Bound) -> T:
    annotations = {**ours.annotations, **theirs.annotations}
    return replace(ours, inputs=_inputs(ours.inputs, theirs.inputs), annotations=annotations)


def _inputs(ours: Inputs, theirs: Inputs) -> dict[str, Input]:
    """Return *ours* with the values of *theirs*: what was declared of an input stays."""
    found = dict(ours)
    for name, given in theirs.items():
        declared = found.get(name)
        if declared is None:
            found[name] = given
        else:
            value = given.default if given.value is None else given.value
            is_inline = given.is_inline and declared.is_inline
            found[name] = replace(declared, value=value, place=given.place, is_inline=is_inline)
    return found
