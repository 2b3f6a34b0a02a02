"""Operations of APIs as parts of a project: what is there, and how it is asked for. Pure.

An operation is `METHOD base path`; a whole API, given as a document, is its base path alone. APIs
have no annotations: those that call an action of a project are the project's.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cli.apis import VERBS, Endpoint
from cli.jsontext import Json
from cli.names import OWN, parse_entity
from cli.project.entity import Entity, Kind, localized

_SECRET: Final = "message.headers.X-Require-Whisk-Auth"
_EXTENSIONS: Final = "x-ibm-configuration"


def operations_of(value: Mapping[str, Json], own: str) -> Iterator[Entity]:
    """Yield the operations of an API, the value of an answer, that lead to actions."""
    document = value["apidoc"]
    base = str(document["basePath"])
    secrets = dict(_secrets(document.get(_EXTENSIONS) or {}))
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            leads_to = operation.get("x-openwhisk") if verb.upper() in VERBS else None
            if not leads_to:
                continue
            package = f"{leads_to['package']}/" if leads_to.get("package") else ""
            whole = f"/{leads_to.get('namespace')}/{package}{leads_to.get('action')}"
            fields = {
                "title": document["info"].get("title"),
                "base": base,
                "path": path,
                "method": verb.upper(),
                "action": localized(whole, own),
                "response": str(leads_to.get("url", "")).rpartition(".")[2],
                "secret": secrets.get(str(operation.get("operationId"))),
            }
            yield Entity(Kind.API, f"{verb.upper()} {base} {path}", fields)


def whole_of(value: Mapping[str, Json]) -> Entity:
    """Return an API as one thing, with its document."""
    document = value["apidoc"]
    return Entity(Kind.API, str(document["basePath"]), {"document": document})


def calls(api: Entity, actions: set[str]) -> bool:
    """Tell whether an operation calls one of *actions*, names in the namespace."""
    return str(api.fields.get("action")).removeprefix(f"/{OWN}/") in actions


def outside(operations: Iterable[Entity], wanted: Iterable[Entity]) -> list[Entity]:
    """Return those of *operations* that are in none of the documents that are wanted."""
    described = {one.name for one in wanted if "document" in one.fields}
    return [one for one in operations if one.fields["base"] not in described]


def endpoint_of(api: Entity) -> Endpoint:
    """Return the operation *api* as it is asked for."""
    fields = api.fields
    action = parse_entity(str(fields["action"]))
    return Endpoint(fields["base"], fields["path"], fields["method"], action, fields["title"])


def part_of(api: Entity) -> dict[str, str]:
    """Return the query that names *api*, or the whole API that it is."""
    if "document" in api.fields:
        return {"basepath": api.name}
    fields = api.fields
    return {"basepath": fields["base"], "relpath": fields["path"], "operation": fields["method"]}


def is_within(wanted: Json, present: Json) -> bool:
    """Tell whether *present* has all that *wanted* says: a platform adds to a document."""
    match wanted, present:
        case dict(), dict():
            return all(key in present and is_within(wanted[key], present[key]) for key in wanted)
        case list(), list():
            return len(wanted) == len(present) and all(map(is_within, wanted, present))
        case _:
            return bool(wanted == present)


def _secrets(configuration: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Yield the ids of operations with what their actions want to be shown."""
    for step in (configuration.get("assembly") or {}).get("execute") or []:
        for case in (step.get("operation-switch") or {}).get("case") or []:
            for done in case.get("execute") or []:
                for action in (done.get("set-variable") or {}).get("actions") or []:
                    if action.get("set") == _SECRET:
                        for operation in case.get("operations") or []:
                            yield str(operation), action.get("value")
