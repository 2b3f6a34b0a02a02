"""One command of `project`: reads the files, looks at the platform, has a plan made, obeys it."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cli import environment
from cli.failures import MISUSE, Failure, Remedy
from cli.jsontext import Json
from cli.names import OWN
from cli.project import loading
from cli.project.apis import outside
from cli.project.carrying_out import Builder
from cli.project.entity import Entity, Key, Kind
from cli.project.feeding import given_to, with_digest
from cli.project.interpolation import Scope, text_of
from cli.project.kinds import Kinds
from cli.project.looking import Looker, foreign_to
from cli.project.managed import annotation_of, marked
from cli.project.manifest import Manifest
from cli.project.plan import Change, Plan, deployment, removal
from cli.project.sources import Workshop
from cli.project.variables import variables_of
from cli.session import Session

if TYPE_CHECKING:
    from cli.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was typed, as far as it says which project is meant.

    folder: where files are looked for.
    project: the name of a managed project, over that in the manifest.
    """

    folder: Path
    manifest: str | None = None
    deployment: str | None = None
    project: str | None = None
    namespace: str | None = None
    env: str | None = None
    is_strict: bool = False
    is_managed: bool = False


class Work:
    """What a command of `project` does, step by step."""

    def __init__(self, session: Session, options: Options, *, is_lenient: bool = False) -> None:
        self._session = session
        self._options = options
        self._typed = session.typed.values("parameter") or {}
        self._scope = Scope(self._environment(), is_lenient=is_lenient)

    @cached_property
    def path(self) -> Path:
        """Where the manifest is."""
        return loading.manifest_path(self._options.folder, self._options.manifest)

    @cached_property
    def _read(self) -> tuple[Manifest, bytes]:
        """The manifest under its deployment file, and its bytes; whom to talk to is known then."""
        manifest, content = loading.read(self.path)
        beside = loading.deployment_path(self._options.folder, self._options.deployment)
        manifest = loading.with_deployment(manifest, beside)
        for flag, value in (
            ("apihost", manifest.api_host),
            ("auth", manifest.credential),
            ("gateway_token", manifest.gateway_token),
        ):
            if value and (meant := text_of(value, self._scope)):
                self._session.flags.setdefault(flag, meant)
        return manifest, content

    @cached_property
    def client(self) -> "Client":
        """The API."""
        return self._session.client()

    @property
    def namespace(self) -> str:
        """The namespace that a project goes to, as it is asked for."""
        stated = self._options.namespace
        if stated is None and self._has_manifest:
            stated = text_of(self._read[0].namespace or "", self._scope)
        return stated or OWN

    @cached_property
    def own(self) -> str:
        """The real name of that namespace."""
        if self.namespace != OWN:
            return self.namespace
        return next(iter(self.client.namespaces()), "")

    @property
    def _has_manifest(self) -> bool:
        return "_read" in self.__dict__

    def report(self) -> Mapping[str, Mapping[str, Json]]:
        """Return what each part of the project is given."""
        return self._loaded("").inputs

    def to_deploy(self) -> Plan:
        """Return what has to be done for the platform to have what the manifest wants."""
        manifest, content = self._read
        project = self._project_of(manifest) if self._options.is_managed else None
        loaded = self._loaded(self.own)
        wanted = self._complete(loaded)
        if project is not None:
            wanted = list(marked(wanted, annotation_of(project, str(self.path), content)))
        wanted = [with_digest(one) for one in wanted]
        looker = self._looker()
        present = looker.present(wanted, code=True)
        leftovers: list[Entity] = []
        foreign: dict[str, list[str]] = {}
        if project is not None:
            _check_owners(present, project)
            keys = {one.key for one in wanted}
            marked_before = looker.managed(project)
            operations = outside(looker.apis_of(marked_before), wanted)
            theirs = [*marked_before, *operations]
            leftovers = [one for one in theirs if one.key not in keys]
            foreign = foreign_to(leftovers, looker.contents()) if leftovers else {}
        return deployment(wanted, present, leftovers, foreign)

    def to_undeploy(self) -> Plan:
        """Return what has to be done for nothing of the project to be left."""
        if self._options.project is not None:
            looker = self._looker()
            going = looker.managed(self._options.project)
            going += looker.apis_of(going)
            return removal(going, (), foreign_to(going, looker.contents()))
        manifest, _ = self._read  # It may say whom to talk to.
        looker = self._looker()
        wanted = self._loaded(self.own).entities
        present = looker.present(wanted, code=False)
        for one in wanted:
            if one.key not in present:
                self.note(f"the {one} is not there")
        theirs = {key: one for key, one in present.items()
                  if manifest.name and one.project not in (None, manifest.name)}  # fmt: skip
        going = [one for key, one in present.items() if key not in theirs]
        plan = removal(going, (), foreign_to(going, looker.contents()))
        others = {str(one): f"it belongs to the project '{one.project}'" for one in theirs.values()}
        return replace(plan, kept={**plan.kept, **others})

    def carry_out(self, plan: Plan, done: Callable[[Change], None]) -> None:
        """Make the changes of *plan*; *done* is told each. Raises `Failure`."""
        self._builder(done).carry_out(plan)

    def managed(self, packages: tuple[str, ...]) -> list[Entity]:
        """Return, with all they have, the entities of the named project, or of *packages*."""
        looker = self._looker()
        if self._options.project is not None:
            found = looker.managed(self._options.project)
            if not found:
                raise Failure(
                    f"there is no managed project '{self._options.project}'",
                    shows_usage=False,
                    remedy=Remedy("nothing is annotated as a part of it", "brisk project sync"),
                )
        else:
            found = looker.of_packages(packages)
        return [looker.whole(one) for one in [*found, *looker.apis_of(found)]]

    def fed(self, triggers: list[Entity]) -> dict[str, Mapping[str, Json]]:
        """Return what feeds were given, as far as they tell it, by the names of their triggers."""
        builder = self._builder(lambda _: None)
        told = ((one, builder.configuration_of(one)) for one in triggers)
        return {one.name: given_to(one, each) for one, each in told if each is not None}

    def note(self, text: str) -> None:
        """Tell people something that is no failure."""
        print(f"note: {text}" if self._session.is_brisk else f"Warning: {text}", file=sys.stderr)

    def _builder(self, done: Callable[[Change], None]) -> Builder:
        config = self._session.configuration()
        return Builder(self.client, config, done, self.note, self.namespace)

    def _looker(self) -> Looker:
        gateway = self._session.configuration().gateway_query
        return Looker(self.client, self.own, self.namespace, gateway)

    def _loaded(self, own: str) -> loading.Project:
        manifest, _ = self._read
        project = loading.loaded(
            manifest, self.path, self._scope, self._typed, own,
            is_strict=self._options.is_strict,
        )  # fmt: skip
        for text in project.notes:
            self.note(text)
        if self._session.is_brisk and self._scope.unset:
            names = ", ".join(f"${name}" for name in sorted(self._scope.unset))
            self.note(f"not set, and empty: {names}")
        return project

    def _complete(self, project: loading.Project) -> list[Entity]:
        """Return the entities of *project* with the code of its actions."""
        kinds = Kinds.of(self.client.runtimes()) if project.sources else Kinds()
        found: list[Entity] = []
        for one in project.entities:
            source = project.sources.get(one.name) if one.kind is Kind.ACTION else None
            if source is None:
                found.append(one)
                continue
            workshop = Workshop(
                source.root, kinds, self._options.is_strict, self._session.is_brisk,
                self._tell, self.note,
            )  # fmt: skip
            execution = workshop.exec_of(source.action)
            found.append(replace(one, fields={**one.fields, **execution}))
        return found

    def _project_of(self, manifest: Manifest) -> str:
        name = self._options.project or manifest.name
        if not name:
            raise Failure(
                "The project has no name, and what is managed needs one",
                shows_usage=False,
                remedy=Remedy(
                    f"{manifest.file} has no `project:` with a `name:`", "add --projectname NAME"
                ),
            )
        if manifest.name and name != manifest.name:
            self.note(f"the project name has been overridden. Using {name}")
        return name

    def _environment(self) -> dict[str, str]:
        """Return the variables of the process, and over them those of the file that was named."""
        found = environment.all_variables()
        if self._options.env is None:
            return found
        try:
            text = Path(self._options.env).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            said = f"File '{self._options.env}' is not a valid file or it does not exist"
            raise Failure(
                said, MISUSE, remedy=Remedy("--env names a file of NAME=value")
            ) from error
        return found | variables_of(text, self._options.env)

    @staticmethod
    def _tell(text: str) -> None:
        print(f"{text} …", file=sys.stderr, flush=True)


def _check_owners(present: Mapping[Key, Entity], project: str) -> None:
    """Raise `Failure` when something that is there belongs to another project."""
    for one in present.values():
        if one.project not in (None, project):
            raise Failure(
                f"the {one} belongs to the project '{one.project}'",
                shows_usage=False,
                remedy=Remedy(
                    f"'{project}' would take it away", "give it another name in the manifest"
                ),
            )
