"""How documents of the API are laid out: which keys come first, which are left out when empty.

OpenWhisk's command line decodes into fixed structures: their order is the order of keys in print,
and what a field filter can name. Ours prints keys it does not know after those, sorted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cli.jsontext import Json, sorted_keys


@dataclass(frozen=True, slots=True)
class Shape:
    """The known keys of a document, in order, each with what it is when it is absent.

    omitted: keys that are not printed when they are empty or absent.
    parts: shapes of the values of keys; a list's shape is that of each element.
    """

    fields: Mapping[str, Json]
    omitted: frozenset[str] = frozenset()
    parts: Mapping[str, "Shape"] = field(default_factory=dict)

    def laid_out(self, document: Mapping[str, Json]) -> dict[str, Json]:
        """Return *document* as it is printed."""
        known = [key for key in self.fields if key in document]
        unknown = sorted(document.keys() - self.fields.keys())
        return {
            key: self._part(key, document[key])
            for key in known + unknown
            if key not in self.omitted or document[key] not in (None, "", [], {})
        }

    def field_named(self, typed: str) -> str | None:
        """Return the key that the filter *typed* means, whatever its case; None for no key."""
        return next((key for key in self.fields if key.lower() == typed.lower()), None)

    def value_of(self, typed: str, document: Mapping[str, Json]) -> Json:
        """Return what the filter *typed* finds in *document*, or what one without it means.

        Raises `KeyError` when there is no such key.
        """
        key = self.field_named(typed)
        if key is None:
            raise KeyError(typed)
        value = document.get(key)
        return self.fields[key] if value is None else self._part(key, value)

    def _part(self, key: str, value: Json) -> Json:
        shape = self.parts.get(key)
        if shape is None:
            return sorted_keys(value)
        if isinstance(value, list):
            return [shape.laid_out(item) if isinstance(item, dict) else item for item in value]
        return shape.laid_out(value) if isinstance(value, dict) else value


FEED: Final = "feed"
"""The annotation of a trigger that names its feed."""

_KEY_VALUE: Final = Shape({"key": "", "value": None, "init": False})

ACTION: Final = Shape(
    {
        "namespace": "",
        "name": "",
        "version": "",
        "exec": {},
        "annotations": [],
        "delAnnotations": None,
        "parameters": [],
        "limits": {},
        "error": "",
        "code": 0,
        "publish": False,
        "updated": 0,
        "env": [],
    },
    omitted=frozenset({"annotations", "delAnnotations", "parameters", "error", "code", "env"}),
    parts={
        "exec": Shape(
            dict.fromkeys(("kind", "code", "image", "init", "main", "components", "binary")),
            omitted=frozenset({"code", "image", "init", "main", "components"}),
        ),
        "annotations": _KEY_VALUE,
        "parameters": _KEY_VALUE,
        "limits": Shape(dict.fromkeys(("timeout", "memory", "logs", "concurrency"))),
    },
)

TRIGGER: Final = Shape(
    {
        "namespace": "",
        "name": "",
        "version": "",
        "activationId": "",
        "annotations": [],
        "parameters": [],
        "limits": {},
        "publish": False,
        "rules": None,
        "updated": 0,
    },
    omitted=frozenset({"activationId", "annotations", "parameters", "rules"}),
    parts={"annotations": _KEY_VALUE, "parameters": _KEY_VALUE},
)

RULE: Final = Shape(
    {
        "namespace": "",
        "name": "",
        "version": "",
        "annotations": [],
        "status": "",
        "trigger": {},
        "action": {},
        "publish": False,
        "updated": 0,
    },
    omitted=frozenset({"annotations"}),
    parts={"annotations": _KEY_VALUE},
)

_MEMBER: Final = Shape(
    {"name": "", "version": "", "annotations": [], "parameters": []},
    parts={"annotations": _KEY_VALUE, "parameters": _KEY_VALUE},
)

PACKAGE: Final = Shape(
    {
        "namespace": "",
        "name": "",
        "version": "",
        "publish": False,
        "annotations": [],
        "parameters": [],
        "binding": {},
        "actions": [],
        "feeds": [],
        "updated": 0,
    },
    omitted=frozenset({"annotations", "parameters", "actions", "feeds"}),
    parts={
        "annotations": _KEY_VALUE,
        "parameters": _KEY_VALUE,
        "binding": Shape({"namespace": "", "name": ""}),
        "actions": _MEMBER,
        "feeds": _MEMBER,
    },
)

ACTIVATION: Final = Shape(
    {
        "namespace": "",
        "name": "",
        "version": "",
        "subject": "",
        "activationId": "",
        "cause": "",
        "start": 0,
        "end": 0,
        "duration": 0,
        "statusCode": 0,
        "response": {},
        "logs": [],
        "annotations": [],
        "publish": False,
    },
    omitted=frozenset({"cause"}),
    parts={
        "response": Shape(dict.fromkeys(("status", "statusCode", "success", "result"))),
        "annotations": _KEY_VALUE,
    },
)

STATUS_CODES: Final = {
    "application error": 1,
    "action developer error": 2,
    "whisk internal error": 3,
}


def with_status_code(activation: Mapping[str, Json]) -> dict[str, Json]:
    """Return *activation* with the `statusCode` that its response's words mean, at the top."""
    response = activation.get("response") or {}
    code = STATUS_CODES.get(str(response.get("status")), 0)
    return {**activation, "statusCode": code, "response": {"statusCode": 0, **response}}


def annotation(document: Mapping[str, Json], key: str) -> Json:
    """Return the value of the annotation *key*; None when there is none."""
    pairs = document.get("annotations") or []
    return next((pair.get("value") for pair in pairs if pair.get("key") == key), None)
