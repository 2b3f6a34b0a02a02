"""A record as CouchDB keeps it, and back, letter for letter.

CouchDB reads JSON and writes it anew: spaces go, numbers change their look, a doubled key is lost.
So the result, which is the user's text, is kept as a string. Everything else is the document that
the spool has, with the path of the action as a field of its own for the index.

A record that is too large for a bulk is kept as an attachment of a document of its own, under its
digest, written first; the record itself keeps what lists and bills need, and says where the rest
is. So nothing refers to what is not there, and the sums do not depend on how long a log was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, Final

from common import codec
from common.ids import DocId, Namespace
from common.store.ledger import HourUsage
from common.store.port import Corrupted
from common.store.rollups import HOURS, Owned, Rollup
from common.store.shard import EPOCH, HOUR_MS, Shard, day_text
from common.store.waiting import Pending

ATTACHMENT: Final = "document"
APART: Final = "~apart"
_RESPONSE: Final = b',"response":{'
_RESULT: Final = b'"result":'
_END: Final = b"}}"


@dataclass(slots=True, eq=False)
class Wire:
    """What is sent for one record."""

    entry: Pending
    body: bytes
    apart: bytes | None = None
    """What goes into an attachment before; None for a usual record."""
    is_tried: bool = False
    """Whether it was sent, so that the database may have it."""

    @property
    def doc_id(self) -> DocId:
        """The id of the record's document."""
        return doc_id_of(self.entry)


def doc_id_of(entry: Pending) -> DocId:
    """Return under which id a record is kept."""
    return DocId(f"{entry.record.namespace}/{entry.record.activation_id}")


def apart_id(sha256_hex: str) -> str:
    """Return the id of the document that has what is kept apart. No namespace begins so."""
    return f"{APART}/{sha256_hex}"


def to_wire(entry: Pending, largest_bytes: int) -> Wire:
    """Return what to send for *entry*; what is larger than *largest_bytes* goes apart."""
    before, _, tail = entry.document.partition(_RESPONSE)
    status, _, result = tail.partition(_RESULT)
    path = codec.encode(entry.record.listed_as)
    if len(entry.document) <= largest_bytes:
        text = codec.encode(result[: -len(_END)].decode())
        body = b"".join(
            (before, b',"path":', path, _RESPONSE, status, b'"resultText":', text, _END)
        )
        return Wire(entry, body)
    head = codec.decode(before + b"}") | {"logs": [], "path": entry.record.listed_as}
    head["apart"] = sha256(entry.document).hexdigest()
    return Wire(entry, codec.encode(head), entry.document)


def apart_of(body: Mapping[str, Any]) -> str | None:
    """Return the digest of what is kept apart; None when everything is in *body*."""
    return body.get("apart")


def from_wire(body: Mapping[str, Any]) -> bytes:
    """Return the document that `to_wire` was given, of a record that has nothing apart.

    Raises `Corrupted`.
    """
    try:
        response = dict(body["response"])
        result: str = response.pop("resultText")
        head = {k: v for k, v in body.items() if k not in ("_rev", "path", "response")}
        fields = codec.encode(response)[1:-1] + b"," if response else b""
        return b"".join(
            (codec.encode(head)[:-1], _RESPONSE, fields, _RESULT, result.encode(), _END)
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupted(f"The record {body.get('_id')} cannot be read: {error!r}") from error


def usage_of(body: Mapping[str, Any]) -> HourUsage:
    """Return what a stored record adds to the bill. Raises `Corrupted`."""
    try:
        billed_ms, memory_mb = body["brisk"]["billed_ms"], body["brisk"]["memory_mb"]
        return HourUsage(
            body["path"], body["start"] // HOUR_MS, 1, billed_ms, billed_ms * memory_mb
        )
    except (KeyError, TypeError) as error:
        raise Corrupted(f"The record {body.get('_id')} cannot be read: {error!r}") from error


def usage_row(row: Mapping[str, Any]) -> Owned:
    """Return a row of the view as a row of the bill, and whose it is. Raises `Corrupted`."""
    try:
        owner, hour, path = row["key"]
        activations, billed_ms, mb_ms = map(int, row["value"])
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupted(f"The view of usage has an odd row: {error!r}") from error
    return Namespace(owner), HourUsage(path, hour, activations, billed_ms, mb_ms)


def sums_body(rollup: Rollup, shard: Shard, run: int) -> dict[str, Any]:
    """Return the document of the sums that *run* has found in a place, without its id."""
    return {
        "namespace": rollup.namespace,
        "day": day_text(rollup.day),
        "path": rollup.path,
        "shard": shard.text,
        "run": run,
        "late": shard.is_late or run > 0,
        "activations": list(rollup.activations),
        "billed_ms": list(rollup.billed_ms),
        "mb_ms": list(rollup.mb_ms),
    }


def rollup_of(body: Mapping[str, Any]) -> Rollup:
    """Return the sums of such a document. Raises `Corrupted`."""
    try:
        day = date.fromisoformat(body["day"]).toordinal() - EPOCH
        slots = [tuple(map(int, body[name])) for name in ("activations", "billed_ms", "mb_ms")]
        if any(len(each) != HOURS for each in slots):
            raise ValueError("not 24 hours")
        return Rollup(Namespace(body["namespace"]), day, body["path"], *slots)
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupted(f"The sums {body.get('_id')} cannot be read: {error!r}") from error
