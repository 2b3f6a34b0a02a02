"""APIs as the command line writes and shows them. Pure: words and documents in, values out.

The endpoint that is sent is built as OpenWhisk's command line builds it; what comes back is checked
as it checks it, and its operations become rows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cli.failures import NOT_ALLOWED, Change, Failure, Remedy
from cli.jsontext import Json
from cli.names import OWN, EntityName, parse_entity
from cli.shapes import Shape

VERBS: Final = ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS")
SECRET: Final = "require-whisk-auth"
HTTP: Final = "http"
_PARAMETER: Final = re.compile(r"\{([^/]+)\}")
_WITHOUT_BASE_PATH: Final = 3
_WIDEST_ACTION: Final = 40
_WIDEST_NAME: Final = 30

SWAGGER: Final = Shape(
    {
        "swagger": "",
        "basePath": "",
        "info": {},
        "paths": {},
        "securityDefinitions": None,
        "security": None,
        "x-ibm-configuration": None,
        "x-ibm-rate-limit": None,
    },
    omitted=frozenset({"swagger", "basePath", "info", "paths", "x-ibm-configuration"}),
)
_PARAMETER_SHAPE: Final = Shape(
    dict.fromkeys(("name", "in", "description", "required", "type", "format"))
)
API: Final = Shape(
    {"namespace": "", "gwApiUrl": "", "gwApiActivated": False, "tenantId": "", "apidoc": {}}
)


def shown_document(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return the document of an API as it is printed: without empty lists of parameters."""
    shown = SWAGGER.laid_out(document)
    shown["paths"] = {path: _shown_item(item) for path, item in shown["paths"].items()}
    return shown


def shown_api(value: Mapping[str, Json]) -> dict[str, Json]:
    """Return one API of an answer as it is printed."""
    return API.laid_out(value) | {"apidoc": shown_document(value["apidoc"])}


def _shown_item(item: Json) -> Json:
    if not isinstance(item, dict):
        return item
    return {verb: _shown_operation(operation) for verb, operation in item.items()}


def _shown_operation(operation: Json) -> Json:
    listed = operation.get("parameters") if isinstance(operation, dict) else None
    if not isinstance(listed, list):
        return operation
    shown = {key: each for key, each in operation.items() if key != "parameters" or listed}
    if listed:
        shown["parameters"] = [
            _PARAMETER_SHAPE.laid_out(each) if isinstance(each, dict) else each for each in listed
        ]
    return shown


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What was typed to make one operation."""

    base_path: str
    """Or the name of an API."""
    path: str
    verb: str
    action: EntityName
    name: str

    @property
    def whole_path(self) -> str:
        """The path with its base path, as it is shown."""
        return self.base_path.removesuffix("/") + self.path


def typed_endpoint(words: Sequence[str], name: str, response_type: str) -> Endpoint:
    """Return what `[BASE_PATH] API_PATH VERB ACTION` means. Raises `Failure`."""
    base_path, is_name = "/", False
    if len(words) > _WITHOUT_BASE_PATH:
        base_path, *words = words
        is_name = not base_path.startswith("/")
        if parameters_of(base_path):
            raise Failure(
                f"The base path '{base_path}' cannot have parameters. "
                "Only the relative path supports path parameters."
            )
    path, verb, action = words
    require_path(path)
    if parameters_of(path) and response_type != HTTP:
        raise Failure(
            "A response type of 'http' is required when using path parameters.",
            remedy=Remedy(change=Change((), ("--response-type", HTTP))),
        )
    require_verb(verb)
    try:
        entity = parse_entity(action)
    except Failure as failure:
        reason = "A valid qualified name must be specified."
        text = f"'{action}' is not a valid action name: {reason}"
        raise Failure(text, NOT_ALLOWED, remedy=failure.remedy) from failure
    if name and is_name:
        raise Failure("An API name can only be specified once.")
    return Endpoint(base_path, path, verb.upper(), entity, name)


def require_path(path: str) -> None:
    """Refuse what is no path. Raises `Failure`."""
    if not path.startswith("/"):
        remedy = Remedy(change=Change((path,), (f"/{path}",)))
        raise Failure(f"'{path}' must begin with '/'.", remedy=remedy)


def require_verb(verb: str) -> None:
    """Refuse what is no method of an API. Raises `Failure`."""
    if verb.upper() not in VERBS:
        listed = " ".join(VERBS)
        raise Failure(f"'{verb}' is not a valid API verb.  Valid values are: [{listed}]")


def parameters_of(path: str) -> list[str]:
    """Return the names of the segments in braces, each once."""
    found = (_PARAMETER.fullmatch(segment) for segment in path.split("/"))
    return list(dict.fromkeys(match[1] for match in found if match))


def described(
    endpoint: Endpoint, host_url: str, auth: str, response_type: str, secret: Json
) -> dict[str, Json]:
    """Return the `apidoc` of *endpoint*.

    secret: what the action wants to be shown; None is nothing.
    """
    action = endpoint.action
    package = action.package or "default"
    target = f"{host_url}/api/v1/web/{action.namespace}/{package}/{action.name}.{response_type}"
    leads_to: dict[str, Json] = {
        "name": action.in_namespace,
        "namespace": action.namespace,
        "backendMethod": endpoint.verb,
        "backendUrl": target,
        "authkey": auth,
    }
    if secret is not None:
        leads_to["secureKey"] = secret
    document: dict[str, Json] = {"namespace": OWN}
    if endpoint.name:
        document["apiName"] = endpoint.name
    document |= {
        "gatewayBasePath": endpoint.base_path,
        "gatewayPath": endpoint.path,
        "gatewayMethod": endpoint.verb,
    }
    if endpoint.base_path.startswith("/"):
        document["id"] = f"API:{OWN}:{endpoint.base_path}"
    document["action"] = leads_to
    if parameters := parameters_of(endpoint.path):
        document["pathParameters"] = [
            {
                "name": name,
                "in": "path",
                "description": f"Default description for '{name}'",
                "required": True,
                "type": "string",
            }
            for name in parameters
        ]
    return document


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of an API, as lists show it."""

    action: str
    """Empty where it leads to none."""
    verb: str
    """In lower case."""
    name: str
    base_path: str
    path: str
    url: str

    @property
    def order(self) -> str:
        """What sorts it: base path, path, verb, whatever their case."""
        return f"{self.base_path}{self.path}{self.verb}".lower()

    def shown(self) -> dict[str, Json]:
        """Return it for programs."""
        return {
            "action": self.action,
            "verb": self.verb,
            "apiName": self.name,
            "basePath": self.base_path,
            "path": self.path,
            "url": self.url,
        }

    def block(self) -> str:
        """Return it in six lines."""
        rows = (
            ("API Name", self.name),
            ("Base path", self.base_path),
            ("Path", self.path),
            ("Verb", self.verb),
            ("URL", self.url),
        )
        return "\n".join([f"Action: {self.action}", *(f"   {key}: {value}" for key, value in rows)])


def operations(api: Mapping[str, Json], path: str = "", verb: str = "") -> Iterator[Operation]:
    """Yield the operations of *api*, the value of an answer; only of *path* and *verb* if given."""
    document = api["apidoc"]
    root = str(api["gwApiUrl"]).removesuffix("/")
    for each, item in document["paths"].items():
        if path and each != path:
            continue
        for method, operation in item.items():
            is_wanted = not verb or method == verb.lower()
            if method.upper() in VERBS and is_wanted:
                yield Operation(
                    _action(operation),
                    method,
                    str(document["info"].get("title", "")),
                    str(document["basePath"]),
                    each,
                    root + each,
                )


def table(rows: Sequence[Operation]) -> list[str]:
    """Return a list as lines: fixed widths where it is empty."""
    action_width, name_width = _WIDEST_NAME, 20
    if rows:
        longest = max(len("Action"), *(len(row.action) for row in rows))
        action_width = min(_WIDEST_ACTION, longest)
        longest = max(len("API Name"), *(len(row.name) for row in rows))
        name_width = min(_WIDEST_NAME, longest) + 1

    def line(action: str, verb: str, name: str, url: str) -> str:
        return (
            f"{action[:action_width]:<{action_width}} {verb:>7} "
            f"{name[:_WIDEST_NAME]:>{name_width}}  {url}"
        )

    header = line("Action", "Verb", "API Name", "URL")
    return [header, *(line(row.action, row.verb, row.name, row.url) for row in rows)]


def checked(value: Json) -> dict[str, Json]:
    """Return *value*, one API of an answer, if it has what is shown of it. Raises `Failure`."""
    match value:
        case {"gwApiUrl": str(), "apidoc": {"info": dict(), "basePath": str(), "paths": dict()}}:
            pass
        case _:
            raise Failure("Internal error. The answer has no API, or not all of it.")
    for item in value["apidoc"]["paths"].values():
        for verb, operation in item.items():
            if verb.upper() in VERBS and "x-openwhisk" in operation:
                _check_operation(verb, operation)
    return dict(value)


def _check_operation(verb: str, operation: Mapping[str, Json]) -> None:
    to = operation["x-openwhisk"]
    found = {"operationId": operation.get("operationId")}
    found |= {f"x-openwhisk.{name}": to.get(name) for name in ("namespace", "action", "url")}
    for name, value in found.items():
        if not value:
            raise Failure(f"Missing {name} field in API configuration for operation {verb}")


def _action(operation: Mapping[str, Json]) -> str:
    to = operation.get("x-openwhisk")
    if not to:
        return ""
    package = f"{to['package']}/" if to.get("package") else ""
    return f"/{to.get('namespace', '')}/{package}{to.get('action', '')}"
