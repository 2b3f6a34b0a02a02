"""A package: a name for several actions, with parameters that all of them inherit; or a binding.

A binding has no actions of its own: it shows those of the package that it refers to, with
parameters of its own laid over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from common.entity.action import Json, Parameter
from common.entity.forms import (
    annotations_shown,
    parameters_shown,
    stored_annotations,
    stored_name,
    stored_parameters,
)
from common.entity.names import QualifiedName
from common.ids import Namespace, Rev

ENTITY_TYPE: Final = "package"
BINDING: Final = "binding"
"""The field that says what is bound, and the annotation that shows it; the platform writes both."""


class NotAPackage(ValueError):
    """The document does not hold what a package needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One revision of a package."""

    name: QualifiedName
    binding: QualifiedName | None = None
    """The package that is bound; None for one that has actions of its own."""
    version: str = "0.0.1"
    publish: bool = False
    """Whether others may use it. Of a binding it means nothing."""
    parameters: tuple[Parameter, ...] = ()
    annotations: dict[str, Json] = field(default_factory=dict)
    updated_ms: int = 0
    rev: Rev = Rev("")


def to_document(package: Package) -> dict[str, Json]:
    """Return what is stored."""
    return to_rest(package) | {"entityType": ENTITY_TYPE}


def to_rest(package: Package) -> dict[str, Json]:
    """Return what a client reads who wrote it."""
    return {
        "namespace": package.name.path,
        "name": package.name.name,
        "binding": binding_shown(package.binding),
        "parameters": parameters_shown(package.parameters),
        "version": package.version,
        "publish": package.publish,
        "annotations": annotations_shown(package.annotations),
        "updated": package.updated_ms,
    }


def binding_shown(bound: QualifiedName | None) -> dict[str, Json]:
    """Return the field `binding`: empty where nothing is bound."""
    return {} if bound is None else {"namespace": bound.namespace, "name": bound.name}


def to_list_item(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a list shows of the stored document *body*."""
    shown = ("namespace", "name", "version", "publish", "annotations", "updated")
    return {field: body[field] for field in shown} | {BINDING: body[BINDING] or False}


def from_document(body: Mapping[str, Any], rev: Rev) -> Package:
    """Return the package that is stored as *body*. Raises `NotAPackage`."""
    try:
        bound = body[BINDING]
        return Package(
            name=stored_name(body),
            binding=QualifiedName(Namespace(bound["namespace"]), None, bound["name"])
            if bound
            else None,
            version=body["version"],
            publish=body["publish"],
            parameters=stored_parameters(body["parameters"]),
            annotations=stored_annotations(body["annotations"]),
            updated_ms=body["updated"],
            rev=rev,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise NotAPackage(f"{type(error).__name__}: {error}") from error
