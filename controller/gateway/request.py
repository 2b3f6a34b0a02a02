"""What a request to manage APIs asks for, and the words in which a wrong one is refused. Pure.

The words are those of OpenWhisk's actions of `/whisk.system/apimgmt` (`core/routemgmt`), which
command lines show as they are.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from common.entity.names import QualifiedName, is_legal
from common.errors import ApiRefused
from common.ids import Namespace
from controller.gateway import target
from controller.gateway.document import VERBS, Document, Endpoint

CREATION: Final = "API creation failure: "
DELETION: Final = "API deletion failure: "
RESPONSE_TYPE: Final = "json"
OWN: Final = "_"
Item = TypeVar("Item")
_LONGEST_NUMBER: Final = 10
_NAMESPACE_IN_URL: Final = re.compile(r"(/api/v\d+/web/)[^/]+/")


@dataclass(frozen=True, slots=True)
class Removal:
    """What is to be deleted: an API, a path of it, or one verb of a path."""

    base_path: str
    """Or a title."""
    path: str | None
    verb: str | None


def creation(message: Mapping[str, Any], user: Namespace | None) -> Endpoint | Document:
    """Return the endpoint, or the whole document, that *message* brings. Raises `ApiRefused`.

    user: the namespace of the caller; None is nobody.
    """
    if user is None:
        raise ApiRefused("A valid auth key is required.")
    given = message.get("apidoc")
    if not _is_given(given):
        raise ApiRefused("apidoc is required.")
    asked = _object(
        given, "apidoc", "field is of type {} and should be a JSON object or a JSON string."
    )
    if not _is_given(asked.get("namespace")):
        raise ApiRefused("apidoc is missing the namespace field")
    if _is_given(asked.get("swagger")):
        return _whole(asked)
    for name in ("gatewayBasePath", "gatewayPath", "gatewayMethod"):
        _require(asked, name, "apidoc is missing the {} field")
    _require(asked, "action", "apidoc is missing the {} field.")
    action = _object(asked["action"], "action", "field is of type {} and should be a JSON object.")
    for name in ("backendMethod", "backendUrl", "namespace", "name", "authkey"):
        _require(action, name, "action is missing the {} field.")
    response_type = message.get("responsetype") or RESPONSE_TYPE
    return _endpoint(asked, action, user, str(response_type))


def wanted(message: Mapping[str, Any], user: Namespace | None) -> str:
    """Return which API *message* asks for, by base path or title; empty is all of them.

    Raises `ApiRefused`.
    """
    if user is None:
        raise ApiRefused("Invalid authentication.")
    form = message.get("outputFormat")
    if _is_given(form) and str(form).lower() not in ("apigw", "swagger"):
        raise ApiRefused("Invalid outputFormat value. Valid values are: apigw, swagger")
    return _text(message, "basepath")


def page(found: Sequence[Item], message: Mapping[str, Any]) -> Sequence[Item]:
    """Return those of *found* that `skip` and `limit` leave; what is no number leaves all."""
    skip, limit = _number(message, "skip"), _number(message, "limit")
    return found[skip : skip + limit] if limit else found[skip:]


def removal(message: Mapping[str, Any], user: Namespace | None) -> Removal:
    """Return what *message* wants deleted. Raises `ApiRefused`."""
    if user is None:
        raise ApiRefused("__ow_user is required.")
    base_path = _text(message, "basepath")
    if not base_path:
        raise ApiRefused("basepath is required.")
    path, verb = _text(message, "relpath"), _text(message, "operation").lower()
    if verb and not path:
        raise ApiRefused("When specifying an operation, the path is required.")
    return Removal(base_path, path or None, verb or None)


def missing(base_path: str) -> ApiRefused:
    """Return what to say of an API that is to be deleted and is not there."""
    return ApiRefused(f"API '{base_path}' does not exist.")


def _whole(asked: Mapping[str, Any]) -> Document:
    if _is_given(asked.get("gatewayBasePath")):
        raise ApiRefused(
            "swagger and gatewayBasePath are mutually exclusive and cannot be specified together."
        )
    document = _object(
        asked["swagger"], "swagger", "field is {} and should be an object or a JSON string."
    )
    needed = ("paths", "info") if "openapi" in document else ("basePath", "paths", "info")
    for name in needed:
        if not _is_given(document.get(name)):
            raise ApiRefused(f"swagger is missing the {name} field.")
    return document


def _endpoint(
    asked: Mapping[str, Any], action: Mapping[str, Any], user: Namespace, response_type: str
) -> Endpoint:
    verb = str(asked["gatewayMethod"]).lower()
    if verb not in VERBS:
        raise ApiRefused(unknown_verb(verb))
    given_namespace, url = str(action["namespace"]), str(action["backendUrl"])
    if given_namespace in (OWN, asked["namespace"]):
        given_namespace = user
        url = _NAMESPACE_IN_URL.sub(lambda found: f"{found[1]}{user}/", url, count=1)
    name = _action(given_namespace, str(action["name"]))
    parameters = asked.get("pathParameters") or []
    if not isinstance(parameters, list):
        raise ApiRefused("The pathParameters are to be a list.")
    return Endpoint(
        base_path=str(asked["gatewayBasePath"]),
        path=str(asked["gatewayPath"]),
        verb=verb,
        action=name,
        address=target.address_of(target.host_of(url), name, response_type),
        title=str(asked.get("apiName") or ""),
        parameters=parameters,
        secret=action.get("secureKey"),
    )


def unknown_verb(verb: str) -> str:
    """Return what to say of a method that an API cannot have."""
    return f"'{verb[:40]}' is not a valid API verb. Valid values are: {', '.join(VERBS)}"


def _action(namespace: str, given: str) -> QualifiedName:
    """Return the action that *given* names, `name`, `package/name` or `/ns/package/name`."""
    *path, name = given.removeprefix("/").split("/")
    if given.startswith("/") and path:
        namespace, *path = path
    package = path[0] if path else None
    if len(path) > 1 or not all(map(is_legal, (namespace, package or name, name))):
        raise ApiRefused(f"'{given[:200]}' is not a valid action name.")
    return QualifiedName(Namespace(namespace), package, name)


def _object(given: Any, name: str, otherwise: str) -> dict[str, Any]:
    """Return *given*, an object or the text of one; a key may be in it once."""
    value = given
    if isinstance(given, str):
        try:
            value = json.loads(given, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise ApiRefused(f"{name} field cannot be parsed. Ensure it is valid JSON.") from error
    if not isinstance(value, dict):
        raise ApiRefused(f"{name} {otherwise.format(_type(value))}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    counted = Counter(name for name, _ in pairs)
    [(twice, _)] = counted.most_common(1)
    raise ApiRefused(
        f"The field '{twice[:80]}' is there twice in one object: only one can be meant."
    )


def _require(found: Mapping[str, Any], name: str, otherwise: str) -> None:
    if not _is_given(found.get(name)):
        raise ApiRefused(otherwise.format(name))


def _is_given(value: Any) -> bool:
    """Tell what counts as something in JavaScript, in which the words were made: also `{}`."""
    return not (value is None or value is False or value == "" or value == 0)


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""


def _number(message: Mapping[str, Any], name: str) -> int:
    text = str(message.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER else 0


def _type(value: Any) -> str:
    return {bool: "boolean", int: "number", float: "number", str: "string"}.get(
        type(value), "object"
    )
