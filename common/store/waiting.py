"""Records on their way to the database: in the spool on disk, and here for whoever reads.

Both stores take a record over in the same way. It is appended to the spool, which survives `kill
-9`, and remembered here until the database has it for good. What the database will never take is
put aside, into the folder `refused`: it is on no bill, and somebody is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common import metrics
from common.append_log import AppendLog, Segment
from common.entity import activation_document
from common.entity.activation import ActivationRecord
from common.entity.activation_document import MalformedRecord
from common.ids import ActivationId, Namespace
from common.log import logger
from common.store import days
from common.store.arrivals import Arrivals
from common.store.days import Key
from common.store.port import ActivationFilter, Corrupted, StoreError, StoreUnavailable
from common.store.spool import Spool

# Thirty years of a gigabyte; a thousand times that is still exact in JavaScript, which multiplies.
_MAX_MB_MS: Final = 1 << 50
_log: Final = logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A record on its way to the place of its day."""

    record: ActivationRecord
    document: bytes
    day: int
    segment: Segment
    """Where the spool keeps it until it is committed."""

    @property
    def key(self) -> Key:
        """What identifies the record."""
        return self.record.namespace, self.record.activation_id


class Waiting:
    """The records that wait. Owned by a store of activations, on its event loop."""

    def __init__(self, folder: Path) -> None:
        """Open the spool of *folder*. Raises `StoreUnavailable`."""
        self._folder = folder
        self._spool = Spool(folder / "spool")
        self._entries: dict[Key, Pending] = {}
        self._arrivals = Arrivals()
        self._refusals: AppendLog | None = None
        self._is_closed = False

    def __len__(self) -> int:
        """Return how many records are in the spool only."""
        return len(self._entries)

    @property
    def spool_bytes(self) -> int:
        """Size of the spool's files."""
        return self._spool.size_bytes

    def check(self) -> None:
        """Return while the spool takes records. Raises `StoreUnavailable`."""
        self._spool.check()

    def take_over(self) -> Iterator[Pending]:
        """Yield what an earlier run left. Raises `Corrupted`, `StoreUnavailable`."""
        for segment, document in self._spool.left_over():
            record = decoded(document)
            day = days.day_of(record.activation_id, record.start_ms)
            entry = Pending(record, document, day, segment)
            if entry.key in self._entries:
                self._spool.done(segment)
            else:
                self._entries[entry.key] = entry
                yield entry

    def add(self, record: ActivationRecord) -> Pending | None:
        """Take over *record*, which survives `kill -9` then; None when it waits already.

        Raises `StoreUnavailable` when the spool does not take it, and says why; `ValueError` for a
        record whose start or bill no database can hold.
        """
        if self._is_closed:
            raise StoreUnavailable("The store is closed.")
        if (record.namespace, record.activation_id) in self._entries:
            return None
        day = days.day_of(record.activation_id, record.start_ms)
        if not 0 <= record.billed_ms * record.memory_mb <= _MAX_MB_MS:
            raise ValueError(f"no activation is billed {record.billed_ms} ms")
        document = activation_document.encode(record)
        entry = Pending(record, document, day, self._spool.add(document))
        self._entries[entry.key] = entry
        return entry

    def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord | None:
        """Return a record that waits."""
        entry = self._entries.get((namespace, activation_id))
        return None if entry is None else entry.record

    async def gone(self, namespace: Namespace, activation_id: ActivationId) -> None:
        """Return when a record does not wait any more; at once when it does not now."""
        if (namespace, activation_id) in self._entries:
            await self._arrivals.wait((namespace, activation_id))

    def all(self) -> list[Pending]:
        """Return everything that waits now."""
        return list(self._entries.values())

    def matching(self, wanted: ActivationFilter) -> list[Pending]:
        """Return what waits and belongs to an answer."""
        return [each for each in self._entries.values() if days.matches(each.record, wanted)]

    def stored(self, entry: Pending) -> None:
        """Note that the database has *entry* for good."""
        del self._entries[entry.key]
        self._arrivals.tell(entry.key)
        self._spool.done(entry.segment)

    def refuse(self, entry: Pending, error: StoreError) -> None:
        """Keep a record that the database never takes where somebody can look at it."""
        try:
            if self._refusals is None:
                self._refusals = AppendLog(self._folder / "refused", "refused")
            self._refusals.append(entry.document)
        except OSError as failure:
            # It stays pending and in the spool; the next start tries it once more.
            _log.error("refused_record_not_kept", why=str(failure))
            return
        metrics.REFUSED_RECORDS.inc()
        _log.error("record_refused", record="/".join(entry.key), why=str(error))
        self.stored(entry)

    async def sync(self) -> None:
        """Return when every record taken so far would survive a power cut.

        Raises `StoreUnavailable`.
        """
        await self._spool.sync()

    def finish(self) -> None:
        """Take no more records. Idempotent."""
        self._is_closed = True

    async def close(self) -> None:
        """Let the spool go; what waits stays in it, for the next start. Idempotent."""
        self._is_closed = True
        await self._spool.close(empty=not self._entries)
        if self._refusals is not None:
            await self._refusals.close()


def decoded(document: bytes) -> ActivationRecord:
    """Return the record of a stored document. Raises `Corrupted`."""
    try:
        return activation_document.decode(document)
    except MalformedRecord as error:
        raise Corrupted(str(error)) from error
