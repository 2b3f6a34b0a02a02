"""What has to be done: from what is wanted and what is there to a list of changes. Pure.

Changes come in an order in which each can be made: packages before actions, actions before the
sequences of them, triggers before rules; and what goes, in the opposite order, after what comes.
Where nothing differs there is no change: a second deployment writes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cli.jsontext import Json
from cli.project.difference import changed_keys, differences, is_ambiguous
from cli.project.entity import MANAGED, Entity, Key, Kind

PARAMETERS: Final = "parameters"


class Verb(StrEnum):
    """What is done to a thing."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"

    @property
    def done(self) -> str:
        """The verb when it is behind us."""
        return f"{self.value}d"


@dataclass(frozen=True, slots=True)
class Change:
    """One step.

    fields: those that differ, of an update.
    """

    verb: Verb
    wanted: Entity | None = None
    present: Entity | None = None
    fields: tuple[str, ...] = ()

    @property
    def entity(self) -> Entity:
        """What it is about."""
        found = self.wanted or self.present
        assert found, "a change is about something"
        return found

    def __str__(self) -> str:
        return f"{self.verb} {self.entity}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes, in order, and what stays although it was to go: with the reason."""

    changes: tuple[Change, ...]
    kept: Mapping[str, str] = field(default_factory=dict)


Present = Mapping[Key, Entity]


def deployment(
    wanted: Sequence[Entity],
    present: Present,
    leftovers: Iterable[Entity] = (),
    foreign: Mapping[str, Sequence[str]] | None = None,
) -> Plan:
    """Return how *present* becomes *wanted*.

    wanted: in the order of making.
    leftovers: of the same project, and wanted no more.
    foreign: as of `removal`.
    """
    changes: list[Change] = []
    touched: dict[str, set[str]] = {}
    for one in wanted:
        there = present.get(one.key)
        if there is None:
            changes.append(Change(Verb.CREATE, one))
        elif {one.kind, there.kind} == {Kind.PACKAGE, Kind.BINDING}:
            # One does not become the other.
            changes += [Change(Verb.DELETE, None, there), Change(Verb.CREATE, one)]
        else:
            kept = _with_mark(one, there)
            fields = _differing(kept, there, present, touched)
            if fields:
                changes.append(Change(Verb.UPDATE, kept, there, fields))
            if one.kind is Kind.PACKAGE:
                touched[one.name] = changed_keys(one, there)
    gone = removal(leftovers, {one.key for one in wanted}, foreign)
    names = {one.name for one in wanted}
    # All kinds share their names: what is in the way goes first.
    first = [each for each in gone.changes if each.entity.name in names]
    last = [each for each in gone.changes if each.entity.name not in names]
    return Plan((*first, *changes, *last), gone.kept)


def removal(
    present: Iterable[Entity],
    wanted: Iterable[Key] = (),
    foreign: Mapping[str, Sequence[str]] | None = None,
) -> Plan:
    """Return how *present* goes.

    wanted: what stays all the same.
    foreign: by the name of a package, the actions in it that do not go: it stays for them.
    """
    staying = set(wanted)
    going = [one for one in present if one.key not in staying]
    kept: dict[str, str] = {}
    for one in going:
        others = (foreign or {}).get(one.name) if one.kind is Kind.PACKAGE else None
        if others:
            kept[str(one)] = f"it holds {', '.join(others)}"
    ordered = sorted(going, key=lambda one: -one.kind.rank)
    return Plan(
        tuple(Change(Verb.DELETE, None, one) for one in ordered if str(one) not in kept), kept
    )


def _differing(
    wanted: Entity, present: Entity, all_present: Present, touched: Mapping[str, set[str]]
) -> tuple[str, ...]:
    if wanted.kind is Kind.BINDING:
        return differences(wanted, present, present.table("inherited"))
    package = all_present.get(("packages", wanted.package or ""))
    if wanted.package is None or package is None:
        return differences(wanted, present, {})
    beneath: dict[str, Json] = package.table(PARAMETERS)
    found = differences(wanted, present, beneath)
    if wanted.kind is not Kind.ACTION:
        return found
    # Its package is about to change under it: what looked the same may not be its own.
    unsure = touched.get(wanted.package, set())
    more = (
        f"{PARAMETERS}.{key}"
        for key in sorted(unsure)
        if is_ambiguous(present, key, package.fields) and f"{PARAMETERS}.{key}" not in found
    )
    return (*found, *more)


def _with_mark(wanted: Entity, present: Entity) -> Entity:
    """Return *wanted* with the mark of the project that *present* belongs to, if it has none.

    A deployment that is not managed takes nothing away from the project that owns a thing.
    """
    mark = present.table("annotations").get(MANAGED)
    if mark is None or MANAGED in wanted.table("annotations") or wanted.kind is Kind.API:
        return wanted
    annotations = {**wanted.table("annotations"), MANAGED: mark}
    return Entity(
        wanted.kind, wanted.name, {**wanted.fields, "annotations": annotations}, wanted.place
    )


def in_words(plan: Plan) -> Iterator[str]:
    """Yield a line for each change, as people read it."""
    signs = {Verb.CREATE: "+", Verb.UPDATE: "~", Verb.DELETE: "-"}
    for change in plan.changes:
        fields = f": {', '.join(change.fields)}" if change.fields else ""
        yield f"{signs[change.verb]} {change}{fields}"
    for name, why in plan.kept.items():
        yield f"= keep {name}: {why}"
