"""The runtimes manifest: which kinds there are, and which of them a word means.

The document is OpenWhisk's (`ExecManifest.scala`), so an installation can bring its own. It is
checked once, when it is read; inside, everything is a frozen value. What is advertised is the part
of it that a driver can run: `only` makes that part a manifest of its own, with a default in every
family that has a kind left.

Source of the rules: OpenWhisk's `ExecManifest.scala`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from common.errors import BriskError

_DEFAULT_VERSION: Final = "default"
_KIND: Final = re.compile(r"[a-z0-9]+:[a-z0-9._-]+\Z")
_MEMORY: Final = re.compile(r"\s*([0-9]+)\s*(B|KB?|MB?|GB?)\s*\Z", re.IGNORECASE)
_UNITS: Final = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class BadManifest(BriskError):
    """The runtimes manifest is not valid."""


class _Edge(BaseModel):
    """A part of the document as it is written; keys that are not known here are let be."""

    model_config = ConfigDict(frozen=True)


class _Image(_Edge):
    name: Annotated[str, StringConstraints(min_length=1)]
    prefix: str = ""
    registry: str = ""
    tag: str = ""

    def __str__(self) -> str:
        path = "/".join(part.strip("/") for part in (self.registry, self.prefix, self.name) if part)
        return f"{path}:{self.tag}" if self.tag else path


class _Attachment(_Edge):
    attachmentName: str
    attachmentType: str


class _StemCell(_Edge):
    initialCount: Annotated[int, Field(gt=0)]
    memory: str


class _Entry(_Edge):
    kind: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)]
    image: _Image
    default: bool | None = None
    deprecated: bool = False
    attached: _Attachment | None = None
    requireMain: bool = False
    sentinelledLogs: bool = True
    stemCells: tuple[_StemCell, ...] = ()


class _Document(_Edge):
    runtimes: dict[str, tuple[_Entry, ...]]
    blackboxes: tuple[_Image, ...] = ()


@dataclass(frozen=True, slots=True)
class StemCells:
    """How many blank sandboxes of a size are wanted from the start."""

    count: int
    memory_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One kind."""

    kind: str
    """Family and version, `python:3.11`; lower case."""
    family: str
    image: str
    """As OpenWhisk prints it: `[registry/][prefix/]name[:tag]`."""
    default: bool
    """Whether `family:default` means this kind. One in each family."""
    deprecated: bool = False
    """Its actions may be read and deleted, neither written nor invoked."""
    attached: bool = False
    """Whether code is kept as an attachment, not as text in the document."""
    require_main: bool = False
    sentinelled_logs: bool = True
    """Whether a container of the image marks where the log of an activation ends."""
    stem_cells: tuple[StemCells, ...] = ()

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers of the version, to find the newest."""
        return tuple(int(number) for number in re.findall(r"[0-9]+", self.kind.partition(":")[2]))

    def to_wire(self) -> dict[str, Any]:
        """Return what the info document says of it."""
        return {
            "kind": self.kind,
            "image": self.image,
            "deprecated": self.deprecated,
            "default": self.default,
            "attached": self.attached,
            "requireMain": self.require_main,
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """All kinds, by family, in the order of the document."""

    families: Mapping[str, tuple[Runtime, ...]]
    blackboxes: tuple[str, ...] = ()
    """Images that count as our own: never pulled before use, their logs have end markers."""
    _by_kind: Mapping[str, Runtime] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the kinds by what they are called, aliases included. Raises `BadManifest`."""
        object.__setattr__(self, "_by_kind", _index(self.families))

    @classmethod
    def load(cls, text: str | None = None, *, python: str | None = None) -> Self:
        """Return the manifest in *text*, by default the one that Brisk ships.

        python: a version such as `3.12`; where the manifest has it, it is the family's default,
        since actions then run on the very interpreter that the platform runs on.
        Raises `BadManifest`.
        """
        if text is None:
            text = (resources.files("runtimes") / "manifest.json").read_text(encoding="utf-8")
        try:
            document = _Document.model_validate_json(text)
        except ValidationError as error:
            raise BadManifest(f"The runtimes manifest is not valid: {error}") from error
        families = {
            family: tuple(_runtime(family, entry, len(entries)) for entry in entries)
            for family, entries in document.runtimes.items()
        }
        manifest = cls(families, tuple(str(image) for image in document.blackboxes))
        return manifest if python is None else manifest._with_default(f"python:{python}")

    def only(self, kinds: Iterable[str]) -> Self:
        """Return the part of it that is in *kinds*; families without a kind are gone.

        The default of a family stays where it can, else it is the newest kind that is left and not
        deprecated.
        """
        wanted = frozenset(kinds)
        kept = {
            family: tuple(runtime for runtime in runtimes if runtime.kind in wanted)
            for family, runtimes in self.families.items()
        }
        return replace(
            self,
            families={name: _defaulted(runtimes) for name, runtimes in kept.items() if runtimes},
        )

    def resolve(self, kind: str) -> Runtime | None:
        """Return what *kind* means: a kind, `family:default`, or `python:3`; None if nothing.

        Space around it and capitals do not matter.
        """
        return self._by_kind.get(kind.strip().lower())

    def valid_kinds(self) -> tuple[str, ...]:
        """Return all kinds, families in alphabetical order, versions ascending."""
        return tuple(
            runtime.kind
            for family in sorted(self.families)
            for runtime in sorted(self.families[family], key=lambda each: each.version)
        )

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return `runtimes` of the info document."""
        return {
            family: [runtime.to_wire() for runtime in runtimes]
            for family, runtimes in self.families.items()
        }

    def _with_default(self, kind: str) -> Self:
        chosen = self._by_kind.get(kind)
        if chosen is None:
            return self
        family = tuple(
            replace(runtime, default=runtime.kind == chosen.kind)
            for runtime in self.families[chosen.family]
        )
        return replace(self, families={**self.families, chosen.family: family})


def _runtime(family: str, entry: _Entry, siblings: int) -> Runtime:
    if not _KIND.match(entry.kind) or entry.kind.partition(":")[0] != family:
        raise BadManifest(f"'{entry.kind}' is no kind of the family '{family}'.")
    return Runtime(
        kind=entry.kind,
        family=family,
        image=str(entry.image),
        # The only kind of a family is its default, said or not.
        default=siblings == 1 or bool(entry.default),
        deprecated=entry.deprecated,
        attached=entry.attached is not None,
        require_main=entry.requireMain,
        sentinelled_logs=entry.sentinelledLogs,
        stem_cells=tuple(
            StemCells(cell.initialCount, _memory_mb(cell.memory)) for cell in entry.stemCells
        ),
    )


def _memory_mb(text: str) -> int:
    found = _MEMORY.match(text)
    if found is None:
        raise BadManifest(f"'{text}' is no amount of memory.")
    return int(found[1]) * _UNITS[found[2][0].upper()] // _UNITS["M"]


def _defaulted(runtimes: tuple[Runtime, ...]) -> tuple[Runtime, ...]:
    if any(runtime.default for runtime in runtimes):
        return runtimes
    newest = max(runtimes, key=lambda runtime: (not runtime.deprecated, runtime.version))
    return tuple(replace(runtime, default=runtime is newest) for runtime in runtimes)


def _index(families: Mapping[str, tuple[Runtime, ...]]) -> dict[str, Runtime]:
    index: dict[str, Runtime] = {}
    for family, runtimes in families.items():
        defaults = [runtime for runtime in runtimes if runtime.default]
        if len(defaults) != 1:
            kinds = ", ".join(runtime.kind for runtime in runtimes) or "no kind"
            raise BadManifest(f"The family '{family}' ({kinds}) needs exactly one default.")
        for runtime in runtimes:
            if runtime.kind in index:
                raise BadManifest(f"'{runtime.kind}' is there twice.")
            index[runtime.kind] = runtime
        index.setdefault(f"{family}:{_DEFAULT_VERSION}", defaults[0])
    # What many scripts say instead of a version; not of OpenWhisk's manifest, but known to its CLI.
    if "python:default" in index:
        index.setdefault("python:3", index["python:default"])
    return index
