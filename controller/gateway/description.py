"""What people are told of an API: its document, read for them. Pure.

A document is its owner's, and its owner is anybody: whatever it holds is taken as text, cut where
it is long. What it says to the gateway (which action, which secret) is left out.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from common.entity.api import Api
from common.errors import ApiRefused
from controller.gateway import references
from controller.gateway.document import CONFIGURATION, EXTENSION, Document, Operation, operations

LONGEST_TEXT: Final = 4_000
LONGEST_NAME: Final = 200
PLACES: Final = ("path", "query", "header", "formData", "body")
_HIDDEN: Final = frozenset({"host", "schemes", CONFIGURATION, "x-ibm-rate-limit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    place: str
    kind: str
    is_required: bool
    text: str
    example: str = ""
    """Of a body: its type, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operation may answer."""

    status: str
    text: str
    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One operation, for people."""

    path: str
    verb: str
    summary: str
    text: str
    is_old: bool
    body_type: str
    """Of what is sent."""
    parameters: tuple[Parameter, ...]
    answers: tuple[Answer, ...]


def described(document: Mapping[str, Any]) -> Iterator[Described]:
    """Yield the operations of *document*, in its order."""
    for operation in operations(document):
        body = operation.body
        yield Described(
            path=operation.path,
            verb=operation.verb.upper(),
            summary=text_of(body.get("summary"), LONGEST_NAME),
            text=text_of(body.get("description")),
            is_old=body.get("deprecated") is True,
            body_type=_consumes(document, body),
            parameters=tuple(_parameters(document, operation)),
            answers=tuple(_answers(document, body)),
        )


def public(api: Api, url: str) -> Document:
    """Return the document of *api* as everybody may have it, for tools: no secret is in it.

    url: where the API is called.
    """
    where = urlsplit(url)
    document = {key: value for key, value in api.document.items() if key not in _HIDDEN}
    document |= {"host": where.netloc, "schemes": [where.scheme], "basePath": where.path}
    document["paths"] = {
        path: {key: _without_target(value) for key, value in item.items()}
        for path, item in api.document["paths"].items()
    }
    if api.access.needs_key:
        key = {"type": "apiKey", "in": "header", "name": api.access.header}
        document |= {"securityDefinitions": {"key": key}, "security": [{"key": []}]}
    return document


def text_of(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Return *value* as text of at most *longest* characters; nothing is nothing."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _without_target(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: each for key, each in value.items() if key != EXTENSION}


def _parameters(document: Mapping[str, Any], operation: Operation) -> Iterator[Parameter]:
    """Yield those of the path and of the operation; of two that are alike, the operation's."""
    found: dict[tuple[str, str], Parameter] = {}
    item = document["paths"][operation.path]
    for holder in (item, operation.body):
        listed = holder.get("parameters")
        for each in listed if isinstance(listed, list) else ():
            given = _resolved(document, each)
            place = given.get("in")
            if place in PLACES:
                parameter = _parameter(document, given, str(place))
                found[parameter.place, parameter.name] = parameter
    yield from found.values()


def _parameter(document: Mapping[str, Any], given: Mapping[str, Any], place: str) -> Parameter:
    kind = text_of(given.get("type"), LONGEST_NAME)
    if given.get("format"):
        kind += f" ({text_of(given['format'], LONGEST_NAME)})"
    if isinstance(given.get("enum"), list):
        kind += f": one of {text_of(given['enum'], LONGEST_NAME)}"
    return Parameter(
        name=text_of(given.get("name"), LONGEST_NAME),
        place=place,
        kind=kind,
        is_required=given.get("required") is True,
        text=text_of(given.get("description")),
        example=_schema(document, given.get("schema")) if place == "body" else "",
    )


def _answers(document: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[Answer]:
    listed = body.get("responses")
    for status, each in listed.items() if isinstance(listed, dict) else ():
        given = _resolved(document, each)
        yield Answer(
            status=text_of(status, LONGEST_NAME),
            text=text_of(given.get("description")),
            schema=_schema(document, given.get("schema")),
        )


def _schema(document: Mapping[str, Any], given: Any) -> str:
    if given is None:
        return ""
    shown = json.dumps(_resolved(document, given), indent=2, ensure_ascii=False)
    return shown if len(shown) <= LONGEST_TEXT else shown[: LONGEST_TEXT - 1] + "…"


def _resolved(document: Mapping[str, Any], given: Any) -> dict[str, Any]:
    try:
        value = references.resolved(document, given)
    except ApiRefused:  # it was checked when it came; whoever reads a page is told what there is
        value = given
    return value if isinstance(value, dict) else {}


def _consumes(document: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    for holder in (body, document):
        listed = holder.get("consumes")
        if isinstance(listed, list) and listed and isinstance(listed[0], str):
            return text_of(listed[0], LONGEST_NAME)
    return "application/json"
