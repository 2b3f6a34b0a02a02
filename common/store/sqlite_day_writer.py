"""Commits records to the files of their places, and closes places; lives in the one writing thread.

Because everything that writes is here, a place that is being sealed is written to by nobody, and
what comes later finds it closed. That goes to the late, unless it is in a closed place already: a
crash may have kept us from hearing that it was stored. Of a day that was dropped nobody can tell
any more what was counted, so what comes for it then is refused: nothing is ever billed twice.
"""

import sqlite3
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from common import metrics
from common.clock import Clock
from common.log import logger
from common.store import sqlite_book, sqlite_days
from common.store.port import Missing, NotSealed, SealReport, StoreError, Unbalanced
from common.store.rollups import rolled
from common.store.shard import DAY_MS, Done, Shard, State, after
from common.store.sqlite_file import translated
from common.store.waiting import Pending

# Today's file, yesterday's around midnight, and two for what was late.
_FILES_KEPT_OPEN: Final = 4
_log: Final = logger(__name__)


@dataclass(slots=True)
class Committed:
    """What became of a batch."""

    stored: list[Pending] = field(default_factory=list)
    refused: list[Pending] = field(default_factory=list)
    """Came when their day had been dropped."""
    failed: list[Pending] = field(default_factory=list)
    fault: StoreError | None = None
    """Why some failed; None when none did."""
    shards: set[Shard] = field(default_factory=set)
    """The places that were written to."""


class DayWriter:
    """The files of one folder, open for writing, and the book of those that are closed."""

    def __init__(self, folder: Path, book: Path, clock: Clock) -> None:
        """Open the book. Raises `Corrupted`, `StoreUnavailable`."""
        self._folder = folder
        self._book_path = book
        self._clock = clock
        self._files: OrderedDict[Shard, sqlite3.Connection] = OrderedDict()
        self._book, self._states = sqlite_book.open_book(book)

    def states(self) -> Mapping[Shard, State]:
        """Return every place that is known. Raises `OSError`."""
        opened = dict.fromkeys(sqlite_days.shards_in(self._folder), State.OPEN)
        return opened | self._states

    def commit(self, batch: Sequence[Pending]) -> Committed:
        """Write *batch*, one transaction for each day: what is stored survives a power cut."""
        by_day: defaultdict[int, list[Pending]] = defaultdict(list)
        for entry in batch:
            by_day[entry.day].append(entry)
        outcome = Committed()
        for day, entries in by_day.items():
            try:
                self._commit(day, entries, outcome)
            except StoreError as error:
                outcome.failed.extend(entries)
                outcome.fault = error
        return outcome

    def prepare(self, shard: Shard) -> bool:
        """Make the file of a place, if that is open; return whether it is.

        Raises `Corrupted`, `StoreUnavailable`.
        """
        if not self._is_open(shard):
            return False
        with translated(self._path(shard)):
            self._file(shard)
        return True

    def seal(self, shard: Shard) -> SealReport:
        """Keep the sums of a place; from then on they are the bill.

        Raises `Missing`, `Unbalanced`, `Corrupted`, `StoreUnavailable`.
        """
        if self._is_open(shard):
            self._seal(shard)
        with translated(self._book_path):
            total = sqlite_book.sums_of(self._book, shard)
        return SealReport(shard, self._states[shard], *total)

    def begin_drop(self, shard: Shard) -> None:
        """Compare a sealed place with its sums; nobody may begin to read it after that.

        Raises `NotSealed`, `Missing`, `Unbalanced`, `Corrupted`, `StoreUnavailable`.
        """
        if self._is_open(shard):
            self._require_file(shard)
            raise NotSealed(f"The day {shard.text} is not sealed.")
        if self._states[shard] is not State.SEALED:
            return
        if self._path(shard).exists():
            with translated(self._book_path):
                total = sqlite_book.sums_of(self._book, shard)
            self._require_balance(shard, total.activations)
        else:
            _log.warning("sealed_day_was_deleted_by_hand", day=shard.text)
        self._set_state(shard, after(self._states[shard], Done.EXPIRED))
        file = self._files.pop(shard, None)
        if file is not None:
            file.close()

    def finish_drop(self, shard: Shard) -> None:
        """Delete the records of a place. Idempotent. Raises `StoreUnavailable`."""
        if self._states[shard] is State.DROPPING:
            sqlite_days.delete_shard(self._folder, shard)
            self._set_state(shard, after(State.DROPPING, Done.DELETED))

    def forget(self, shard: Shard) -> None:
        """Delete the sums of a dropped place. Raises `NotSealed`, `StoreUnavailable`."""
        if self._states.get(shard) is State.DROPPED:
            with translated(self._book_path):
                sqlite_book.forget(self._book, shard)
            del self._states[shard]
        elif shard in self.states():
            raise NotSealed(f"The day {shard.text} is not dropped.")

    def close(self) -> None:
        """Close the files. Idempotent."""
        while self._files:
            self._files.popitem()[1].close()
        self._book.close()

    def _commit(self, day: int, entries: Sequence[Pending], outcome: Committed) -> None:
        own = Shard(day)
        if self._is_open(own):
            self._insert(own, entries, outcome)
            return
        new = self._without_counted(own, entries)
        if new and self._states[own].has_records:
            self._insert(self._late(day), new, outcome)
            metrics.LATE_RECORDS.inc(len(new))
        else:
            outcome.refused.extend(new)
        counted = {each.key for each in entries} - {each.key for each in new}
        outcome.stored.extend(each for each in entries if each.key in counted)

    def _insert(self, shard: Shard, entries: Sequence[Pending], outcome: Committed) -> None:
        with translated(self._path(shard)):
            sqlite_days.insert(self._file(shard), entries)
        outcome.stored.extend(entries)
        outcome.shards.add(shard)

    def _without_counted(self, own: Shard, entries: Sequence[Pending]) -> list[Pending]:
        """Return those of *entries* that are in no closed place, their own or of the late."""
        left = list(entries)
        for shard, state in self.states().items():
            if state.has_records and (shard == own or shard.is_late) and self._path(shard).exists():
                with translated(self._path(shard)):
                    left = sqlite_days.without_stored(self._file(shard), left)
        return left

    def _late(self, day: int) -> Shard:
        """Return the place for what came too late for *day*."""
        late = Shard(max(day, self._clock.now_ms() // DAY_MS), is_late=True)
        while not self._is_open(late):  # a clock went back
            late = late._replace(day=late.day + 1)
        return late

    def _seal(self, shard: Shard) -> None:
        self._require_file(shard)
        with translated(self._path(shard)):
            rollups = rolled(sqlite_days.ledger(self._file(shard)))
        self._require_balance(shard, sum(sum(each.activations) for each in rollups))
        with translated(self._book_path):
            sqlite_book.seal(self._book, shard, rollups)
        self._states[shard] = after(self._states.get(shard, State.OPEN), Done.SUMMED)

    def _require_balance(self, shard: Shard, summed: int) -> None:
        with translated(self._path(shard)):
            there = sqlite_days.records(self._file(shard))
        if there != summed:
            raise Unbalanced(
                f"The file {self._path(shard).name} has {there} records, and its sums count "
                f"{summed}. It is kept; restore it from a backup."
            )

    def _require_file(self, shard: Shard) -> None:
        if not self._path(shard).exists():
            raise Missing(f"There are no records of {shard.text}.")

    def _set_state(self, shard: Shard, state: State) -> None:
        with translated(self._book_path):
            sqlite_book.set_state(self._book, shard, state)
        self._states[shard] = state

    def _is_open(self, shard: Shard) -> bool:
        return self._states.get(shard, State.OPEN) is State.OPEN

    def _path(self, shard: Shard) -> Path:
        return sqlite_days.file_of(self._folder, shard)

    def _file(self, shard: Shard) -> sqlite3.Connection:
        db = self._files.get(shard)
        if db is None:
            db = self._files[shard] = sqlite_days.open_shard(self._folder, shard)
            if len(self._files) > _FILES_KEPT_OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(shard)
        return db
