"""How the stores are laid out, as a number, and how an older layout becomes today's.

Two documents in `meta` say it, alike in every store and for ever. `schema`: the number, and which
program wrote it; stores without it are of before there was one, so their layout is 1. `restoring`:
somebody is filling these stores from a backup, so nobody may use them before it is gone.

A new layout is one more step at the end of a store's list, never a change of what is there: a fresh
store is begun as layout 1 and goes the same way. A step is done whenever the number is lower than
its own, which is written behind it. So a step is done again after a crash, and by two processes
that start at once; it has to be harmless then, also when the other is some steps ahead.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from common.ids import DocId
from common.log import logger
from common.store.port import (
    Conflict,
    Corrupted,
    Doc,
    DocStore,
    LayoutUnknown,
    Missing,
    RestoreUnfinished,
    StoreUnavailable,
)
from common.version import PROGRAM

SCHEMA: Final = DocId("schema")
RESTORING: Final = DocId("restoring")
FIRST: Final = 1
"""The layout of stores that say nothing of it."""
LAYOUT: Final = 1
"""Today's, in every kind of store: where one has nothing to change, its step does nothing."""

_log: Final = logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What makes the layout *version* of the one before.

    what: for the log, as in "an index of actions by kind".
    """

    version: int
    what: str
    apply: Callable[[], Awaitable[None]]


def newest(steps: Sequence[Step]) -> int:
    """Return the layout that *steps* lead to. They make 2, 3, … without a hole."""
    versions = [step.version for step in steps]
    if versions != list(range(FIRST + 1, FIRST + 1 + len(steps))):
        raise ValueError(f"the steps are not in order: {versions}")
    return FIRST + len(steps)


def version_of(schema: Mapping[str, Any] | None, known: int) -> int:
    """Return the layout that the body of `schema` names; None is that of stores without one.

    known: the newest layout that this program knows.
    Raises `LayoutUnknown`, which says who wrote it and what to do; `Corrupted`.
    """
    if schema is None:
        return FIRST
    version, writer = schema.get("version"), schema.get("written_by")
    if not isinstance(version, int) or isinstance(version, bool) or version < FIRST:
        raise Corrupted(f"The document {SCHEMA} of meta names no layout: {version!r}.")
    if version > known:
        raise LayoutUnknown(
            f"These stores have the layout {version}, written by {writer}; this is {PROGRAM}, "
            f"which knows layouts up to {known}. Nothing was touched. Start {writer} or newer, or "
            "restore a backup of before into empty stores."
        )
    return version


def require_usable(schema: Mapping[str, Any] | None, restoring: Mapping[str, Any] | None) -> None:
    """Return if a process may use stores that say this of themselves.

    Raises `LayoutUnknown`, `RestoreUnfinished`, `Corrupted`.
    """
    version_of(schema, LAYOUT)
    if restoring is not None:
        raise RestoreUnfinished(
            f"The restore of {restoring.get('file', 'a backup')} into these stores has not ended. "
            "Wait for it; if it was broken off, do it again: brisk admin db restore FILE."
        )


def require_brought_up(schema: Mapping[str, Any] | None) -> None:
    """Return if stores that say this of themselves have today's layout; others bring them to it.

    Raises `StoreUnavailable` for as long as they have not, `LayoutUnknown`, `Corrupted`.
    """
    if schema is None or version_of(schema, LAYOUT) < LAYOUT:
        raise StoreUnavailable(
            "The databases of this version are not there yet. A controller makes them when it "
            "starts; it has to be a server admin of the database."
        )


async def said(meta: DocStore, doc_id: DocId) -> dict[str, Any] | None:
    """Return the body of a document of *meta*; None if there is none. Raises as `get` does."""
    doc = await _find(meta, doc_id)
    return None if doc is None else doc.body


async def bring_up(meta: DocStore, steps: Sequence[Step]) -> None:
    """Do the steps that these stores have not seen, and write down each one behind it.

    Raises `LayoutUnknown`, `Corrupted`, `StoreUnavailable`, and what a step raises; then it can be
    called again.
    """
    known = newest(steps)
    while True:
        written = await _find(meta, SCHEMA)
        version = version_of(written.body if written else None, known)
        if version < known:
            step = steps[version - FIRST]
            _log.warning("stores_migrate", to=step.version, what=step.what)
            await step.apply()
            version = step.version
        elif written is not None:
            return
        body = {"version": version, "written_by": PROGRAM}
        try:
            if written is None:
                await meta.create(SCHEMA, body)
            else:
                await meta.replace(SCHEMA, written.rev, body)
        except (Conflict, Missing):
            continue  # Another process has done the step as well: see how far it is.


async def _find(meta: DocStore, doc_id: DocId) -> Doc | None:
    try:
        return await meta.get(doc_id)
    except Missing:
        return None
