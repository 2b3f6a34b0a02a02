"""What a bulk became: read from the answer row by row, in the order of what was sent.

CouchDB takes a bulk apart: some rows may be stored and others not, and a bulk that was not answered
may be stored wholly, not at all, or half of it. Records never change, so a row that is there
already is as good as stored, whoever wrote it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from common.store.couch_faults import Ambiguous
from common.store.couch_records import Wire

_NEVER = frozenset({"forbidden", "doc_validation", "bad_request", "illegal_docid"})


class Sorted(NamedTuple):
    """The rows of a bulk, by what became of them."""

    stored: list[Wire]
    there: list[Wire]
    """Were stored before, by us or by somebody else."""
    never: list[Wire]
    """Will not be taken, however often they are sent."""
    again: list[Wire]
    """Were not taken this time."""
    why: str = ""
    """What the database says of the last of them, such as `insufficient_storage`."""


def sorted_rows(sent: Sequence[Wire], rows: Any) -> Sorted:
    """Return what became of each of *sent*. Raises `Ambiguous` for an answer that does not fit."""
    if not isinstance(rows, list) or len(rows) != len(sent):
        raise Ambiguous("The database did not answer for each record of a bulk.")
    found, why = Sorted([], [], [], []), ""
    for wire, row in zip(sent, rows, strict=True):
        error = row.get("error")
        if error is None:
            found.stored.append(wire)
        elif error == "conflict":
            found.there.append(wire)
        elif error in _NEVER:
            found.never.append(wire)
        else:
            found.again.append(wire)
            why = " ".join(str(row[each]) for each in ("error", "reason") if each in row)
    return found._replace(why=why)


def named(sent: Sequence[Wire], doc_id: str) -> int | None:
    """Return which of *sent* an error speaks of; None when its text names none of them."""
    return next((at for at, wire in enumerate(sent) if wire.doc_id == doc_id), None)
