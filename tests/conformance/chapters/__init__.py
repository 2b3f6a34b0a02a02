"""One module for each chapter of the contract; each holds its `ROWS`."""

from tests.conformance.chapters import (
    actions,
    activations,
    api_lines,
    apis,
    bindings,
    conductors,
    documents,
    endings,
    errors,
    feeds,
    invocation,
    kinds,
    limits,
    lines,
    lists,
    names,
    packages,
    rules,
    sequences,
    triggers,
)

CHAPTERS = (
    errors, names, documents, lists, actions, kinds, invocation, endings, sequences, conductors, packages,
    bindings, triggers, feeds, rules, activations, apis, api_lines,
    limits,
    lines,
)  # fmt: skip
ROWS = tuple(row for chapter in CHAPTERS for row in chapter.ROWS)
"""All rows, in the order of the contract."""
