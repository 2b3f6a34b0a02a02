"""Which operation of an API a request is. Pure.

Made once of each revision of an API. Paths without parameters are found by a look-up; the others
are tried in order, literal segments before parameters, among those of the same length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.gateway import document, paths
from controller.gateway.document import Operation
from controller.gateway.paths import Template
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
        self._fixed: dict[tuple[str, ...], Leaf] = {}
        self._open: dict[int, list[Leaf]] = {}
        for path, verbs in operations.items():
            self._add(Leaf(paths.template(path), verbs))
        for leaves in self._open.values():
            leaves.sort(key=lambda leaf: leaf.template.segments)

    def find(self, segments: Sequence[str]) -> Leaf | None:
        """Return the path that fits decoded *segments*, those of the base path left off."""
        fixed = self._fixed.get(tuple(segments))
        if fixed is not None:
            return fixed
        for leaf in self._open.get(len(segments), ()):
            if leaf.template.match(segments) is not None:
                return leaf
        return None

    def _add(self, leaf: Leaf) -> None:
        segments = leaf.template.segments
        if leaf.template.parameters:
            self._open.setdefault(len(segments), []).append(leaf)
        else:
            self._fixed[tuple(segment.before for segment in segments)] = leaf
