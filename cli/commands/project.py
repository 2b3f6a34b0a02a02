"""`project`: everything that a manifest declares, deployed, compared, removed and written down."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from cli.console import bold, ok, print_json
from cli.failures import GENERAL, Ended, Failure, Remedy
from cli.grammar import BriskOption, Group, Words
from cli.jsontext import Json
from cli.output import shown
from cli.project.entity import Kind
from cli.project.exporting import Exported, exported
from cli.project.loading import MANIFESTS
from cli.project.plan import Change, Plan, in_words
from cli.project.work import Options, Work
from cli.session import Session
from cli.shapes import FEED
from cli.yamltext import yaml_of

NO_WORDS: Final = "A manifest and a project are named by flags."
_DEPLOYED: Final = "Deployment completed successfully."
_MANIFEST: Final[dict[str, Any]] = {
    "words": (0, 0),
    "needs": NO_WORDS,
    "takes": ("parameter",),
}

_FILE: Final = click.Path()
"""Of what it is, the completion of shells knows the most."""
_FOLDER: Final = click.Path(file_okay=False)

project = Group("project", help="Projects: deploy, sync, undeploy, diff, export, report.")


def _as_flag(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep a flag of this noun as one that every command has."""
    if value and isinstance(ctx.obj, Session) and param.name:
        ctx.obj.flags[param.name] = str(value)


def _whom(*names: str, **attributes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(*names, expose_value=False, callback=_as_flag, **attributes)


def _files(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that say which project is meant, and whom to talk to."""
    for option in (
        _whom("-c", "--cert", metavar="FILE", help="client certificate"),
        _whom("-k", "--key", metavar="FILE", help="key of the client certificate"),
        _whom("--config", type=_FILE, metavar="FILE", help="another property file"),
        click.option("-n", "--namespace", metavar="NS", help="where it goes, if not to one's own"),
        click.option(
            "--env",
            type=_FILE,
            metavar="FILE",
            cls=BriskOption,
            help="variables for the manifest, NAME=value",
        ),
        click.option(
            "--projectname", metavar="NAME", help="the project, over that of the manifest"
        ),
        click.option(
            "--project", "folder", type=_FOLDER, metavar="DIR", default=".", help="its folder (.)"
        ),
        click.option(
            "--deployment",
            type=_FILE,
            metavar="FILE",
            help="what is laid over the manifest (deployment.yaml)",
        ),
        click.option(
            "-m", "--manifest", type=_FILE, metavar="FILE", help="the manifest (manifest.yaml)"
        ),
    ):
        command = option(command)
    return command


def _options(typed: dict[str, Any], **more: Any) -> Options:
    return Options(
        folder=Path(typed["folder"]),
        manifest=typed["manifest"],
        deployment=typed["deployment"],
        project=typed["projectname"],
        namespace=typed["namespace"],
        env=typed.get("env"),
        **more,
    )


_strict = click.option("-s", "--strict", is_flag=True, help="runtimes as they are written, or none")
_preview = click.option("--preview", is_flag=True, help="show what would be done")


@project.command("deploy", **_MANIFEST)
@click.option("--managed", is_flag=True, help="mark what is deployed, and remove what is not")
@_preview
@_strict
@_files
def deploy(session: Session, words: Words, **typed: Any) -> None:
    """Create and change what differs from the manifest."""
    _deploy(session, typed, is_managed=typed["managed"], said=_DEPLOYED)


@project.command("sync", **_MANIFEST)
@_preview
@_strict
@_files
def sync(session: Session, words: Words, **typed: Any) -> None:
    """Deploy, and remove what was of the project and is not in the manifest."""
    _deploy(session, typed, is_managed=True, said=_DEPLOYED)


@project.command("undeploy", **_MANIFEST)
@_preview
@_files
def undeploy(session: Session, words: Words, **typed: Any) -> None:
    """Remove what is in the manifest, or of the project that --projectname names."""
    with _as_project():
        work = Work(session, _options(typed), is_lenient=True)
        plan = work.to_undeploy()
        said = "Undeployment completed successfully."
        _carry_out(session, work, plan, said, is_preview=typed["preview"])


@project.command("diff", **_MANIFEST)
@click.option("--managed", is_flag=True, help="as of deploy --managed, and of sync")
@click.option("--exit-code", is_flag=True, cls=BriskOption, help="1 when there is a change")
@_strict
@_files
def diff(session: Session, words: Words, **typed: Any) -> None:
    """Show what a deployment would do."""
    with _as_project():
        options = _options(typed, is_strict=typed["strict"], is_managed=typed["managed"])
        plan = Work(session, options).to_deploy()
        _print_plan(session, plan)
    if typed.get("exit_code") and plan.changes:
        raise Ended(GENERAL)


@project.command("report", **_MANIFEST)
@_files
def report(session: Session, words: Words, **typed: Any) -> None:
    """Show the inputs of the project and of each of its parts."""
    with _as_project():
        parts = Work(session, _options(typed)).report()
    listed: list[Json] = [{"Name": name, "Inputs": dict(each)} for name, each in parts.items()]
    if not shown(session, listed):
        for each in listed:
            print_json(each)


@project.command(
    "export",
    words=(0, 50),
    shown="[PACKAGE ...]",
    needs="A project or packages are required.",
    completes=("packages",),
)
@click.option("--force", is_flag=True, cls=BriskOption, help="over a manifest that is there")
@_files
def export(session: Session, words: Words, **typed: Any) -> None:
    """Write a manifest, and the files that it names, of a managed project or of packages."""
    options = _options(typed)
    if (options.project is None) == (not words):
        raise Failure(
            "A project or packages are required: one of the two",
            remedy=Remedy(fix="brisk project export --projectname NAME"),
        )
    path = options.folder / (options.manifest or MANIFESTS[0])
    if path.exists() and session.is_brisk and not typed.get("force"):
        remedy = Remedy(f"{path} would be lost", "name another with --manifest, or add --force")
        raise Failure(f"The file '{path}' already exists", shows_usage=False, remedy=remedy)
    with _as_project():
        work = Work(session, options)
        entities = work.managed(words)
        triggers = [one for one in entities if one.kind is Kind.TRIGGER and FEED in one.fields]
        made = exported(options.project, entities, work.fed(triggers))
        for note in made.notes:
            work.note(note)
        _write(path, made)
    if not shown(session, made.document):
        ok(f"exported {len(entities)} entities to {bold(str(path))}")


def _deploy(session: Session, typed: dict[str, Any], *, is_managed: bool, said: str) -> None:
    with _as_project():
        options = _options(typed, is_strict=typed["strict"], is_managed=is_managed)
        work = Work(session, options)
        _carry_out(session, work, work.to_deploy(), said, is_preview=typed["preview"])


def _carry_out(session: Session, work: Work, plan: Plan, said: str, *, is_preview: bool) -> None:
    if is_preview:
        _print_plan(session, plan)
        return
    for name, why in plan.kept.items():
        work.note(f"the {name} stays: {why}")
    speaks = session.is_brisk and not session.output
    work.carry_out(plan, _say if speaks else lambda _: None)
    if shown(session, _document(plan)):
        return
    if speaks and not plan.changes:
        print("nothing to change")
    print(f"Success: {said}")


def _say(change: Change) -> None:
    ok(f"{change.verb.done} {change.entity.kind} {bold(change.entity.name)}")
    sys.stdout.flush()  # Who reads a pipe wants to see how far it is, too.


def _print_plan(session: Session, plan: Plan) -> None:
    if shown(session, _document(plan), is_tabular=True):
        return
    print("\n".join(in_words(plan)) or "nothing to change")


def _document(plan: Plan) -> Json:
    """Return *plan* for programs."""
    changes = [
        {
            "change": change.verb.value,
            "kind": change.entity.kind.value,
            "name": change.entity.name,
            "fields": list(change.fields),
        }
        for change in plan.changes
    ]
    return {"changes": changes, "kept": dict(plan.kept)}


def _write(path: Path, made: Exported) -> None:
    try:
        for name, content in {**made.files, path.name: _text(made.document)}.items():
            target = path.parent / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise Failure(f"Cannot write {error.filename}: {error.strerror}") from error


def _text(document: Json) -> bytes:
    return (yaml_of(document) + "\n").encode()


@contextmanager
def _as_project() -> Iterator[None]:
    """Have every failure end with the exit code that those of projects have."""
    try:
        yield
    except Failure as failure:
        failure.exit_code = GENERAL
        failure.shows_usage = False
        raise
