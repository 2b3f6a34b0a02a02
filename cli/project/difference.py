"""Which fields of a thing are not as they are wanted. Pure.

- What the manifest does not say of limits and versions is left as it is.
- An action is shown with the parameters of its package, so it is compared with those below its own.
- The key `provide-api-key` is false where nobody said otherwise.
- What an API is called is decided by who made the first of its operations.
- Which version of a manifest wrote something, and from where, is no difference.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from cli.jsontext import Json
from cli.project.apis import is_within
from cli.project.entity import MANAGED, Entity, Fields, Kind

API_KEY: Final = "provide-api-key"
_ABSENT: Final = object()
_TABLES: Final = frozenset({"parameters", "annotations"})
_UNSHOWN: Final = frozenset({"binary", "title"})


def differences(wanted: Entity, present: Entity, beneath: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the fields of *present* that are not as *wanted*, as `code` or `parameters.name`.

    beneath: the parameters that *present* is shown with and that are not its own.
    """
    if wanted.kind is not present.kind:
        return ("kind",)
    if "document" in wanted.fields:
        given, there = wanted.fields["document"], present.fields.get("document")
        return () if is_within(given, there) else ("document",)
    found: list[str] = []
    for field, value in comparable(wanted, beneath).items():
        there = comparable(present, {}).get(field)
        if field in _TABLES:
            found += _in_tables(field, value, there or {})
        elif field == "limits":
            found += (f"limits.{key}" for key in value if (there or {}).get(key) != value[key])
        elif not is_same(value, there) and not (field == "kind" and _is_default_of(value, there)):
            found.append(field)
    if wanted.kind is Kind.ACTION:
        found += (key for key in ("main", "image") if _dropped(key, wanted, present))
    if wanted.kind is Kind.TRIGGER and "feed" in present.fields and "feed" not in wanted.fields:
        found.append("feed")
    return tuple(found)


def comparable(entity: Entity, beneath: Mapping[str, Json]) -> dict[str, Json]:
    """Return the fields of *entity* that count, each in one form only."""
    fields = {key: value for key, value in entity.fields.items() if key not in _UNSHOWN}
    annotations = dict(entity.table("annotations"))
    if entity.kind.collection == "actions":
        annotations = {API_KEY: False, **annotations}
    if managed := annotations.get(MANAGED):
        annotations[MANAGED] = managed.get("projectName") if isinstance(managed, dict) else managed
    fields["annotations"] = annotations
    if "parameters" in fields:
        fields["parameters"] = {**beneath, **entity.table("parameters")}
    if entity.kind is Kind.SEQUENCE:
        fields.pop("parameters", None)  # The platform shows the components there.
    if "feed" in fields:
        # What a feed was given, the trigger does not hold; it holds the digest.
        fields.pop("parameters", None)
    return fields


def is_ambiguous(present: Entity, key: str, package: Fields) -> bool:
    """Tell whether *present* may have *key* from its package, or of its own with the same value."""
    inherited = (package.get("parameters") or {}).get(key, _ABSENT)
    shown = present.table("parameters").get(key, _ABSENT)
    return inherited is not _ABSENT and is_same(shown, inherited)


def changed_keys(wanted: Entity, present: Entity) -> set[str]:
    """Return the parameters of a package that do not stay what they are."""
    ours, theirs = wanted.table("parameters"), present.table("parameters")
    every = ours.keys() | theirs.keys()
    return {key for key in every if not is_same(ours.get(key, _ABSENT), theirs.get(key, _ABSENT))}


def is_same(one: Json, other: Json) -> bool:
    """Tell whether two values are the same JSON: 1 and 1.0 are, 1 and true are not."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(is_same, one, other))
        case _:
            return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _in_tables(
    field: str, wanted: Mapping[str, Json], present: Mapping[str, Json]
) -> Iterator[str]:
    for key in sorted(wanted.keys() | present.keys()):
        if not is_same(wanted.get(key, _ABSENT), present.get(key, _ABSENT)):
            yield f"{field}.{key}"


def _is_default_of(wanted: str, present: Json) -> bool:
    """Tell whether `language:default`, which only the platform can resolve, may be *present*."""
    language, _, version = wanted.partition(":")
    return version == "default" and str(present).partition(":")[0] == language


def _dropped(key: str, wanted: Entity, present: Entity) -> bool:
    """Tell whether *present* has a field that the manifest does not name any more."""
    return bool(present.fields.get(key)) and not wanted.fields.get(key)
