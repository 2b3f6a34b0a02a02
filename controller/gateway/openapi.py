"""OpenAPI 3 as Swagger 2.0, which is what an API is kept in. Pure.

What both can say is carried over: paths, parameters, bodies, answers, types, extensions. What only
OpenAPI 3 can say is left out where it is for people (examples, links, callbacks, cookies), and kept
inside of types, which nobody here reads but people. The path of the first server is the base path.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from common.errors import ApiRefused
from controller.gateway import references
from controller.gateway.document import VERBS, Document

FIELD: Final = "openapi"
_JSON: Final = "application/json"
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_MOVED: Final = {
    "#/components/schemas/": "#/definitions/",
    "#/components/parameters/": "#/parameters/",
    "#/components/responses/": "#/responses/",
}
_OF_A_PARAMETER: Final = (
    "type", "format", "enum", "default", "items", "minimum", "maximum", "pattern",
)  # fmt: skip
_OF_AN_OPERATION: Final = ("operationId", "summary", "description", "tags", "deprecated")


def is_openapi(given: Mapping[str, Any]) -> bool:
    """Tell whether *given* says of itself that it is OpenAPI."""
    return FIELD in given


def swagger_of(given: Mapping[str, Any]) -> Document:
    """Return *given*, a bounded document of OpenAPI 3, as Swagger 2.0. Raises `ApiRefused`.

    What is returned is still to be looked at: a part that is not as it should be stays so.
    """
    version = str(given.get(FIELD))
    if not version.startswith("3."):
        raise ApiRefused(f"The document says openapi '{version[:20]}': 3.0 and 3.1 can be read.")
    references.check(given)
    found = _object(given.get("paths"), "paths")
    document: Document = {"swagger": "2.0", "info": given.get("info"), "basePath": _base(given)}
    document["paths"] = {path: _item(given, item) for path, item in found.items()}
    components = _object(given.get("components", {}), "components")
    for name, new, convert in (
        ("schemas", "definitions", lambda _, each: each),
        ("parameters", "parameters", _parameter),
        ("responses", "responses", _response),
    ):
        parts = _object(components.get(name, {}), f"components.{name}")
        if parts:
            document[new] = {key: convert(given, each) for key, each in parts.items()}
    document |= _extensions(given)
    return dict(_moved(document))


def _base(given: Mapping[str, Any]) -> str:
    """Return the path of the first server, with the defaults of what is open in it."""
    servers = given.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    if not isinstance(first, dict) or not isinstance(first.get("url", "/"), str):
        raise ApiRefused("The document has no servers, or the first one has no url.")
    variables = first.get("variables", {})

    def default(found: re.Match[str]) -> str:
        variable = variables.get(found[1], {}) if isinstance(variables, dict) else {}
        return str(variable.get("default", "")) if isinstance(variable, dict) else ""

    try:
        path = unquote(urlsplit(_VARIABLE.sub(default, first.get("url", "/"))).path)
    except ValueError as error:
        raise ApiRefused("The url of the first server is none.") from error
    return path if path.startswith("/") else f"/{path}"


def _item(given: Mapping[str, Any], item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    converted: Document = _extensions(item)
    if isinstance(item.get("parameters"), list):
        converted["parameters"] = list(_parameters(given, item["parameters"]))
    for key, body in item.items():
        if key in VERBS:
            converted[key] = _operation(given, body)
        elif key not in ("parameters", "summary", "description", "servers"):
            converted.setdefault(key, body)  # whatever is wrong is told with the others
    return converted


def _operation(given: Mapping[str, Any], body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    converted = {name: body[name] for name in _OF_AN_OPERATION if name in body}
    listed = body.get("parameters")
    parameters = list(_parameters(given, listed if isinstance(listed, list) else []))
    if "requestBody" in body:
        sent = references.resolved(given, body["requestBody"])
        media = sent.get("content") if isinstance(sent, dict) else None
        if isinstance(media, dict) and media:
            converted["consumes"] = list(media)
            parameters += _sent(given, sent, media)
    if parameters:
        converted["parameters"] = parameters
    answers = body.get("responses")
    if isinstance(answers, dict):
        converted["responses"] = {
            str(status): _response(given, each) for status, each in answers.items()
        }
        produced = [name for each in answers.values() for name in _produced(given, each)]
        if produced:
            converted["produces"] = list(dict.fromkeys(produced))
    return converted | _extensions(body)


def _parameters(given: Mapping[str, Any], listed: list[Any]) -> Iterator[Any]:
    for each in listed:
        meant = references.resolved(given, each)
        if isinstance(meant, dict) and meant.get("in") == "cookie":
            continue
        yield _parameter(given, each)


def _parameter(given: Mapping[str, Any], each: Any) -> Any:
    if not isinstance(each, dict) or references.REF in each:
        return each
    converted = {name: each[name] for name in ("name", "in", "description") if name in each}
    converted["required"] = each.get("required") is True
    schema = references.resolved(given, each.get("schema"))
    converted |= _typed(schema if isinstance(schema, dict) else {})
    return converted | _extensions(each)


def _typed(schema: Mapping[str, Any]) -> Document:
    """Return what of *schema* a parameter of Swagger 2.0 says itself."""
    found = {name: schema[name] for name in _OF_A_PARAMETER if name in schema}
    kind = found.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), None)
    found["type"] = kind if isinstance(kind, str) and kind != "object" else "string"
    return found


def _sent(
    given: Mapping[str, Any], body: Mapping[str, Any], media: Mapping[str, Any]
) -> Iterator[Document]:
    form = next((name for name in _FORMS if name in media), None)
    if form is not None and _JSON not in media:
        yield from _fields(given, media[form])
        return
    one = media.get(_JSON) or next(iter(media.values()))
    schema = one.get("schema", {}) if isinstance(one, dict) else {}
    converted: Document = {"name": "body", "in": "body", "schema": schema}
    converted["required"] = body.get("required") is True
    if isinstance(body.get("description"), str):
        converted["description"] = body["description"]
    yield converted


def _fields(given: Mapping[str, Any], form: Any) -> Iterator[Document]:
    schema = references.resolved(given, form.get("schema") if isinstance(form, dict) else None)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, each in properties.items() if isinstance(properties, dict) else ():
        kind = references.resolved(given, each)
        typed = _typed(kind if isinstance(kind, dict) else {})
        yield {"name": name, "in": "formData", **typed}


def _response(given: Mapping[str, Any], each: Any) -> Any:
    if not isinstance(each, dict) or references.REF in each:
        return each
    converted: Document = {"description": each.get("description", "")}
    media = each.get("content")
    if isinstance(media, dict) and media:
        one = media.get(_JSON) or next(iter(media.values()))
        if isinstance(one, dict) and "schema" in one:
            converted["schema"] = one["schema"]
    return converted | _extensions(each)


def _produced(given: Mapping[str, Any], each: Any) -> list[str]:
    meant = references.resolved(given, each)
    media = meant.get("content") if isinstance(meant, dict) else None
    return list(media) if isinstance(media, dict) else []


def _extensions(holder: Mapping[str, Any]) -> Document:
    return {key: value for key, value in holder.items() if key.startswith("x-")}


def _moved(value: Any) -> Any:
    """Return *value* with its references leading to where their targets are now."""
    if isinstance(value, list):
        return [_moved(each) for each in value]
    if not isinstance(value, dict):
        return value
    moved = {key: _moved(each) for key, each in value.items()}
    pointer = value.get(references.REF)
    if isinstance(pointer, str):
        for old, new in _MOVED.items():
            if pointer.startswith(old):
                moved[references.REF] = new + pointer.removeprefix(old)
    return moved


def _object(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ApiRefused(f"The document has no {where}, or it is not an object.")
    return given
