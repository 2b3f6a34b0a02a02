"""A project as its files have it: the manifest, what is laid over it, and the projects it needs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cli import apifile
from cli.failures import MISUSE, Failure, Remedy
from cli.jsontext import Json
from cli.mending import nearest
from cli.names import OWN
from cli.project.entity import Entity, Kind
from cli.project.interpolation import Scope, text_of
from cli.project.manifest import DEFAULT, Action, Dependency, Manifest
from cli.project.overlay import overlaid
from cli.project.reading import manifest_of
from cli.project.section import Place
from cli.project.wanted import Draft, checked, drafted
from cli.yamltree import parse

MANIFESTS: Final = ("manifest.yaml", "manifest.yml")
DEPLOYMENTS: Final = ("deployment.yaml", "deployment.yml")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the code of an action is: its words, and the folder that they are relative to."""

    action: Action
    root: Path


@dataclass(frozen=True, slots=True)
class Project:
    """A project, without its code.

    sources: by the name of an action.
    inputs: what each part is given, by what it is called.
    """

    entities: tuple[Entity, ...]
    sources: Mapping[str, Source]
    inputs: Mapping[str, Mapping[str, Json]]
    notes: tuple[str, ...]


def manifest_path(folder: Path, given: str | None) -> Path:
    """Return where the manifest is. Raises `Failure` when there is none."""
    found = _path(folder, given, MANIFESTS)
    if found is None:
        raise Failure(
            f"Manifest file not found at path [{folder}]",
            MISUSE,
            shows_usage=False,
            remedy=Remedy(
                f"there is neither {MANIFESTS[0]} nor {MANIFESTS[1]} in {folder}",
                "name the file with --manifest, or its folder with --project",
            ),
        )
    return found


def deployment_path(folder: Path, given: str | None) -> Path | None:
    """Return where the deployment file is; None when there is none and none was named."""
    return _path(folder, given, DEPLOYMENTS)


def read(path: Path, *, is_overlay: bool = False) -> tuple[Manifest, bytes]:
    """Return what a file says, and its bytes. Raises `Failure`."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        there = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, there)
        fix = f"--manifest {path.with_name(close.new[0])}" if close else "give the path of a file"
        raise Failure(
            f"File '{path}' is not a valid file or it does not exist",
            MISUSE,
            shows_usage=False,
            remedy=Remedy(error.strerror or "it cannot be read", fix),
        ) from error
    except UnicodeDecodeError as error:
        remedy = Remedy(f"byte {error.start} is none of UTF-8", f"save {path} as UTF-8")
        raise Failure(f"{path} is no text", shows_usage=False, remedy=remedy) from error
    return manifest_of(parse(text, str(path)), str(path), is_overlay=is_overlay), content


def with_deployment(manifest: Manifest, path: Path | None) -> Manifest:
    """Return *manifest* under the deployment file at *path*."""
    if path is None:
        return manifest
    deployment, _ = read(path, is_overlay=True)
    return overlaid(manifest, deployment)


def loaded(
    manifest: Manifest, path: Path, scope: Scope, typed: Mapping[str, Json], own: str,
    *, is_strict: bool = False,
) -> Project:  # fmt: skip
    """Return the project of *manifest*, which is at *path*, and of those that it depends on.

    Raises `Failure` for dependencies that depend on themselves, and for names that clash.
    """
    loader = _Loader(scope, own, is_strict)
    loader.take(manifest, path, scope, typed, ())
    unused = typed.keys() - loader.declared
    notes = [*loader.notes, *scope.notes]
    notes += (f"no input is called '{name}'" for name in sorted(unused))
    return Project(tuple(checked(loader.entities)), loader.sources, loader.inputs, tuple(notes))


class _Loader:
    """Gathers the drafts of a manifest and of those below it."""

    def __init__(self, scope: Scope, own: str, is_strict: bool) -> None:
        self._scope = scope
        self._own = own
        self._is_strict = is_strict
        self.entities: list[Entity] = []
        self.sources: dict[str, Source] = {}
        self.inputs: dict[str, dict[str, Json]] = {}
        self.notes: list[str] = []
        self.declared: set[str] = set()
        self._taken: dict[Path, Mapping[str, Json]] = {}

    def take(
        self, manifest: Manifest, path: Path, scope: Scope, typed: Mapping[str, Json],
        above: tuple[Path, ...],
    ) -> Draft:  # fmt: skip
        """Take in *manifest*; *above* are the files that led to it."""
        draft = drafted(manifest, scope, typed, self._own, is_strict=self._is_strict)
        self.entities += draft.entities
        if manifest.config:
            self._describe(manifest, path.parent / text_of(manifest.config, scope))
        self.sources |= {name: Source(one, path.parent) for name, one in draft.sources.items()}
        self.inputs = draft.inputs | self.inputs
        self.notes += draft.notes
        for values in draft.inputs.values():
            self.declared |= values.keys()
        here = (*above, path.resolve())
        for dependency, values in draft.dependencies:
            self._depend(dependency, values, path.parent, here)
        return draft

    def _describe(self, manifest: Manifest, file: Path) -> None:
        """Take in the document of a whole API, in place of operations one by one."""
        _, document = apifile.read(str(file))
        if any(one.kind is Kind.API for one in self.entities):
            self.notes.append(f"{manifest.file}: 'config' is deployed, and 'apis' are not")
        self.entities = [one for one in self.entities if one.kind is not Kind.API]
        place = Place(manifest.file, 1)
        fields = {"document": document}
        self.entities.append(Entity(Kind.API, str(document["basePath"]), fields, place))

    def _depend(
        self, dependency: Dependency, values: dict[str, Json], root: Path, above: tuple[Path, ...]
    ) -> None:
        if not dependency.location.startswith("."):
            if self._scope.is_lenient:
                self.notes.append(f"{dependency.place}: what '{dependency.name}' has is left alone")
                return
            raise dependency.place.refuse(
                f"the dependency '{dependency.name}' cannot be fetched from {dependency.location}",
                "a deployment takes in nothing that is not on this machine",
                f"clone it, and write its folder, as in `location: ./{dependency.name}`",
            )
        path = manifest_path(root / dependency.location, None)
        if path.resolve() in above:
            at = above.index(path.resolve())
            circle = " → ".join(one.parent.name for one in (*above[at:], path.resolve()))
            raise dependency.place.refuse(
                f"the dependency '{dependency.name}' depends on itself: {circle}",
                fix=f"take one of them out of {dependency.place}",
            )
        manifest, _ = read(path)
        before = self._taken.get(path.resolve())
        if before is not None and before != values:
            raise dependency.place.refuse(
                f"{path} is needed twice, with different inputs",
                "what it has can be there once",
                f"give '{dependency.name}' the inputs that it has elsewhere",
            )
        if before is None:
            self._taken[path.resolve()] = values
            self.take(manifest, path, replace(self._scope, inputs={}), values, above)
        names = [one.name for one in manifest.packages if one.name != DEFAULT]
        if len(names) == 1 and names[0] != dependency.name:
            fields = {
                "provider": f"/{OWN}/{names[0]}",
                "parameters": values,
                "annotations": dependency.annotations,
            }
            self.entities.append(Entity(Kind.BINDING, dependency.name, fields, dependency.place))


def _path(folder: Path, given: str | None, usual: tuple[str, ...]) -> Path | None:
    if given is not None:
        named = Path(given)
        return named if named.is_absolute() or named.exists() else folder / named
    return next((folder / name for name in usual if (folder / name).is_file()), None)
