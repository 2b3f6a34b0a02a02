"""Which operation of an API a request is. Pure.

Made once of each revision of an API, as a tree with one level for each segment. What is literal is
found by a look-up and tried first, then what has a parameter; no place of the tree is tried twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.gateway import document, paths
from controller.gateway.document import Operation
from controller.gateway.paths import Segment, Template
from controller.gateway.target import Target


@dataclass(frozen=True, slots=True)
class Leaf:
    """One path, and what its verbs lead to; None where that is no web action."""

    template: Template
    operations: Mapping[str, tuple[Operation, Target | None]]

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be asked of it, in the order in which it is told."""
        verbs = {verb.upper() for verb in self.operations}
        if "GET" in verbs:
            verbs.add("HEAD")
        return tuple(sorted(verbs))

    def operation(self, method: str) -> tuple[Operation, Target | None] | None:
        """Return what *method* is here; a `HEAD` is what a `GET` is, unless it has its own."""
        found = self.operations.get(method.lower())
        return self.operations.get("get") if found is None and method == "HEAD" else found


@dataclass(slots=True)
class _Place:
    """What may follow after some segments."""

    literals: dict[str, "_Place"] = field(default_factory=dict)
    opens: dict[Segment, "_Place"] = field(default_factory=dict)
    """By a segment without the name of its parameter, in their order."""
    leaf: Leaf | None = None


class Routes:
    """The paths of one API."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Read them from a document that was found to be valid."""
        self.has_cors = document.has_cors(given)
        operations: dict[str, dict[str, tuple[Operation, Target | None]]] = {}
        cases = document.Cases(given)
        for each in document.operations(given):
            target = document.target(cases, each)
            operations.setdefault(each.path, {})[each.verb] = (each, target)
        self._root = _Place()
        leaves = [Leaf(paths.template(path), verbs) for path, verbs in operations.items()]
        for leaf in sorted(leaves, key=_rank):
            self._add(leaf)

    def find(self, segments: Sequence[str]) -> Leaf | None:
        """Return the path that fits decoded *segments*, those of the base path left off."""
        return _found(self._root, segments, 0)

    def _add(self, leaf: Leaf) -> None:
        place = self._root
        for segment in leaf.template.shape:
            if segment.is_open:
                place = place.opens.setdefault(segment, _Place())
            else:
                place = place.literals.setdefault(segment.before, _Place())
        place.leaf = leaf


def _rank(leaf: Leaf) -> list[tuple[int, str, str]]:
    """Return what puts leaves in order: of segments that fit the same, the one that says more."""
    shape = leaf.template.shape
    return [(-len(each.before) - len(each.after), each.before, each.after) for each in shape]


def _found(place: _Place, segments: Sequence[str], at: int) -> Leaf | None:
    if at == len(segments):
        return place.leaf
    literal = place.literals.get(segments[at])
    found = None if literal is None else _found(literal, segments, at + 1)
    if found is not None:
        return found
    for segment, following in place.opens.items():
        if segment.value_in(segments[at]) is not None:
            found = _found(following, segments, at + 1)
            if found is not None:
                return found
    return None
