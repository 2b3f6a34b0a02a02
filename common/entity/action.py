"""An action: code of a kind, with parameters, annotations and limits."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import Rev

SEQUENCE: Final = "sequence"
BLACKBOX: Final = "blackbox"
NETWORK_ANNOTATION: Final = "network"
TEMPLATE_ANNOTATION: Final = "template"
NO_NETWORK: Final = "none"
"""What an action may ask for; nobody can ask for more than the platform gives."""

Json: TypeAlias = Any
"""A value that JSON can hold. A name for `Any` with a purpose."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One bound parameter. *init* ones reach the code as environment, once, when it is loaded."""

    key: str
    value: Json
    init: bool = False


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Where bytes are kept by their content. *sha256* is lower-case hex, *size* is in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """What an action runs."""

    kind: str
    """Resolved: `python:3.11`, never `python:default`; or `blackbox`, or `sequence`."""
    code: str | None = None
    """Source text, or base64 of an archive when *binary*. None when it is elsewhere, or absent."""
    code_ref: BlobRef | None = None
    """Where *code* is when it is too long to live in the document."""
    binary: bool = False
    main: str | None = None
    image: str | None = None
    components: tuple[str, ...] = ()
    """Of a sequence: `/ns/[package/]name` each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One revision of an action."""

    name: QualifiedName
    exec: Exec
    version: str = "0.0.1"
    publish: bool = False
    parameters: tuple[Parameter, ...] = ()
    annotations: dict[str, Json] = field(default_factory=dict)
    limits: Limits = Limits()
    updated_ms: int = 0
    rev: Rev = Rev("")
    """The revision of the stored document; empty before it is stored."""

    @property
    def is_cut_off(self) -> bool:
        """Whether it asks for no network but the API's, which is all that can be asked for."""
        return self.annotations.get(NETWORK_ANNOTATION) == NO_NETWORK

    @property
    def may_be_copied(self) -> bool:
        """Whether sandboxes may begin with what another has loaded of its code."""
        return self.annotations.get(TEMPLATE_ANNOTATION) is not False
