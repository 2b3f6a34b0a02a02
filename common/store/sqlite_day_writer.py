"""Commits records to the files of their days; lives in the one thread that writes them."""

import sqlite3
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from common.store import sqlite_days
from common.store.days import Pending
from common.store.port import StoreError
from common.store.sqlite_file import translated

# Today's file, yesterday's around midnight, and two for what was late.
_FILES_KEPT_OPEN: Final = 4


class Committed(NamedTuple):
    """What became of a batch."""

    stored: list[Pending]
    failed: list[Pending]
    fault: StoreError | None
    """Why some failed; None when none did."""


class DayWriter:
    """The files of one folder, open for writing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: OrderedDict[int, sqlite3.Connection] = OrderedDict()

    def commit(self, batch: Sequence[Pending]) -> Committed:
        """Write *batch*, one transaction for each day: what is stored survives a power cut."""
        by_day: defaultdict[int, list[Pending]] = defaultdict(list)
        for entry in batch:
            by_day[entry.day].append(entry)
        outcome = Committed([], [], None)
        for day, entries in by_day.items():
            try:
                with translated(sqlite_days.file_of(self._folder, day)):
                    sqlite_days.insert(self._file(day), entries)
                outcome.stored.extend(entries)
            except StoreError as error:
                outcome.failed.extend(entries)
                outcome = outcome._replace(fault=error)
        return outcome

    def close(self) -> None:
        """Close the files. Idempotent."""
        while self._files:
            self._files.popitem()[1].close()

    def _file(self, day: int) -> sqlite3.Connection:
        db = self._files.get(day)
        if db is None:
            db = self._files[day] = sqlite_days.open_day(self._folder, day)
            if len(self._files) > _FILES_KEPT_OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(day)
        return db
