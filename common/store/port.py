"""What the platform expects of its stores, and the errors that are part of the promise.

A document changes only with the revision that was read; who loses the race gets `Conflict`. Code
lives apart, by its digest, and is written before the document that names it. A record is immutable
and written under its activation id: writing it again is no error and counts nothing twice.
"""

from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from common.entity.action import BlobRef
from common.entity.activation import ActivationRecord
from common.errors import BriskError
from common.ids import ActivationId, DocId, Namespace, Rev

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
    pause_s = 5.0


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


class BlobStore(Protocol):
    """Bytes under their own digest: immutable, shared, cacheable for ever."""

    async def put(self, data: bytes) -> BlobRef:
        """Keep *data*; durable when this returns. Idempotent."""
        ...

    async def get(self, ref: BlobRef) -> bytes:
        """Return the bytes, their digest checked. Raises `Missing`, `Corrupted`."""
        ...

    async def sweep(self, live: Container[str], *, older_than_ms: int) -> int:
        """Delete blobs that are not *live* and were written before; return how many."""
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

    async def audit(self, namespace: Namespace) -> tuple[UsageRow, UsageRow]:
        """Return the ledger's total and the total recomputed from the records. They are equal."""
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
    """What the stores say of themselves: see `common.store.schema`."""
    blobs: BlobStore
    activations: ActivationStore

    async def close(self) -> None:
        """Flush and close; within the deadline of the settings. Idempotent."""
        ...
