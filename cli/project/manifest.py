"""What a manifest says, as values: nothing is looked up, replaced or sent yet. Pure.

The same values hold a deployment file, which names inputs and annotations of what a manifest has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cli.jsontext import Json
from cli.project.section import Place

DEFAULT: Final = "default"
"""The package whose entities are in no package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One parameter as it is declared: with a value, or with what kind of value it takes."""

    place: Place
    value: Json = None
    default: Json = None
    type: str | None = None
    is_required: bool = False
    is_inline: bool = False
    """Whether only a value was written, `name: value`."""


Inputs: TypeAlias = Mapping[str, Input]
Values: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Another package that is bound, or another project that is deployed along."""

    name: str
    place: Place
    location: str
    inputs: Inputs
    annotations: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Code of one's own, from one of: a file or folder, text in the manifest, an image."""

    name: str
    place: Place
    function: str | None = None
    code: str | None = None
    runtime: str | None = None
    main: str | None = None
    docker: str | None = None
    is_native: bool = False
    is_conductor: bool = False
    web: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    """By their names on the wire."""
    inputs: Inputs = field(default_factory=dict)
    annotations: Values = field(default_factory=dict)
    version: str | None = None
    include: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """Actions one after the other."""

    name: str
    place: Place
    actions: tuple[str, ...]
    web: str | None
    annotations: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An event, and the feed that makes it happen."""

    name: str
    place: Place
    feed: str | None = None
    inputs: Inputs = field(default_factory=dict)
    annotations: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which action a trigger runs."""

    name: str
    place: Place
    trigger: str
    action: str
    annotations: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One operation of an API: which web action answers it."""

    name: str
    place: Place
    base_path: str
    path: str
    method: str
    action: str
    response: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package, or `default` for what is in none."""

    name: str
    place: Place
    version: str | None = None
    is_public: bool = False
    inputs: Inputs = field(default_factory=dict)
    annotations: Values = field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()
    actions: tuple[Action, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[Rule, ...] = ()
    apis: tuple[Api, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A whole file.

    notes: what was read and has no effect, for people.
    """

    file: str
    name: str | None = None
    namespace: str | None = None
    credential: str | None = None
    api_host: str | None = None
    gateway_token: str | None = None
    config: str | None = None
    """The path of a description of an API, relative to the file."""
    inputs: Inputs = field(default_factory=dict)
    packages: tuple[Package, ...] = ()
    notes: tuple[str, ...] = ()
