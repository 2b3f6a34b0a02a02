"""Questions about records: over the files of several days, and what is not in them yet.

Each question is asked in a reader's thread, of one moment of the event loop: the days that had a
file and the records that were pending. Of those records, a file's snapshot tells which it has
already, so that none is left out and none is counted twice. A stored record never changes, so the
snapshots of different files need not be of one moment.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from heapq import nlargest
from pathlib import Path
from typing import NamedTuple

from common.entity import activation_document
from common.entity.activation import ActivationRecord
from common.entity.activation_document import MalformedRecord
from common.ids import ActivationId, Namespace
from common.store import days, sqlite_days
from common.store.days import HOUR_MS, Key, Pending
from common.store.ledger import ALL_HOURS, HourUsage, added, summed, total, used
from common.store.port import ActivationFilter, Corrupted, Missing, Period, UsageRow
from common.store.sqlite_file import Readers


class Moment(NamedTuple):
    """What a question is asked of."""

    stored: Collection[int]
    """Days that have a file."""
    pending: Sequence[Pending]
    """Records that may not be in a file yet; whichever namespace they are of."""


class _View(NamedTuple):
    """One day, while its snapshot is open."""

    db: sqlite3.Connection | None
    """None when the day has no file."""
    pending: list[Pending]
    """Matching records that are not in the file."""


class _Found(NamedTuple):
    """A place in a page whose document is not read yet, unless it is pending."""

    start_ms: int
    activation_id: ActivationId
    day: int
    entry: Pending | None


class Queries:
    """Answers about the records of one folder."""

    def __init__(self, folder: Path, readers: Readers) -> None:
        self._folder = folder
        self._readers = readers

    async def document(self, key: Key, now: Moment) -> bytes | None:
        """Return the document of one stored record; None if no file has it."""
        return await self._readers.run(lambda: self._document(key, now.stored))

    async def page(
        self, wanted: ActivationFilter, limit: int, skip: int, now: Moment
    ) -> list[bytes]:
        """Return documents, newest start first."""

        def read() -> list[bytes]:
            found = self._newest(wanted, skip + limit, now)
            return [self._found_document(wanted.namespace, item) for item in found[skip:]]

        return await self._readers.run(read)

    async def count(self, wanted: ActivationFilter, now: Moment) -> int:
        """Return how many records match."""

        def read() -> int:
            total = 0
            for day, entries in self._days(wanted, now):
                with self._view(day, entries, now) as view:
                    total += len(view.pending)
                    total += sqlite_days.count(view.db, wanted) if view.db else 0
            return total

        return await self._readers.run(read)

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period, now: Moment
    ) -> list[UsageRow]:
        """Return exact sums, ordered; the bounds are widened to whole hours."""
        first_hour, end_hour = from_ms // HOUR_MS, -(-to_ms // HOUR_MS)
        wanted = ActivationFilter(
            namespace=namespace, since_ms=first_hour * HOUR_MS, upto_ms=end_hour * HOUR_MS - 1
        )

        def read() -> list[UsageRow]:
            rows: list[HourUsage] = []
            for day, entries in self._days(wanted, now):
                with self._view(day, entries, now) as view:
                    if view.db:
                        rows += sqlite_days.usage(view.db, namespace, first_hour, end_hour)
                    rows += [used(entry.record) for entry in view.pending]
            return summed(rows, by)

        return await self._readers.run(read)

    async def audit(self, namespace: Namespace, now: Moment) -> tuple[UsageRow, UsageRow]:
        """Return the ledger's total, and the total recomputed from the records.

        A record that is pending has no row in the ledger yet and counts on both sides.
        """

        def read() -> tuple[UsageRow, UsageRow]:
            ledger: list[HourUsage] = []
            recomputed: list[HourUsage] = []
            for day, entries in self._days(ActivationFilter(namespace=namespace), now):
                with self._view(day, entries, now) as view:
                    if view.db:
                        ledger += sqlite_days.usage(view.db, namespace, *ALL_HOURS)
                        stored = sqlite_days.documents(view.db, namespace)
                        recomputed.append(added("", 0, map(used, map(record, stored))))
                    pending = [used(entry.record) for entry in view.pending]
                    ledger += pending
                    recomputed += pending
            return total(ledger), total(recomputed)

        return await self._readers.run(read)

    def _days(self, wanted: ActivationFilter, now: Moment) -> list[tuple[int, list[Pending]]]:
        """Return the days that may hold what is wanted, newest first, and what is pending there."""
        entries: defaultdict[int, list[Pending]] = defaultdict(list)
        for entry in now.pending:
            if days.matches(entry.record, wanted):
                entries[entry.day].append(entry)
        candidates = {*now.stored, *entries}
        found = days.days_between(candidates, wanted.since_ms, wanted.upto_ms)
        return [(day, entries[day]) for day in found]

    @contextmanager
    def _view(self, day: int, entries: list[Pending], now: Moment) -> Iterator[_View]:
        """Look at one day, and leave out of *entries* what has arrived there meanwhile."""
        if day not in now.stored:
            yield _View(None, entries)
            return
        with self._readers.snapshot(self._path(day)) as db:
            yield _View(db, sqlite_days.without_stored(db, entries))

    def _newest(self, wanted: ActivationFilter, number: int, now: Moment) -> list[_Found]:
        found: list[_Found] = []
        for day, entries in self._days(wanted, now):
            is_whole = len(found) == number
            if is_whole and (not found or found[-1].start_ms > days.last_start_ms(day)):
                break
            with self._view(day, entries, now) as view:
                rows = sqlite_days.newest(view.db, wanted, number) if view.db else []
            found += [_Found(start_ms, aid, day, None) for start_ms, aid in rows]
            found += [
                _Found(entry.record.start_ms, entry.record.activation_id, day, entry)
                for entry in view.pending
            ]
            found = nlargest(number, found, key=lambda item: (item.start_ms, item.activation_id))
        return found

    def _found_document(self, namespace: Namespace, item: _Found) -> bytes:
        if item.entry is not None:
            return item.entry.document
        with self._readers.snapshot(self._path(item.day)) as db:
            document = sqlite_days.document(db, (namespace, item.activation_id))
        if document is None:
            raise Missing(f"The record {item.activation_id} has been deleted just now.")
        return document

    def _document(self, key: Key, stored: Collection[int]) -> bytes | None:
        hinted = days.hinted_day(key[1])
        # The day of the id first; an id from elsewhere may be in any file.
        for day in sorted(stored, key=lambda day: (day == hinted, day), reverse=True):
            with self._readers.snapshot(self._path(day)) as db:
                document = sqlite_days.document(db, key)
            if document is not None:
                return document
        return None

    def _path(self, day: int) -> Path:
        return sqlite_days.file_of(self._folder, day)


def record(document: bytes) -> ActivationRecord:
    """Return the record of a stored document. Raises `Corrupted`."""
    try:
        return activation_document.decode(document)
    except MalformedRecord as error:
        raise Corrupted(str(error)) from error
