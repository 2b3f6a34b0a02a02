"""From a manifest to what is wanted: names, references and values without a `$` left. Pure.

Code is not read here: an action comes out with the words that say where its code is, and gets it
later (`sources.py`); who removes a project needs none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from cli.apis import HTTP, parameters_of
from cli.failures import Failure, Remedy
from cli.jsontext import Json
from cli.names import OWN, parse_entity
from cli.project.entity import Entity, Key, Kind, localized
from cli.project.interpolation import Scope, replaced, text_of
from cli.project.manifest import (
    DEFAULT,
    Action,
    Api,
    Dependency,
    Inputs,
    Manifest,
    Package,
    Rule,
    Trigger,
)
from cli.project.manifest import Sequence as ActionSequence
from cli.project.order import in_order
from cli.project.resolving import values_of
from cli.shapes import FEED
from cli.webflags import SECRET, meaning

ACTIVE: Final = "active"
_VERSION_PARTS: Final = 3
_Placed: TypeAlias = Package | Dependency | Action | ActionSequence | Trigger | Rule | Api


@dataclass(slots=True)
class Draft:
    """Everything that a manifest wants.

    entities: in the order in which they can be made, the code of actions apart.
    sources: by the name of an action, where its code is.
    dependencies: other projects that have to be deployed along, with the values for them.
    inputs: what each part of the project is given, by what it is called, for a report.
    """

    entities: list[Entity] = field(default_factory=list)
    sources: dict[str, Action] = field(default_factory=dict)
    dependencies: list[tuple[Dependency, dict[str, Json]]] = field(default_factory=list)
    inputs: dict[str, dict[str, Json]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def drafted(
    manifest: Manifest,
    scope: Scope,
    typed: Mapping[str, Json],
    own: str = "",
    *,
    is_strict: bool = False,
) -> Draft:
    """Return what *manifest* wants.

    typed: inputs of the command line; own: the real name of the caller's namespace.
    is_strict: whether an API makes no action a web action that was not said to be one.
    Raises `Failure` for names that are there twice and for sequences of themselves.
    """
    return _Drafting(scope, typed, own, is_strict).whole(manifest)


def checked(entities: list[Entity]) -> list[Entity]:
    """Return *entities* in the order of making. Raises `Failure` when two have one name."""
    seen: dict[Key | str, Entity] = {}
    for one in entities:
        # All kinds but APIs share the names of a namespace.
        name = one.key if one.kind is Kind.API else one.name
        if other := seen.get(name):
            raise _twice(one, other)
        seen[name] = one
    sequences = in_order([one for one in entities if one.kind is Kind.SEQUENCE])
    others = [one for one in entities if one.kind is not Kind.SEQUENCE]
    return sorted(others + sequences, key=lambda one: one.kind.rank)


def _twice(one: Entity, other: Entity) -> Failure:
    assert one.place and other.place, "what is wanted is written somewhere"
    said = f"the {one} is there twice, first as {other.kind} in {other.place}"
    if one.kind is other.kind:
        said = f"the {one} is there twice, first in {other.place}"
    failure = one.place.refuse(said)
    failure.remedy = Remedy("a namespace has each name once", f"rename one of them in {one.place}")
    return failure


class _Drafting:
    """Walks through one manifest and gathers what it wants."""

    def __init__(self, scope: Scope, typed: Mapping[str, Json], own: str, is_strict: bool) -> None:
        self._scope = scope
        self._typed = typed
        self._own = own
        self._is_strict = is_strict
        self._draft = Draft()

    def whole(self, manifest: Manifest) -> Draft:
        """Return the draft of *manifest*."""
        draft = self._draft
        draft.notes += manifest.notes
        values = self._values(manifest.inputs, self._scope)
        draft.inputs[manifest.name or ""] = values
        for package in manifest.packages:
            self._package(package, self._scope.within(values), values)
        self._exported()
        return draft

    def _values(self, inputs: Inputs, scope: Scope, *, free: bool = False) -> dict[str, Json]:
        return values_of(inputs, scope, self._typed, from_environment=free)

    def _add(self, kind: Kind, name: str, fields: Mapping[str, Json], of: _Placed) -> None:
        self._draft.entities.append(Entity(kind, name, fields, of.place))

    def _whole(self, text: str, of: _Placed, scope: Scope, package: str = DEFAULT) -> str:
        """Return the whole name of what *of* calls *text*; an action is in its *package*."""
        words = text_of(text, scope).strip()
        if words and "/" not in words and package != DEFAULT:
            words = f"{package}/{words}"
        try:
            return localized(str(parse_entity(words)), self._own)
        except Failure as failure:
            said = f"'{text}' is the name of nothing"
            why = "a name is NAME, PACKAGE/NAME or /NAMESPACE/PACKAGE/NAME"
            raise of.place.refuse(said, why) from failure

    def _package(self, package: Package, around: Scope, inherited: dict[str, Json]) -> None:
        name = _name(package, around)
        own_values = self._values(package.inputs, around, free=True)
        scope = around.within(own_values)
        self._draft.inputs[f"package {name}"] = own_values
        if name != DEFAULT:
            fields: dict[str, Json] = {
                "publish": package.is_public,
                "parameters": {**inherited, **own_values},
                "annotations": replaced(package.annotations, scope),
            }
            if package.version:
                fields["version"] = _version(text_of(package.version, scope))
            if package.is_public:
                self._draft.notes.append(f"{package.place}: everybody may use the package '{name}'")
            self._add(Kind.PACKAGE, name, fields, package)
        for dependency in package.dependencies:
            self._dependency(dependency, scope)
        for action in package.actions:
            self._action(action, name, scope)
        for sequence in package.sequences:
            self._sequence(sequence, name, scope)
        for trigger in package.triggers:
            self._trigger(trigger, scope)
        for rule in package.rules:
            self._rule(rule, name, scope)
        for api in package.apis:
            self._api(api, name, scope)

    def _dependency(self, dependency: Dependency, scope: Scope) -> None:
        location = text_of(dependency.location, scope)
        name = _name(dependency, scope)
        values = self._values(dependency.inputs, scope)
        self._draft.inputs[f"dependency {name}"] = values
        annotations = replaced(dependency.annotations, scope)
        provider = provider_of(location)
        if provider is None:
            placed = replace(dependency, name=name, location=location, annotations=annotations)
            self._draft.dependencies.append((placed, values))
            return
        fields = {
            "provider": localized(provider, self._own),
            "parameters": values,
            "annotations": annotations,
        }
        self._add(Kind.BINDING, name, fields, dependency)

    def _action(self, action: Action, package: str, scope: Scope) -> None:
        name = _member(_name(action, scope), package)
        annotations = dict(replaced(action.annotations, scope))
        if action.web is not None:
            annotations |= meaning(action.web)
        if action.is_conductor:
            annotations["conductor"] = True
        parameters = self._values(action.inputs, scope)
        fields: dict[str, Json] = {
            "parameters": parameters,
            "annotations": annotations,
            "limits": dict(action.limits),
        }
        if action.version:
            fields["version"] = _version(text_of(action.version, scope))
        self._draft.inputs[f"action {name}"] = parameters
        self._draft.sources[name] = replace(
            action,
            function=action.function and text_of(action.function, scope),
            docker=action.docker and text_of(action.docker, scope),
            runtime=action.runtime and text_of(action.runtime, scope),
        )
        self._add(Kind.ACTION, name, fields, action)

    def _sequence(self, sequence: ActionSequence, package: str, scope: Scope) -> None:
        annotations = dict(replaced(sequence.annotations, scope))
        if sequence.web is not None:
            annotations |= meaning(sequence.web)
        parts = [self._whole(part, sequence, scope, package) for part in sequence.actions]
        name = _member(_name(sequence, scope), package)
        self._add(Kind.SEQUENCE, name, {"components": parts, "annotations": annotations}, sequence)

    def _trigger(self, trigger: Trigger, scope: Scope) -> None:
        name = _name(trigger, scope)
        parameters = self._values(trigger.inputs, scope)
        fields: dict[str, Json] = {
            "parameters": parameters,
            "annotations": replaced(trigger.annotations, scope),
        }
        if trigger.feed:
            fields[FEED] = self._whole(trigger.feed, trigger, scope)
        self._draft.inputs[f"trigger {name}"] = parameters
        self._add(Kind.TRIGGER, name, fields, trigger)

    def _rule(self, rule: Rule, package: str, scope: Scope) -> None:
        fields = {
            "trigger": self._whole(rule.trigger, rule, scope),
            "action": self._whole(rule.action, rule, scope, package),
            "status": ACTIVE,
            "annotations": replaced(rule.annotations, scope),
        }
        self._add(Kind.RULE, _name(rule, scope), fields, rule)

    def _api(self, api: Api, package: str, scope: Scope) -> None:
        base, path = text_of(api.base_path, scope), text_of(api.path, scope)
        if parameters_of(base):
            raise api.place.refuse(f"the base path {base} cannot have parameters")
        response = api.response or "json"
        if parameters_of(path) and response != HTTP:
            said = f"{api.place}: parameters of a path need the response type http, not {response}"
            self._draft.notes.append(said)
            response = HTTP
        fields = {
            "title": text_of(api.name, scope),
            "base": base,
            "path": path,
            "method": api.method,
            "action": self._whole(api.action, api, scope, package),
            "response": response,
            "secret": None,
        }
        self._add(Kind.API, f"{api.method} {base} {path}", fields, api)

    def _exported(self) -> None:
        """Make the actions of APIs web actions, and let the APIs know what they ask of a caller."""
        draft = self._draft
        titles: dict[str, str] = {}
        places = {f"/{OWN}/{one.name}": at for at, one in enumerate(draft.entities)
                  if one.kind.collection == "actions"}  # fmt: skip
        for at, api in enumerate(draft.entities):
            if api.kind is not Kind.API:
                continue
            assert api.place, "what is wanted is written somewhere"
            title = titles.setdefault(api.fields["base"], api.fields["title"])
            if title != api.fields["title"]:
                said = f"the base path {api.fields['base']} is that of the API '{title}' already"
                raise api.place.refuse(said, "an API has one name", "give it another base path")
            name = api.fields["action"]
            if name not in places:
                said = f"the API calls the action {name}, which the manifest does not have"
                raise api.place.refuse(said)
            action = draft.entities[places[name]]
            annotations = action.table("annotations")
            if annotations.get("web-export") is False or (
                self._is_strict and "web-export" not in annotations
            ):
                raise api.place.refuse(
                    f"the {action} is no web action",
                    "an API calls it without a key",
                    f"add `web: true` in {action.place}",
                )
            if "web-export" not in annotations:
                draft.notes.append(f"{api.place}: the {action} becomes a web action")
                fields = {**action.fields, "annotations": {**annotations, **meaning("yes")}}
                draft.entities[places[name]] = replace(action, fields=fields)
            if secret := annotations.get(SECRET):
                draft.entities[at] = replace(api, fields={**api.fields, "secret": secret})


def provider_of(location: str) -> str | None:
    """Return the package `/ns/name` that *location* names; None where it is a place of code."""
    if location.startswith(".") or "://" in location or location.startswith("github.com"):
        return None
    parts = location.removeprefix("/").split("/")
    if len(parts) == 1 and parts[0]:
        return f"/{OWN}/{parts[0]}"
    return f"/{parts[0]}/{parts[1]}" if len(parts) == 2 and all(parts) else None


def _name(of: _Placed, scope: Scope) -> str:
    """Return what something is called. Raises `Failure` for nothing, and for steps down."""
    name = text_of(of.name, scope).strip()
    if not name:
        raise of.place.refuse(
            f"the name '{of.name}' is empty", "what it stands for is not set", f"set {of.name}"
        )
    if "/" in name:
        why = "where something is in the manifest says where it is"
        raise of.place.refuse(f"'{name}' is no name: it has a slash", why)
    return name


def _version(written: str) -> str:
    """Return a version as a platform keeps it: 1.0 is 1.0.0; what is none, as it is."""
    parts = written.split(".")
    if len(parts) > _VERSION_PARTS or not all(part.isdecimal() for part in parts):
        return written
    return ".".join(str(int(part)) for part in [*parts, "0", "0"][:_VERSION_PARTS])


def _member(name: str, package: str) -> str:
    return name if package == DEFAULT else f"{package}/{name}"
