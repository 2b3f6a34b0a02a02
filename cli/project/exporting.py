"""From what is there to a manifest and files of code that say the same. Pure.

What a manifest cannot say is noted: rules that are switched off, several activations at a time,
texts that begin like the name of a variable in an annotation.
"""

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cli.failures import Failure
from cli.jsontext import Json, encode
from cli.languages import NATIVE_IMAGE, file_name
from cli.names import OWN
from cli.project.declared import KEYS
from cli.project.difference import API_KEY
from cli.project.entity import MANAGED, Entity, Kind
from cli.project.feeding import FEED_DIGEST
from cli.project.manifest import DEFAULT
from cli.project.resolving import BARE
from cli.shapes import FEED
from cli.webflags import WEB_KEYS, meaning

_USUAL: Final = {"timeout": 60_000, "memory": 256, "logs": 10, "concurrency": 1}
_LIMITS: Final = {"timeout": "timeout", "memory": "memorySize", "logs": "logSize"}
_COUNTED: Final = re.compile(r"0\.0\.\d+")
"""A version that the platform counted, and nobody gave."""
_VARIABLE: Final = re.compile(r"\$[A-Za-z_]|.*\$\{", re.S)
_LONE: Final = re.compile(r"\$[A-Za-z_]")
_ZIP: Final = b"PK\x03\x04"
_PLAIN: Final = re.compile(r"\w[\w@ .&-]*")


@dataclass(slots=True)
class Exported:
    """A manifest as a document, and the files that it names, by their paths beside it."""

    document: Json
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def exported(
    project: str | None, entities: Sequence[Entity], fed: Mapping[str, Mapping[str, Json]]
) -> Exported:
    """Return the manifest of *entities*; as that of the project of this name, if it has one.

    entities: with everything that they have; bindings with what they inherit.
    fed: by the name of a trigger, what its feed was given.
    """
    return _Exporting(entities, fed).whole(project)


class _Exporting:
    """Gathers packages, and puts everything else into one of them."""

    def __init__(self, entities: Sequence[Entity], fed: Mapping[str, Mapping[str, Json]]) -> None:
        self._entities = sorted(entities, key=lambda one: (one.kind.rank, one.name))
        self._packages = {one.name: one for one in entities if one.kind is Kind.PACKAGE}
        self._fed = fed
        self._made: dict[str, dict[str, Json]] = {}
        self._out = Exported({})

    def whole(self, project: str | None) -> Exported:
        """Return the manifest and its files."""
        rules = [one for one in self._entities if one.kind is Kind.RULE]
        for one in self._entities:
            match one.kind:
                case Kind.PACKAGE:
                    self._made[one.name] = _package(one)
                case Kind.BINDING:
                    self._into(self._first(), "dependencies", one.name, _dependency(one))
                case Kind.ACTION:
                    self._into(one.package or DEFAULT, "actions", _last(one), self._action(one))
                case Kind.SEQUENCE:
                    self._into(one.package or DEFAULT, "sequences", _last(one), _sequence(one))
                case Kind.TRIGGER:
                    self._into(self._home(one, rules), "triggers", one.name, self._trigger(one))
                case Kind.RULE:
                    self._into(self._beside(one), "rules", one.name, self._rule(one))
                case Kind.API:
                    self._api(one)
        packages = {"packages": self._made}
        self._out.document = {"project": {"name": project, **packages}} if project else packages
        self._check_variables()
        return self._out

    def _into(self, package: str, section: str, name: str, value: Json) -> None:
        self._made.setdefault(package, {}).setdefault(section, {})[name] = value

    def _first(self) -> str:
        return min(self._packages, default=DEFAULT)

    def _beside(self, rule: Entity) -> str:
        """Return the package of the action that a rule runs, where that is exported."""
        parts = str(rule.fields["action"]).split("/")[1:]
        is_ours = len(parts) == 3 and parts[0] == OWN and parts[1] in self._packages
        return parts[1] if is_ours else self._first()

    def _home(self, trigger: Entity, rules: Sequence[Entity]) -> str:
        theirs = [one for one in rules if one.fields["trigger"] == f"/{OWN}/{trigger.name}"]
        return self._beside(theirs[0]) if theirs else self._first()

    def _action(self, action: Entity) -> Json:
        fields = action.fields
        package = self._packages.get(action.package or "")
        beneath = {} if package is None else package.table("parameters")
        made: dict[str, Json] = {}
        image = fields.get("image")
        if image:
            made |= {"native": True} if image == NATIVE_IMAGE else {"docker": image}
        if fields.get("code"):
            path = f"{_safe(action.package or DEFAULT)}/{_safe(_file(action))}"
            made["function"] = path
            self._out.files[path] = _content(fields)
        if not image:
            made["runtime"] = fields.get("kind")
        if fields.get("main"):
            made["main"] = fields["main"]
        limits = fields.get("limits") or {}
        unusual = {key: value for key, value in limits.items() if value != _USUAL.get(key, value)}
        if "concurrency" in unusual:
            self._out.notes.append(f"{action}: a manifest cannot say its concurrency")
        if named := {_LIMITS[key]: value for key, value in unusual.items() if key in _LIMITS}:
            made["limits"] = named
        return made | _version(action) | _inputs(action, beneath) | _annotations(action)

    def _trigger(self, trigger: Entity) -> Json:
        feed = trigger.fields.get(FEED)
        if feed is None:
            return _inputs(trigger, {}) | _annotations(trigger)
        given = self._fed.get(trigger.name)
        if given is None:
            self._out.notes.append(f"{trigger}: its feed does not tell what it was given")
        inputs = {"inputs": {key: _input(value) for key, value in given.items()}} if given else {}
        return {"feed": feed} | inputs | _annotations(trigger)

    def _rule(self, rule: Entity) -> Json:
        if rule.fields.get("status") != "active":
            self._out.notes.append(f"{rule}: it is switched off, and a deployment switches it on")
        action = _short(str(rule.fields["action"]), self._beside(rule))
        trigger = str(rule.fields["trigger"]).removeprefix(f"/{OWN}/")
        return {"trigger": trigger, "action": action} | _annotations(rule)

    def _api(self, api: Entity) -> None:
        fields = api.fields
        package = self._beside(api)
        action = str(fields["action"]).rpartition("/")[2]
        apis = self._made.setdefault(package, {}).setdefault("apis", {})
        paths = apis.setdefault(fields["title"], {}).setdefault(fields["base"], {})
        called = {"method": fields["method"], "response": fields["response"]}
        paths.setdefault(fields["path"], {})[action] = called

    def _check_variables(self) -> None:
        """Note texts in annotations that a reader would take for names of variables."""
        for one in self._entities:
            for key, value in one.table("annotations").items():
                if key != MANAGED and isinstance(value, str) and _LONE.match(value):
                    said = f"{one}: the annotation '{key}' will be read as the name of a variable"
                    self._out.notes.append(said)


def _package(package: Entity) -> dict[str, Json]:
    public = {"public": True} if package.fields.get("publish") else {}
    return _version(package) | public | _inputs(package, {}) | _annotations(package)


def _dependency(binding: Entity) -> Json:
    inherited = binding.table("inherited")
    location = {"location": binding.fields["provider"]}
    return location | _inputs(binding, inherited) | _annotations(binding)


def _sequence(sequence: Entity) -> Json:
    package = sequence.package or DEFAULT
    parts = [_short(part, package) for part in sequence.fields["components"]]
    return {"actions": ", ".join(parts)} | _annotations(sequence)


def _version(entity: Entity) -> dict[str, Json]:
    version = str(entity.fields.get("version") or "")
    return {"version": version} if version and not _COUNTED.fullmatch(version) else {}


def _inputs(entity: Entity, beneath: Mapping[str, Json]) -> dict[str, Json]:
    """Return the parameters of *entity* that it does not have from beneath."""
    own = {
        key: _input(value)
        for key, value in entity.table("parameters").items()
        if key not in beneath or beneath[key] != value
    }
    return {"inputs": own} if own else {}


def _input(value: Json) -> Json:
    """Return *value* so that a reader of manifests takes it as it is."""
    match value:
        case str() if value in BARE:
            return {"type": "string", "value": value}
        case str() if not _VARIABLE.match(value):
            return value
        case dict() if value and not value.keys() <= KEYS and not _VARIABLE.search(_text(value)):
            return value
        case bool() | int() | float():
            return value
        case list() if not _VARIABLE.search(_text(value)):
            return value
        case _:
            # As text of JSON nothing in it begins with a name; `${` is written `$${`.
            return {"type": "json", "value": _text(value).replace("${", "$${")}


def _text(value: Json) -> str:
    return encode(value).decode()


def _annotations(entity: Entity) -> dict[str, Json]:
    """Return annotations, and the keys of a manifest that stand for some of them."""
    left = {
        key: _escaped(value)
        for key, value in entity.table("annotations").items()
        if key not in (MANAGED, FEED_DIGEST) and (key, value) != (API_KEY, False)
    }
    made: dict[str, Json] = {}
    if isinstance(left.get("description"), str):
        made["description"] = left.pop("description")
    web = {key: left[key] for key in WEB_KEYS if key in left}
    for word in ("yes", "raw", "no"):
        if entity.kind.collection == "actions" and web == meaning(word):
            made["web"] = word
            left = {key: value for key, value in left.items() if key not in WEB_KEYS}
    if entity.kind is Kind.ACTION and left.get("conductor") is True:
        made["conductor"] = left.pop("conductor")
    return made | ({"annotations": left} if left else {})


def _escaped(value: Json) -> Json:
    """Return *value* with `${` in its texts written so that it stays."""
    match value:
        case str():
            return value.replace("${", "$${")
        case dict():
            return {key: _escaped(item) for key, item in value.items()}
        case list():
            return [_escaped(item) for item in value]
        case _:
            return value


def _short(name: str, package: str) -> str:
    """Return the whole *name* of an action as *package* may call it."""
    own, inside = f"/{OWN}/", f"/{OWN}/{package}/"
    if name.startswith(inside):
        return name.removeprefix(inside)
    rest = name.removeprefix(own)
    if name.startswith(own) and ("/" in rest or package == DEFAULT):
        return rest
    return name


def _file(action: Entity) -> str:
    fields = action.fields
    if fields.get("image"):
        return _last(action) + (".zip" if _content(fields).startswith(_ZIP) else "")
    return file_name(_last(action), dict(fields))


def _content(fields: Mapping[str, Json]) -> bytes:
    code = str(fields.get("code") or "")
    return b64decode(code) if fields.get("binary") else code.encode()


def _last(entity: Entity) -> str:
    return entity.name.rpartition("/")[2]


def _safe(name: str) -> str:
    """Return *name* as that of a file. Raises `Failure` for one that a platform cannot have."""
    if not _PLAIN.fullmatch(name):
        raise Failure(f"'{name}' cannot be the name of a file", shows_usage=False)
    return name
