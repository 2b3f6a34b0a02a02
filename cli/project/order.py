"""Sequences after what they are made of; and those that would be made of themselves. Pure."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from cli.failures import Remedy
from cli.project.entity import Entity
from cli.project.section import Place


def in_order(sequences: Sequence[Entity]) -> list[Entity]:
    """Return *sequences* so that each comes after its parts. Raises `Failure` for a circle."""
    named: Mapping[str, Entity] = {f"/_/{one.name}": one for one in sequences}
    parts = {
        name: [part for part in one.fields["components"] if part in named]
        for name, one in named.items()
    }
    try:
        return [named[name] for name in TopologicalSorter(parts).static_order()]
    except CycleError as error:
        circle = [name.removeprefix("/_/") for name in reversed(error.args[1])]
        place = named[f"/_/{circle[0]}"].place or Place("the manifest", 1)
        failure = place.refuse(f"a sequence runs itself: {' → '.join(circle)}")
        failure.remedy = Remedy("it would never end", f"take one part out of {place}")
        raise failure from error
