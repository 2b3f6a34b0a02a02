"""Questions about records: over the files of several places, and what is not in them yet.

Each question is asked in a reader's thread, of one moment of the event loop: the places that had a
file and the records that were pending. Of those records, a file's snapshot tells which it has
already, so that none is left out and none is counted twice. A stored record never changes, so the
snapshots of different files need not be of one moment. What has been sealed is billed by its sums:
they and the states of all places are read in one snapshot of the book.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from heapq import nlargest
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from common.ids import ActivationId, Namespace
from common.store import days, sqlite_book, sqlite_days
from common.store.days import Key
from common.store.ledger import ALL_HOURS, HourUsage, added, summed, total, used
from common.store.port import ActivationFilter, Audit, Corrupted, Period, StoreUnavailable, UsageRow
from common.store.rollups import HOURS, Rollup, hours_of
from common.store.shard import HOUR_MS, Shard, State
from common.store.sqlite_file import Readers
from common.store.waiting import Pending, decoded

Answer = TypeVar("Answer")

# A place is sealed and dropped while a question is asked once in a lifetime, never three times.
_TRIES: Final = 3


class Moment(NamedTuple):
    """What a question is asked of."""

    stored: Collection[Shard]
    """Places that have a file."""
    pending: Sequence[Pending]
    """Records that may not be in a file yet; whichever namespace they are of."""


class _Found(NamedTuple):
    """A place in a page whose document is not read yet, unless it is pending."""

    start_ms: int
    activation_id: ActivationId
    shard: Shard
    entry: Pending | None


class _Gone(Exception):
    """A file that was there has been dropped meanwhile."""


class _Closed(NamedTuple):
    """The book, as it is at one moment."""

    states: dict[Shard, State]
    rollups: list[tuple[Shard, Rollup]]

    def state(self, shard: Shard) -> State:
        return self.states.get(shard, State.OPEN)

    def rows(self, first_hour: int, end_hour: int) -> Iterator[tuple[Shard, HourUsage]]:
        """Yield what is billed by sums."""
        for shard, rollup in self.rollups:
            if self.state(shard).is_billed_by_sums:
                for row in hours_of(rollup):
                    if first_hour <= row.hour < end_hour:
                        yield shard, row


class Queries:
    """Answers about the records of one folder."""

    def __init__(self, folder: Path, book: Path, readers: Readers) -> None:
        self._folder = folder
        self._book = book
        self._readers = readers

    async def document(self, key: Key, now: Moment) -> bytes | None:
        """Return the document of one stored record; None if no file has it."""
        return await self._readers.run(
            lambda: _of_one_moment(lambda: self._document(key, now.stored))
        )

    async def page(
        self, wanted: ActivationFilter, limit: int, skip: int, now: Moment
    ) -> list[bytes]:
        """Return documents, newest start first."""

        def read() -> list[bytes]:
            found = self._newest(wanted, skip + limit, now)
            documents = (self._found_document(wanted.namespace, item) for item in found[skip:])
            # One that was dropped with its day just now is left out.
            return [document for document in documents if document is not None]

        return await self._readers.run(lambda: _of_one_moment(read))

    async def count(self, wanted: ActivationFilter, now: Moment) -> int:
        """Return how many records match."""

        def read() -> int:
            number = 0
            waiting = _matching(wanted, now)
            for shard in days.shards_between(now.stored, wanted.since_ms, wanted.upto_ms):
                with self._view(shard, waiting) as db:
                    number += 0 if db is None else sqlite_days.count(db, wanted)
            return number + len(waiting)

        return await self._readers.run(lambda: _of_one_moment(read))

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period, now: Moment
    ) -> list[UsageRow]:
        """Return exact sums, ordered; the bounds are widened to whole hours."""
        first_hour, end_hour = from_ms // HOUR_MS, -(-to_ms // HOUR_MS)
        wanted = ActivationFilter(
            namespace=namespace, since_ms=first_hour * HOUR_MS, upto_ms=end_hour * HOUR_MS - 1
        )

        def read() -> list[UsageRow]:
            closed = self._closed(namespace, first_hour, end_hour)
            rows = [row for _, row in closed.rows(first_hour, end_hour)]
            waiting = _matching(wanted, now)
            for shard in _live(wanted, now, closed, waiting):
                with self._there(shard, waiting) as db:
                    if not closed.state(shard).is_billed_by_sums:
                        rows += sqlite_days.usage(db, namespace, first_hour, end_hour)
            return summed([*rows, *_billed(waiting, closed)], by)

        return await self._readers.run(lambda: _of_one_moment(read))

    async def audit(self, namespace: Namespace, now: Moment) -> Audit:
        """Return what is billed, and what the records come to.

        A record that is pending has no row in the ledger yet and counts on both sides.
        """

        def read() -> Audit:
            closed = self._closed(namespace, *ALL_HOURS)
            gone = {shard for shard, state in closed.states.items() if not state.has_records}
            sealed = list(closed.rows(*ALL_HOURS))
            ledger = [row for shard, row in sealed if shard not in gone]
            recomputed: list[HourUsage] = []
            wanted = ActivationFilter(namespace=namespace)
            waiting = _matching(wanted, now)
            for shard in _live(wanted, now, closed, waiting, all_files=True):
                with self._there(shard, waiting) as db:
                    if not closed.state(shard).is_billed_by_sums:
                        ledger += sqlite_days.usage(db, namespace, *ALL_HOURS)
                    stored = sqlite_days.documents(db, namespace)
                    recomputed.append(added("", 0, map(used, map(decoded, stored))))
            pending = _billed(waiting, closed)
            return Audit(
                ledger=total([*ledger, *pending]),
                recomputed=total([*recomputed, *pending]),
                dropped=total(row for shard, row in sealed if shard in gone),
            )

        return await self._readers.run(lambda: _of_one_moment(read))

    def _closed(self, namespace: Namespace, first_hour: int, end_hour: int) -> _Closed:
        with self._readers.snapshot(self._book) as db:
            sums = sqlite_book.rollups(db, namespace, first_hour // HOURS, end_hour // HOURS)
            return _Closed(sqlite_book.states(db), sums)

    @contextmanager
    def _there(self, shard: Shard, waiting: dict[Key, Pending]) -> Iterator[sqlite3.Connection]:
        """Look at one place that has records. Raises `_Gone`."""
        with self._view(shard, waiting) as db:
            if db is None:
                raise _Gone
            yield db

    @contextmanager
    def _view(
        self, shard: Shard, waiting: dict[Key, Pending]
    ) -> Iterator[sqlite3.Connection | None]:
        """Look at one place: None when it has just been dropped.

        What has arrived there leaves *waiting*. Raises `_Gone` when it is dropped meanwhile: its
        companions go after it, and whoever still reads it may then be told anything.
        """
        path = self._path(shard)
        try:
            with ExitStack() as stack:
                # A connection that is still open to a file that is gone is not asked either.
                try:
                    db = (
                        stack.enter_context(self._readers.snapshot(path)) if path.exists() else None
                    )
                except StoreUnavailable:
                    if path.exists():
                        raise
                    db = None
                if db is not None:
                    candidates = _candidates(shard, waiting)
                    left = {entry.key for entry in sqlite_days.without_stored(db, candidates)}
                    for entry in candidates:
                        if entry.key not in left:
                            del waiting[entry.key]
                yield db
        except (StoreUnavailable, Corrupted) as error:
            if path.exists():
                raise
            raise _Gone from error

    def _newest(self, wanted: ActivationFilter, number: int, now: Moment) -> list[_Found]:
        def page(items: Collection[_Found]) -> list[_Found]:
            return nlargest(number, items, key=lambda item: (item.start_ms, item.activation_id))

        found = page(
            [
                _Found(entry.record.start_ms, key[1], Shard(entry.day), entry)
                for key, entry in _matching(wanted, now).items()
            ]
        )
        for shard in days.shards_between(now.stored, wanted.since_ms, wanted.upto_ms):
            is_whole = len(found) == number
            if is_whole and (not found or found[-1].start_ms > shard.last_start_ms):
                break
            with self._view(shard, {}) as db:
                rows = [] if db is None else sqlite_days.newest(db, wanted, number)
            # What is pending and stored already is shown once, as it is stored.
            by_id = {item.activation_id: item for item in found}
            by_id |= {aid: _Found(start_ms, aid, shard, None) for start_ms, aid in rows}
            found = page(by_id.values())
        return found

    def _found_document(self, namespace: Namespace, item: _Found) -> bytes | None:
        if item.entry is not None:
            return item.entry.document
        with self._view(item.shard, {}) as db:
            return None if db is None else sqlite_days.document(db, (namespace, item.activation_id))

    def _document(self, key: Key, stored: Collection[Shard]) -> bytes | None:
        for shard in days.likeliest_first(stored, key[1]):
            with self._view(shard, {}) as db:
                document = None if db is None else sqlite_days.document(db, key)
            if document is not None:
                return document
        return None

    def _path(self, shard: Shard) -> Path:
        return sqlite_days.file_of(self._folder, shard)


def _live(
    wanted: ActivationFilter,
    now: Moment,
    closed: _Closed,
    waiting: dict[Key, Pending],
    *,
    all_files: bool = False,
) -> Iterator[Shard]:
    """Yield the places that are part of the bill, or all that have records."""
    for shard in days.shards_between(now.stored, wanted.since_ms, wanted.upto_ms):
        state = closed.state(shard)
        if not state.has_records:
            continue
        if all_files or not state.is_billed_by_sums or _candidates(shard, waiting):
            yield shard


def _matching(wanted: ActivationFilter, now: Moment) -> dict[Key, Pending]:
    return {each.key: each for each in now.pending if days.matches(each.record, wanted)}


def _candidates(shard: Shard, waiting: dict[Key, Pending]) -> list[Pending]:
    """Return what may have arrived in a place: that of its day, and in the late anything."""
    return [each for each in waiting.values() if shard.is_late or each.day == shard.day]


def _billed(waiting: dict[Key, Pending], closed: _Closed) -> list[HourUsage]:
    """Return what pending records add; those of a day that was dropped will be refused."""
    return [
        used(entry.record)
        for entry in waiting.values()
        if closed.state(Shard(entry.day)).has_records
    ]


def _of_one_moment(read: Callable[[], Answer]) -> Answer:
    for _ in range(_TRIES):
        try:
            return read()
        except _Gone:
            continue
    raise StoreUnavailable("Days are being dropped just now.")
