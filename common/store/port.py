"""What the platform expects of its stores, and the errors that are part of the promise.

A document changes only with the revision that was read; who loses the race gets `Conflict`. Code
lives apart, by its digest, and is written before the document that names it. A record is immutable
and written under its activation id: writing it again is no error and counts nothing twice.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from common.entity.action import BlobRef
from common.entity.activation import ActivationRecord
from common.errors import BriskError
from common.ids import ActivationId, DocId, Namespace, Rev
from common.store.shard import Shard, State

Body: TypeAlias = Mapping[str, Any]
Period: TypeAlias = Literal["action", "hour", "day", "month"]


class StoreError(BriskError):
    """The store failed."""

    retryable = False
    pause_s = 1.0
    """How long to wait before the same is tried again, where that may help."""


class Missing(StoreError):
    """There is no such document."""


class Conflict(StoreError):
    """The document was changed by somebody else in the meantime."""


class StoreUnavailable(StoreError):
    """The store cannot be reached right now, or its disk is full. Nothing was changed."""

    retryable = True


class Denied(StoreError):
    """The store does not let this process in."""

    retryable = True
    pause_s = 90.0
    """CouchDB locks a user out after five wrong passwords in 300 s, for everybody behind the same
    address; one every 90 s are four."""


class Corrupted(StoreError):
    """What is stored cannot be read as what it should be."""


class LayoutUnknown(StoreError):
    """A newer version of Brisk has written these stores. They were not touched."""


class RestoreUnfinished(StoreError):
    """These stores hold a part of a backup only, and nobody may use them."""

    retryable = True

    retryable = True
    pause_s = 5.0


class NotSealed(StoreError):
    """The sums of this day are not made yet, so its records are still the bill."""


class Unbalanced(StoreError):
    """The records of a day are not what its sums say. Nothing was deleted."""


@dataclass(frozen=True, slots=True)
class Doc:
    """A stored document. *rev* is opaque."""

    id: DocId
    rev: Rev
    body: dict[str, Any]


class DocStore(Protocol):
    """Documents of one database: subjects, entities, or meta."""

    async def get(self, doc_id: DocId) -> Doc:
        """Return the newest revision. Raises `Missing`."""
        ...

    async def create(self, doc_id: DocId, body: Body) -> Rev:
        """Write a new document and return its revision. Raises `Conflict` if there is one."""
        ...

    async def replace(self, doc_id: DocId, rev: Rev, body: Body) -> Rev:
        """Write over revision *rev*. Raises `Conflict` when that is not the newest, `Missing`."""
        ...

    async def delete(self, doc_id: DocId, rev: Rev) -> None:
        """Delete revision *rev*. Raises `Conflict` when that is not the newest, `Missing`."""
        ...

    async def list(
        self, namespace: Namespace, kind: str, *, package: str | None, limit: int, skip: int
    ) -> Sequence[dict[str, Any]]:
        """Return bodies of one kind (`action`, `package`, …), newest `updated` first.

        package: None lists the whole namespace, else only what is in that package.
        """
        ...

    async def count(self, namespace: Namespace, kind: str, *, package: str | None) -> int:
        """Return how many documents `list` would walk."""
        ...

    def every(self) -> AsyncIterator[Doc]:
        """Yield all documents; what is written meanwhile may be among them or not.

        Raises `StoreUnavailable`, `Corrupted`.
        """
        ...


class BlobStore(Protocol):
    """Bytes under their own digest: immutable, shared, cacheable for ever."""

    async def put(self, data: bytes) -> BlobRef:
        """Keep *data*; durable when this returns. Idempotent."""
        ...

    async def get(self, ref: BlobRef) -> bytes:
        """Return the bytes, their digest checked. Raises `Missing`, `Corrupted`."""
        ...

    async def sweep(self, live: Container[str], *, older_than_ms: int) -> int:
        """Delete blobs that are not *live* and were written before; return how many.

        Writing a blob once more renews its date, also while this runs: then it stays.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationFilter:
    """Which records to list. Bounds are Unix milliseconds, both inclusive."""

    namespace: Namespace
    name: str | None = None
    """`action` in no package, or `package/action`; None means all."""
    since_ms: int | None = None
    upto_ms: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class UsageRow:
    """What one action used in one period. Integers, exact: the sum of its records."""

    period: str
    """UTC: `2026-11-21T13` (hour), `2026-11-21` (day), `2026-11` (month), or empty for all."""
    action: str
    """`package/name` or `name`."""
    activations: int
    billed_ms: int
    mb_ms: int


@dataclass(frozen=True, slots=True)
class Audit:
    """A bill beside what can be recomputed of it.

    Of a day that was dropped there is nothing to recompute: its sums stand apart, and whether they
    were right was checked when it was dropped.
    """

    ledger: UsageRow
    """What is billed for days whose records are still there."""
    recomputed: UsageRow
    """The same, from those records one by one."""
    dropped: UsageRow
    """What is billed for days whose records are gone."""

    @property
    def is_exact(self) -> bool:
        """Whether what can be compared is equal."""
        return self.ledger == self.recomputed


@dataclass(frozen=True, slots=True)
class SealReport:
    """What became of a request to seal, and what the place comes to as far as it is summed."""

    shard: Shard
    state: State
    """`SEALING` when writes that began before may still be under way: ask again later."""
    activations: int
    billed_ms: int
    mb_ms: int


class ActivationStore(Protocol):
    """Records, and the usage that follows from them."""

    def put(self, record: ActivationRecord) -> None:
        """Take over *record*: once this returns it survives `kill -9`; readers see it at once.

        Never waits for the store. Raises `StoreUnavailable` when not even the spool takes it.
        """
        ...

    async def sync(self) -> None:
        """Return when every record taken so far would survive a power cut."""
        ...

    async def arrived(self, namespace: Namespace, activation_id: ActivationId) -> None:
        """Return when every process that reads this store finds a record that was put here.

        At once when it is not on its way; while the store is away that takes as long as it is.
        """
        ...

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        """Return one record, also one that is still on its way to the disk. Raises `Missing`."""
        ...

    async def list(
        self, wanted: ActivationFilter, *, limit: int, skip: int
    ) -> Sequence[ActivationRecord]:
        """Return records, newest `start` first."""
        ...

    async def count(self, wanted: ActivationFilter) -> int:
        """Return how many records match."""
        ...

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period
    ) -> Sequence[UsageRow]:
        """Return exact sums of what started in [from, to), whole hours (UTC), ordered.

        by: `action` sums the whole time per action; the others per period and action.
        """
        ...

    async def audit(self, namespace: Namespace) -> Audit:
        """Return what is billed beside what the records come to. They are equal."""
        ...


class DayStore(ActivationStore, Protocol):
    """Records in places that can be closed, one after the other.

    Each may be asked for by several processes at once, and again after a crash at any moment: what
    is done already is not done again.
    """

    async def shards(self) -> Mapping[Shard, State]:
        """Return every place that is known, and its state, as it is now."""
        ...

    async def prepare(self, shard: Shard) -> None:
        """Make a place before its first record comes; one that is there, or was, stays as it is."""
        ...

    async def seal(self, shard: Shard) -> SealReport:
        """Close a place for writers and keep its sums: from then on they are the bill.

        What comes later goes to the late, which are a place like any other. Sealing again verifies,
        and sums apart what was written while the place was being closed, if anything was.
        Raises `Missing` for a place that never was, `Unbalanced` when records are gone.
        """
        ...

    async def drop(self, shard: Shard) -> None:
        """Delete the records of a sealed place; its sums stay.

        Raises `NotSealed`, `Missing`, and `Unbalanced` when the sums are not those of the records.
        """
        ...

    async def forget(self, shard: Shard) -> None:
        """Delete the sums of a dropped place, too; then nothing is known of it any more.

        Raises `NotSealed` when it is not dropped. A place that is not known is no error.
        """
        ...


@dataclass(frozen=True, slots=True)
class Invalidation:
    """A document has changed; what is cached of another revision is old."""

    doc_id: DocId
    rev: Rev


@dataclass(frozen=True, slots=True)
class Gap:
    """Changes may not have been told: everything that is cached may be old."""


class InvalidationBus(Protocol):
    """Tells each process what the others have changed, in no particular order."""

    def subscribe(self) -> AsyncGenerator[Invalidation | Gap, None]:
        """Yield changes for ever; begins with a `Gap`."""
        ...


class Stores(Protocol):
    """All of them, opened together."""

    subjects: DocStore
    entities: DocStore
    meta: DocStore
    """What the stores say of themselves (`common.store.schema`), and leases."""
    blobs: BlobStore
    activations: DayStore

    async def close(self) -> None:
        """Flush and close; within the deadline of the settings. Idempotent."""
        ...
