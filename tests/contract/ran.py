"""Tells at the end of a run which suite ran against which adapter, and how often in vain.

The ids of the tests say it: an adapter is a parameter of its suite, `test_bus.py::test_it[memory]`.
A suite that nobody ran, or an adapter that was left out, is seen by its absence.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Final

ADAPTERS: Final = frozenset(
    {
        *("sqlite", "couchfake", "pouchdb", "couchdb"),
        *("memory", "kafka"),
        *("process", "copies", "docker"),
        *("python", "nodejs", "frames", "http"),
    }
)
_ID = re.compile(r"tests/contract/test_(?P<suite>\w+)\.py::[^\[]+\[(?P<parameters>.*)\]")


def lines(
    outcomes: Iterable[tuple[str, str]], adapters: Collection[str], width: int = 18
) -> list[str]:
    """Return a line for each suite and adapter.

    outcomes: id of a test, and what became of it: `passed`, `failed`, `skipped`, `error`.
    """
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for node_id, outcome in outcomes:
        if found := _ID.fullmatch(node_id):
            named = [each for each in found["parameters"].split("-") if each in adapters]
            if named:
                counts[found["suite"], " over ".join(named)][outcome] += 1
    return [
        f"{suite:{width}} {adapter:{width}} "
        + ", ".join(f"{count} {outcome}" for outcome, count in sorted(by_outcome.items()))
        for (suite, adapter), by_outcome in sorted(counts.items())
    ]
