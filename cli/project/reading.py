"""From the tree of a manifest to its values: every key that there is is read here, once. Pure.

The keys are those that wskdeploy takes. A key that it does not take is refused, with its line; one
that it takes and does nothing with is noted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from cli.apis import VERBS
from cli.failures import Remedy
from cli.jsontext import Json
from cli.project.declared import inputs_of
from cli.project.manifest import (
    DEFAULT,
    Action,
    Api,
    Dependency,
    Manifest,
    Package,
    Rule,
    Trigger,
)
from cli.project.manifest import Sequence as ActionSequence
from cli.project.section import Place, Section, section
from cli.yamltree import Node, Scalar, Table, at

WEB: Final = ("yes", "no", "true", "false", "raw")
RESPONSES: Final = ("json", "http", "html", "svg", "text")
_LIMITS: Final = {
    "timeout": ("timeout", 100, 600_000),
    "memorySize": ("memory", 128, 2048),
    "logSize": ("logs", 0, 10),
}
"""A key, its name on the wire, the least that it may be, and the most that is usual."""
_FIXED_LIMITS: Final = ("concurrentActivations", "userInvocationRate", "codeSize", "parameterSize")
_GONE: Final = {"package": "packages", "application": "project"}
T = TypeVar("T")
_CONNECTION: Final = ("namespace", "credential", "apiHost", "apigwAccessToken")


def manifest_of(tree: Node | None, file: str, *, is_overlay: bool = False) -> Manifest:
    """Return what the file says. Raises `Failure` for the first thing that is wrong.

    is_overlay: whether it says something of actions that another file has, with their code.
    """
    if tree is None:
        raise at(file, None, "the file is empty", Remedy(fix="begin with `packages:`"))
    root = section(tree, Place(file, 1), "a manifest")
    for gone, instead in _GONE.items():
        if gone in root.table.items:
            said = f"the key '{gone}' is no longer read"
            raise root.at(gone).refuse(said, fix=f"write '{instead}' in {root.at(gone)}")
    reader = _Reader(file, is_overlay)
    project = root.inner("project", "the project")
    manifest = Manifest(file=file) if project is None else reader.project(project)
    packages = reader.packages(root)
    root.done()
    if packages and manifest.packages:
        raise root.at("packages").refuse(
            "there are packages below 'project' and beside it",
            fix=f"move them below 'project' in {file}",
        )
    found = manifest.packages or packages
    if not found:
        reader.notes.append(f"{file} has no packages")
    return replace(manifest, packages=found, notes=tuple(reader.notes))


class _Reader:
    """Reads one file, and gathers what people should know of it."""

    def __init__(self, file: str, is_overlay: bool) -> None:
        self._file = file
        self._is_overlay = is_overlay
        self.notes: list[str] = []

    def project(self, at_project: Section) -> Manifest:
        """Return the project with its packages."""
        at_project.text("version")
        made = Manifest(
            file=self._file,
            name=at_project.text("name"),
            namespace=at_project.text("namespace"),
            credential=at_project.text("credential"),
            api_host=at_project.text("apiHost"),
            gateway_token=at_project.text("apigwAccessToken"),
            config=at_project.text("config"),
            inputs=inputs_of(at_project),
            packages=self.packages(at_project),
        )
        at_project.done()
        return made

    def packages(self, above: Section) -> tuple[Package, ...]:
        """Return the packages in *above*."""
        found = above.sections("packages", "package").items()
        return tuple(self._package(name, each) for name, each in found)

    def _package(self, name: str, at_package: Section) -> Package:
        for key in ("name", "license", *_CONNECTION):
            at_package.text(key)
        self._unused(at_package, _CONNECTION)
        if at_package.nodes("feeds"):
            why = "an action with the annotation `feed: true` is a feed"
            self.notes.append(f"{at_package.at('feeds')}: 'feeds' are not deployed; {why}")
        for node in at_package.many("repositories"):
            repository = section(node, at_package.at("repositories"), "a repository")
            for key in ("url", "description", "credential"):
                repository.text(key)
            repository.done()
        made = Package(
            name=DEFAULT if name.lower() == DEFAULT else name,
            place=at_package.place,
            version=at_package.text("version"),
            is_public=at_package.flag("public"),
            inputs=inputs_of(at_package),
            annotations=_annotations(at_package),
            dependencies=_all(at_package.sections("dependencies", "dependency"), _dependency),
            actions=_all(at_package.sections("actions", "action"), self._action),
            sequences=_all(at_package.sections("sequences", "sequence"), _sequence),
            triggers=_all(at_package.sections("triggers", "trigger"), self._trigger),
            rules=_all(at_package.sections("rules", "rule"), _rule),
            apis=tuple(_apis(at_package)),
        )
        at_package.done()
        return made

    def _action(self, name: str, at_action: Section) -> Action:
        for key in ("namespace", "credential", "exposedUrl"):
            at_action.text(key)
        at_action.node("outputs")
        self._unused(at_action, ("namespace", "credential", "exposedUrl"))
        function = at_action.text("function")
        made = Action(
            name=name,
            place=at_action.place,
            function=at_action.text("location") if function is None else function,
            code=at_action.text("code"),
            runtime=at_action.text("runtime"),
            main=at_action.text("main"),
            docker=at_action.text("docker"),
            is_native=at_action.flag("native"),
            is_conductor=at_action.flag("conductor"),
            web=_web(at_action, "web", "web-export"),
            limits=self._limits(at_action),
            inputs=inputs_of(at_action),
            annotations=_annotations(at_action),
            version=at_action.text("version"),
            include=tuple(_included(at_action)),
            exclude=at_action.texts("exclude"),
        )
        at_action.done()
        if not self._is_overlay:
            _check_code(at_action, made)
        return made

    def _limits(self, at_action: Section) -> dict[str, int]:
        limits = at_action.inner("limits", f"the limits of {at_action.what}")
        if limits is None:
            return {}
        found: dict[str, int] = {}
        for key, (name, least, usual) in _LIMITS.items():
            value = limits.number(key)
            if value is None:
                continue
            if value < least:
                raise limits.at(key).refuse(f"'{key}' must be {least} or more, not {value}")
            if value > usual:
                self.notes.append(f"{limits.at(key)}: '{key}' of more than {usual} is unusual")
            found[name] = value
        for key in _FIXED_LIMITS:
            if limits.number(key) is not None:
                self.notes.append(f"{limits.at(key)}: '{key}' is the operator's, and not sent")
        limits.done()
        return found

    def _trigger(self, name: str, at_trigger: Section) -> Trigger:
        for key in ("namespace", "credential"):
            at_trigger.text(key)
        self._unused(at_trigger, ("namespace", "credential"))
        source, feed = at_trigger.text("source"), at_trigger.text("feed")
        made = Trigger(
            name=name,
            place=at_trigger.place,
            feed=source if feed is None else feed,
            inputs=inputs_of(at_trigger),
            annotations=_annotations(at_trigger),
        )
        at_trigger.done()
        return made

    def _unused(self, of: Section, keys: Sequence[str]) -> None:
        """Note keys that wskdeploy reads and does nothing with."""
        for key in keys:
            if key in of.table.items:
                said = f"'{key}' of {of.what} has no effect: a project goes to one namespace"
                self.notes.append(f"{of.at(key)}: {said}")


def _all(sections: dict[str, Section], read: Callable[[str, Section], T]) -> tuple[T, ...]:
    return tuple(read(name, each) for name, each in sections.items())


def _annotations(of: Section) -> dict[str, Json]:
    """Return annotations; the description is one, too, which summaries show."""
    given, description = of.json("annotations"), of.text("description")
    return given if description is None else {"description": description, **given}


def _web(of: Section, *keys: str) -> str | None:
    """Return what the first of *keys* that is there says."""
    for key in keys:
        text = of.text(key)
        if text is not None and text.lower() not in WEB:
            said = f"'{key}' of {of.what} cannot be '{text}'"
            raise of.at(key).refuse(said, f"it is one of {', '.join(WEB)}")
    return next((text.lower() for key in keys if (text := of.text(key)) is not None), None)


def _included(of: Section) -> Iterator[tuple[str, ...]]:
    for node in of.many("include"):
        words = _words(node)
        if not words:
            continue  # As wskdeploy has it.
        if len(words) not in (1, 2):
            said = f"'include' of {of.what} has pairs: a source, and where it goes"
            raise of.at("include").refuse(said, fix='write ["lib/*.py", "lib/"]')
        yield tuple(words)


def _words(node: Node) -> list[str]:
    if isinstance(node, Scalar):
        return [node.text]
    items = () if isinstance(node, Table) else node.items
    return [item.text for item in items if isinstance(item, Scalar)]


def _check_code(of: Section, action: Action) -> None:
    if action.function is not None and action.code is not None:
        raise of.at("code").refuse(f"{of.what} has both 'function' and 'code'", fix="keep one")
    has_runtime = action.runtime or action.docker or action.is_native
    if action.code is not None and not has_runtime:
        said = f"{of.what} has code, and no runtime"
        raise of.at("code").refuse(said, "text does not say its language", "add `runtime: python`")
    if not (action.function or action.code or action.docker or action.is_native):
        said = f"{of.what} has nothing to run"
        raise of.place.refuse(said, "there is neither function, code nor docker", "add `function:`")


def _dependency(name: str, of: Section) -> Dependency:
    of.text("version")
    location = of.text("location")
    if location is None:
        fix = "add `location: /whisk.system/utils`"
        raise of.place.refuse(f"{of.what} has no location", fix=fix)
    made = Dependency(
        name=name,
        place=of.place,
        location=location,
        inputs=inputs_of(of),
        annotations=_annotations(of),
    )
    of.done()
    return made


def _sequence(name: str, of: Section) -> ActionSequence:
    names = tuple(part.strip() for part in (of.text("actions") or "").split(","))
    if "" in names:
        fix = "write `actions: first, second`"
        raise of.place.refuse(f"{of.what} needs names of actions, with commas", fix=fix)
    made = ActionSequence(
        name=name,
        place=of.place,
        actions=names,
        web=_web(of, "web"),
        annotations=_annotations(of),
    )
    of.done()
    return made


def _rule(name: str, of: Section) -> Rule:
    of.text("rule")
    trigger, action = of.text("trigger"), of.text("action")
    if not trigger or not action:
        raise of.place.refuse(f"{of.what} needs a trigger and an action")
    annotations = _annotations(of)
    of.done()
    return Rule(name=name, place=of.place, trigger=trigger, action=action, annotations=annotations)


def _apis(of: Section) -> Iterator[Api]:
    """Yield the operations of: name, base path, path, action, and how it is called."""
    for name, bases in of.sections("apis", "API").items():
        for base, paths in _below(bases, "base path"):
            for path, actions in _below(paths, "path"):
                for action, node in actions.table.items.items():
                    place = actions.at(action)
                    method, response = _called(node, place, f"action '{action}' of API '{name}'")
                    yield Api(
                        name=name,
                        place=place,
                        base_path=_rooted(base),
                        path=_rooted(path),
                        method=method,
                        action=action,
                        response=response,
                    )


def _below(above: Section, what: str) -> Iterator[tuple[str, Section]]:
    for key, node in above.table.items.items():
        yield key, section(node, above.at(key), f"{what} '{key}' of {above.what}")


def _called(node: Node, place: Place, what: str) -> tuple[str, str | None]:
    response: str | None = None
    if isinstance(node, Scalar):
        method = node.text
    else:
        of = section(node, place, what)
        method, response = of.text("method") or "", of.text("response")
        of.done()
    if method.upper() not in VERBS:
        raise place.refuse(f"'{method}' is no method", f"it is one of {', '.join(VERBS)}")
    if response is not None and response.lower() not in RESPONSES:
        said = f"'{response}' is no type of a response"
        raise place.refuse(said, f"it is one of {', '.join(RESPONSES)}")
    return method.upper(), response and response.lower()


def _rooted(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
