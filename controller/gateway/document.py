"""The document of an API, and how it changes when an endpoint comes or goes. Pure.

It is Swagger 2.0 with the extensions that OpenWhisk's tools write and read: `x-openwhisk` at each
operation, and a case for it in `x-ibm-configuration.assembly.execute[].operation-switch`. Documents
are not changed in place: each of these functions returns a new one.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from common.entity.names import QualifiedName
from common.errors import ApiRefused
from controller.gateway import paths
from controller.gateway.target import REQUEST_PATH, Target, target_of

Document: TypeAlias = dict[str, Any]
VERBS: Final = ("get", "put", "post", "delete", "patch", "head", "options")
EXTENSION: Final = "x-openwhisk"
CONFIGURATION: Final = "x-ibm-configuration"
SECRET_HEADER: Final = "message.headers.X-Require-Whisk-Auth"
RESPONSES: Final = {"default": {"description": "Default response"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation that is put into an API."""

    base_path: str
    """Or the title of an API that is there."""
    path: str
    verb: str
    """In lower case."""
    action: QualifiedName
    address: str
    """Of the action, with the extension that it is to answer with."""
    title: str = ""
    """Of an API that is made by this; empty is its base path."""
    parameters: list[Any] = field(default_factory=list)
    secret: Any = None
    """What the action wants in `X-Require-Whisk-Auth`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document."""

    path: str
    verb: str
    body: Mapping[str, Any]

    @property
    def operation_id(self) -> str:
        """What the document calls it; empty where it does not."""
        return str(self.body.get("operationId") or "")


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Yield all operations, in the order of the document."""
    for path, item in document["paths"].items():
        for verb, body in item.items():
            if verb in VERBS:
                yield Operation(path, verb, body)


def new(base_path: str, title: str) -> Document:
    """Return the document of an API without an operation."""
    return {
        "swagger": "2.0",
        "info": {"title": title or base_path, "version": "1.0.0"},
        "basePath": base_path,
        "paths": {},
        CONFIGURATION: {"assembly": {}, "cors": {"enabled": True}},
    }


def with_endpoint(document: Mapping[str, Any], endpoint: Endpoint) -> Document:
    """Return *document* with one more operation, or another one in its place."""
    changed = copy.deepcopy(dict(document))
    name = _operation_id(changed, endpoint)
    target = endpoint.address + (REQUEST_PATH if endpoint.address.endswith(".http") else "")
    changed["paths"].setdefault(endpoint.path, {})[endpoint.verb] = {
        "operationId": name,
        "parameters": endpoint.parameters,
        EXTENSION: {
            "url": endpoint.address,
            "namespace": endpoint.action.namespace,
            "package": endpoint.action.package or "",
            "action": endpoint.action.name,
        },
        "responses": copy.deepcopy(RESPONSES),
    }
    steps: list[Document] = [{"invoke": {"target-url": target, "verb": "keep"}}]
    if endpoint.secret is not None and endpoint.secret is not False:
        setting = {"set": SECRET_HEADER, "value": endpoint.secret}
        steps.append({"set-variable": {"actions": [setting]}})
    _put_case(changed, name, {"operations": [name], "execute": steps})
    return changed


def without(document: Mapping[str, Any], path: str, verb: str | None) -> Document:
    """Return *document* without a path, or one verb of it; a path goes with its last verb.

    Raises `ApiRefused` when there is no such thing.
    """
    changed = copy.deepcopy(dict(document))
    item = changed["paths"].get(path)
    if item is None:
        raise ApiRefused(f"path '{path}' does not exist in the API")
    if verb is not None and verb not in item:
        raise ApiRefused(f"path '{path}' with operation '{verb}' does not exist in the API")
    gone = [each for each in VERBS if each in item] if verb is None else [verb]
    for each in gone:
        _remove_case(changed, str(item.pop(each).get("operationId")))
    if not any(each in item for each in VERBS):
        del changed["paths"][path]
    return changed


@dataclass(frozen=True, slots=True)
class Case:
    """What `x-ibm-configuration` says of an operation."""

    address: str
    secret: str | None


class Cases:
    """All that `x-ibm-configuration` says, found by the operation."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read them; of two for one operation the first counts."""
        self._found: dict[str | tuple[str, str], Case] = {}
        for each in _cases(document):
            case = _case(each)
            if case is None:
                continue
            for named in each.get("operations", ()):
                if isinstance(named, str):
                    self._found.setdefault(named, case)
                else:
                    verb, path = str(named.get("verb")).lower(), str(named.get("path"))
                    self._found.setdefault((verb, path), case)

    def of(self, operation: Operation) -> Case | None:
        """Return what there is for *operation*, by its name, or its verb and path."""
        return self._found.get(operation.operation_id) or self._found.get(
            (operation.verb, operation.path)
        )


def target(found: Cases, operation: Operation) -> Target | None:
    """Return where *operation* leads; None if to no web action."""
    case = found.of(operation)
    if case is not None:
        return target_of(case.address, case.secret)
    address = operation.body.get(EXTENSION, {}).get("url")
    if not isinstance(address, str):
        return None
    if "{" in operation.path and address.endswith(".http"):
        address += REQUEST_PATH
    return target_of(address)


def has_cors(document: Mapping[str, Any]) -> bool:
    """Tell whether pages of other sites may call the API."""
    configuration = document.get(CONFIGURATION, {})
    return configuration.get("cors", {}).get("enabled") is True


def _operation_id(document: Document, endpoint: Endpoint) -> str:
    """Return what the operation is called: what no other one is."""
    taken = {
        each.operation_id
        for each in operations(document)
        if (each.path, each.verb) != (endpoint.path, endpoint.verb)
    }
    name = paths.operation_id(endpoint.verb, endpoint.path)
    number = 1
    unique = name
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique


def _cases(document: Mapping[str, Any]) -> list[Document]:
    for step in document.get(CONFIGURATION, {}).get("assembly", {}).get("execute", ()):
        switch = step.get("operation-switch")
        if switch is not None:
            return list(switch.get("case", ()))
    return []


def _case(given: Mapping[str, Any]) -> Case | None:
    """Return the address that is invoked, and the secret that is set; None without an address."""
    address: str | None = None
    secret: str | None = None
    for step in given.get("execute", ()):
        if "invoke" in step:
            address = str(step["invoke"].get("target-url"))
        for setting in step.get("set-variable", {}).get("actions", ()):
            if setting.get("set") == SECRET_HEADER:
                secret = str(setting.get("value"))
    return None if address is None else Case(address, secret)


def _put_case(document: Document, name: str, case: Document) -> None:
    assembly = document.setdefault(CONFIGURATION, {}).setdefault("assembly", {})
    steps = assembly.setdefault("execute", [])
    switch = next((step for step in steps if "operation-switch" in step), None)
    if switch is None:
        switch = {"operation-switch": {"case": []}}
        steps.append(switch)
    cases = switch["operation-switch"].setdefault("case", [])
    for at, each in enumerate(cases):
        if each.get("operations") == [name]:
            cases[at] = case
            return
    cases.append(case)


def _remove_case(document: Document, name: str) -> None:
    for step in document.get(CONFIGURATION, {}).get("assembly", {}).get("execute", ()):
        switch = step.get("operation-switch")
        if switch is not None:
            switch["case"] = [
                each for each in switch.get("case", ()) if each.get("operations") != [name]
            ]
