"""The lines of a backup: what each of them says, and the sums by which a whole one is known.

A backup is a file of JSON lines, compressed by gzip; `zcat FILE | head -1` shows what it is.

    {"brisk_backup": 1, "layout": 1, "written_by": …, "store": …, "taken_ms": …, "secret_mark": …}
    {"document": [database, id, body]}      subjects first, then entities
    {"code": base64}                        under its digest
    {"record": [place, document]}           the document as text, for it is kept letter for letter
    {"place": [place, state, sums]}         of a closed place: what it is billed for
    {"secret": text, "guest_key": text}     only if it was asked for
    {"end": {"lines": …, "sha256": …, "counts": …, "digests": …, "usage": …}}

`sha256` is that of all lines before the end. The digests of a section do not depend on the order of
its lines, so they are those of any store that holds the same. Nothing here does I/O.
"""

import json
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeAlias

from common import codec
from common.entity import activation_document
from common.entity.activation import ActivationRecord
from common.errors import BriskError
from common.ids import DocId, Namespace
from common.store.contents import DATABASES, Database
from common.store.rollups import Rollup, Sums, sums
from common.store.shard import Shard, State, shard_of

FORMAT: Final = 1
SECTIONS: Final = (*DATABASES, "code", "records", "closed")
_MODULUS: Final = 1 << 256


class BackupUnreadable(BriskError):
    """This file is no backup, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a backup is of.

    secret_mark: by which the secret is known that the keys are encrypted under; None: not known.
    """

    store: str
    written_by: str
    layout: int
    taken_ms: int
    secret_mark: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a database."""

    database: Database
    id: DocId
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Code:
    """Code, which is kept under its digest."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One record: where it is kept, and its document, which can be decoded."""

    shard: Shard
    document: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """A place that is billed by its sums; they stand behind its records, if it has them still."""

    shard: Shard
    state: State
    rollups: tuple[Rollup, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """What keys are encrypted under, and the key of the guest of an embedded platform, if any."""

    secret: str
    guest_key: str = ""


Item: TypeAlias = Document | Code | Record | Closed | Secret


class Tally:
    """Counts, digests and bills of what was added: of a backup's lines, or of what stores hold."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(SECTIONS, 0)
        self._digests = dict.fromkeys(SECTIONS, 0)
        self.usage: defaultdict[Namespace, Sums] = defaultdict(Sums)

    def __repr__(self) -> str:
        return f"<Tally {self.counts}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def add(self, item: Document | Code) -> None:
        """Count a document, or code."""
        if isinstance(item, Code):
            self._count("code", item.data)
        else:
            self._count(item.database, _canonical([item.id, item.body]))

    def add_record(self, shard: Shard, document: bytes) -> ActivationRecord:
        """Count a record, and what it is billed for; return it. Raises `MalformedRecord`."""
        record = activation_document.decode(document)
        # Encoded anew: stores keep the same record in different words.
        self._count("records", f"{shard.text} ".encode() + activation_document.encode(record))
        self._bill(record.namespace, sums_of(record))
        return record

    def add_closed(self, item: Closed) -> None:
        """Count a closed place; it is on the bill if its records are gone, else they are."""
        self._count("closed", _canonical(_closed_json(item)))
        if not item.state.has_records:
            for each in item.rollups:
                self._bill(each.namespace, sums([each]))

    def to_json(self) -> dict[str, Any]:
        """Return what the end of a backup says of it."""
        return {
            "counts": dict(self.counts),
            "digests": {name: f"{value:064x}" for name, value in self._digests.items()},
            "usage": {name: list(amount) for name, amount in sorted(self.usage.items())},
        }

    def _bill(self, namespace: Namespace, more: Sums) -> None:
        self.usage[namespace] = self.usage[namespace].plus(more)

    def _count(self, section: str, data: bytes) -> None:
        self.counts[section] += 1
        added = self._digests[section] + int.from_bytes(sha256(data).digest())
        self._digests[section] = added % _MODULUS


def sums_of(record: ActivationRecord) -> Sums:
    """Return what one record is billed for."""
    return Sums(1, record.billed_ms, record.billed_ms * record.memory_mb)


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return in words where two tallies, as JSON, are not the same."""
    said = [
        f"{found['counts'][name]} {name} instead of {number}"
        for name, number in wanted["counts"].items()
        if found["counts"][name] != number
    ]
    said += [
        f"{name} that are not the same"
        for name, digest in wanted["digests"].items()
        if found["digests"][name] != digest and found["counts"][name] == wanted["counts"][name]
    ]
    names = sorted({*wanted["usage"], *found["usage"]})
    said += [
        f"another bill of {name}"
        for name in names
        if wanted["usage"].get(name) != found["usage"].get(name)
    ]
    return said


def head_line(head: Head) -> bytes:
    """Return the first line."""
    return _line(
        {
            "brisk_backup": FORMAT,
            "layout": head.layout,
            "written_by": head.written_by,
            "store": head.store,
            "taken_ms": head.taken_ms,
            "secret_mark": head.secret_mark,
        }
    )


def line_of(item: Item) -> bytes:
    """Return the line of an item."""
    match item:
        case Document(database, doc_id, body):
            return _line({"document": [database, doc_id, body]})
        case Code(data):
            return _line({"code": b64encode(data).decode()})
        case Record(shard, document):
            return _line({"record": [shard.text, document.decode()]})
        case Closed():
            return _line({"place": _closed_json(item)})
        case Secret(secret, guest_key):
            return _line({"secret": secret, "guest_key": guest_key})


def end_line(tally: Tally, lines: int, digest: str) -> bytes:
    """Return the last line."""
    return _line({"end": {"lines": lines, "sha256": digest} | tally.to_json()})


def read_head(line: bytes, known_layout: int) -> Head:
    """Return what the first line says. Raises `BackupUnreadable`."""
    value = _value(line)
    if value.get("brisk_backup") != FORMAT:
        raise BackupUnreadable(
            "This file is no backup, or one of another version of Brisk: "
            f"its form is {value.get('brisk_backup')!r}, this program reads {FORMAT}."
        )
    head = Head(
        store=str(value.get("store")),
        written_by=str(value.get("written_by")),
        layout=value.get("layout", 0),
        taken_ms=value.get("taken_ms", 0),
        secret_mark=value.get("secret_mark"),
    )
    if not isinstance(head.layout, int) or not 1 <= head.layout <= known_layout:
        raise BackupUnreadable(
            f"This backup has the layout {head.layout} of {head.written_by}; this program knows "
            f"layouts up to {known_layout}. Restore it with {head.written_by} or newer."
        )
    return head


def read_item(line: bytes) -> Item | dict[str, Any]:
    """Return what a line holds; what the end says, if it is the end. Raises `BackupUnreadable`."""
    value = _value(line)
    try:
        if "document" in value:
            database, doc_id, body = value["document"]
            if database not in DATABASES or not isinstance(body, dict):
                raise ValueError(database)
            return Document(database, DocId(doc_id), body)
        if "code" in value:
            return Code(b64decode(value["code"], validate=True))
        if "record" in value:
            place, document = value["record"]
            return Record(_shard(place), document.encode())
        if "place" in value:
            place, state, rollups = value["place"]
            return Closed(_shard(place), State(state), tuple(_rollup(*each) for each in rollups))
        if "secret" in value:
            return Secret(value["secret"], value["guest_key"])
        end = dict(value["end"])
        if not {"counts", "digests", "usage"} <= end.keys():
            raise ValueError("end")
        return end
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BackupUnreadable(f"A line of this backup cannot be read: {error!r}.") from error


def _closed_json(item: Closed) -> list[Any]:
    rollups = [
        [each.namespace, each.day, each.path, each.activations, each.billed_ms, each.mb_ms]
        for each in item.rollups
    ]
    return [item.shard.text, item.state, rollups]


def _shard(text: str) -> Shard:
    shard = shard_of(text)
    if shard is None:
        raise ValueError(text)
    return shard


def _rollup(namespace: str, day: int, path: str, *slots: list[int]) -> Rollup:
    activations, billed_ms, mb_ms = map(tuple, slots)
    return Rollup(Namespace(namespace), day, path, activations, billed_ms, mb_ms)


def _line(value: Any) -> bytes:
    return codec.encode(value) + b"\n"


def _value(line: bytes) -> dict[str, Any]:
    try:
        value = codec.decode(line)
    except codec.MalformedJson as error:
        raise BackupUnreadable(f"A line of this file is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BackupUnreadable
    return value


def _canonical(value: Any) -> bytes:
    """Return the same text for the same value, whichever store has written its keys and numbers."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False).encode(
        errors="surrogatepass"
    )


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case float() if value.is_integer():
            return int(value)  # JSON has one kind of number: 1.0 may come back as 1
        case _:
            return value
