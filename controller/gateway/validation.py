"""Whether a document can be served. Pure.

What comes from outside is looked at before anything else is done with it: its size and its depth
first, by a walk that does not recurse, then its form, then what its paths and references mean. Each
refusal says which part is wrong. A document is never completed from elsewhere: references lead to
places inside of it, and no address in it is ever asked for anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from common import codec
from common.errors import ApiRefused
from controller.gateway import document, paths, references
from controller.gateway.document import CONFIGURATION, EXTENSION, VERBS, Document, Operation
from controller.gateway.request import unknown_verb
from controller.gateway.target import REQUEST_PATH

MAX_DEPTH: Final = 64
MAX_PATHS: Final = 1_000
MAX_TITLE: Final = 256
_BESIDE_VERBS: Final = frozenset({"parameters", "$ref", "summary", "description", "servers"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a document may be."""

    document_bytes: int


def require_bounded(given: Any, bounds: Bounds) -> None:
    """Refuse what is too deep or too long to be looked at. Raises `ApiRefused`."""
    level = [given]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            break
    else:
        raise ApiRefused(f"The document is nested more than {MAX_DEPTH} levels deep.")
    size = len(codec.encode(given))
    if size > bounds.document_bytes:
        raise ApiRefused(
            f"The document is larger than allowed: {size} > {bounds.document_bytes} bytes."
        )


def require_valid(given: Mapping[str, Any]) -> None:
    """Refuse a document of Swagger 2.0 that cannot be served. Raises `ApiRefused`."""
    if str(given.get("swagger")) != "2.0":
        raise ApiRefused(
            f"The document says swagger '{str(given.get('swagger'))[:20]}': "
            "2.0 can be read, and openapi 3."
        )
    paths.base_path(_of_type(str, given.get("basePath"), "basePath"))
    info = _of_type(dict, given.get("info"), "info")
    title = _of_type(str, info.get("title"), "info.title")
    if not 0 < len(title) <= MAX_TITLE:
        raise ApiRefused(f"The title of an API has 1 to {MAX_TITLE} characters.")
    _check_configuration(given)
    references.check(given)
    found = _of_type(dict, given.get("paths"), "paths")
    if len(found) > MAX_PATHS:
        raise ApiRefused(f"The document has {len(found)} paths: {MAX_PATHS} are the most.")
    _check_paths(given, found)
    _check_names(given)


def _check_paths(given: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    shapes: dict[tuple[paths.Segment, ...], str] = {}
    cases = document.Cases(given)
    for path, item in found.items():
        template = paths.template(path)
        _check_item(path, _of_type(dict, item, f"path '{path}'"))
        twin = shapes.setdefault(template.shape, path)
        if twin != path:
            raise ApiRefused(
                f"The paths '{twin}' and '{path}' fit the same requests: only one of them can be "
                "in an API. Put what they have into one."
            )
        if len(set(template.parameters)) < len(template.parameters):
            raise ApiRefused(f"The path '{path}' has a parameter twice: each has its own name.")
        if template.parameters:
            _check_parameters(given, cases, template, item)


def _check_item(path: str, item: Mapping[str, Any]) -> None:
    for key, body in item.items():
        if key in VERBS:
            where = f"{key} of path '{path}'"
            _of_type(dict, body, where)
            if EXTENSION in body:
                _of_type(dict, body[EXTENSION], f"{EXTENSION} in {where}")
        elif key.lower() in VERBS:
            raise ApiRefused(f"The verb '{key}' of path '{path}' is written '{key.lower()}'.")
        elif key not in _BESIDE_VERBS and not key.startswith("x-"):
            raise ApiRefused(f"{unknown_verb(key)}; it is there in path '{path}'.")
    if "$ref" in item:
        raise ApiRefused(f"The path '{path}' is a reference: write what it has in its place.")


def _check_parameters(
    given: Mapping[str, Any],
    cases: document.Cases,
    template: paths.Template,
    item: Mapping[str, Any],
) -> None:
    """Refuse a path whose action would not learn of its parameters, or that are not declared."""
    shared = _declared(given, item, f"path '{template.text}'")
    for verb in VERBS:
        if verb not in item:
            continue
        operation = Operation(template.text, verb, item[verb])
        url = operation.body.get(EXTENSION, {}).get("url")
        if url is not None and not str(url).endswith(".http"):
            raise ApiRefused(
                "The action must use a response type of '.http' in order to receive the path "
                "parameters."
            )
        case = cases.of(operation)
        if case is not None and not case.address.endswith(f".http{REQUEST_PATH}"):
            raise ApiRefused(
                f"The target-url for operationId '{operation.operation_id}' must end in "
                f"'{REQUEST_PATH}' in order for actions to receive the path parameters."
            )
        declared = shared | _declared(given, operation.body, f"{verb} of path '{template.text}'")
        for name in template.parameters:
            if name not in declared:
                raise ApiRefused(
                    f"The parameter '{name}' defined in path '{template.text}' does not match any "
                    "of the parameters defined for the path in the swagger file."
                )


def _declared(given: Mapping[str, Any], holder: Mapping[str, Any], where: str) -> set[str]:
    listed = _of_type(list, holder.get("parameters") or [], f"the parameters of {where}")
    resolved = [references.resolved(given, each) for each in listed]
    return {
        str(each.get("name"))
        for each in resolved
        if isinstance(each, dict) and each.get("in") == "path"
    }


def _check_names(given: Mapping[str, Any]) -> None:
    known: dict[str, Operation] = {}
    for operation in document.operations(given):
        name = operation.operation_id
        first = known.setdefault(name, operation) if name else operation
        if first is not operation:
            raise ApiRefused(
                f"The operationId '{name[:80]}' is there twice, for {first.verb} of '{first.path}' "
                f"and {operation.verb} of '{operation.path}': each operation has its own."
            )


def _check_configuration(given: Mapping[str, Any]) -> None:
    """Refuse an `x-ibm-configuration` that is not built as its readers take it to be."""
    where = CONFIGURATION
    configuration = _of_type(dict, given.get(where, {}), where)
    _of_type(dict, configuration.get("cors", {}), f"{where}.cors")
    assembly = _of_type(dict, configuration.get("assembly", {}), f"{where}.assembly")
    for step in _objects(assembly.get("execute", []), f"{where}.assembly.execute"):
        if "operation-switch" not in step:
            continue
        inner = f"{where}.assembly.execute.operation-switch"
        switch = _of_type(dict, step["operation-switch"], inner)
        for case in _objects(switch.get("case", []), f"{inner}.case"):
            names = _of_type(list, case.get("operations", []), f"{inner}.case.operations")
            if not all(isinstance(name, str | dict) for name in names):
                raise ApiRefused(f"{inner}.case.operations is not a list of operations.")
            for action in _objects(case.get("execute", []), f"{inner}.case.execute"):
                _of_type(dict, action.get("invoke", {}), f"{inner}.case.execute.invoke")
                variable = action.get("set-variable", {})
                setting = _of_type(dict, variable, f"{inner}.case.execute.set-variable")
                _objects(setting.get("actions", []), f"{inner}.case.execute.set-variable.actions")


def _objects(given: Any, where: str) -> list[Document]:
    return [_of_type(dict, each, f"each of {where}") for each in _of_type(list, given, where)]


_TYPES: Final[dict[type, str]] = {dict: "an object", list: "a list", str: "a text"}


def _of_type(wanted: type[Any], given: Any, where: str) -> Any:
    if not isinstance(given, wanted):
        raise ApiRefused(f"The document has no {where}, or it is not {_TYPES[wanted]}.")
    return given


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (each for each in value.values() if isinstance(each, dict | list))
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict | list))
