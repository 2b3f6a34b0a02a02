"""Records on disk that are on their way to the database.

`put` of the store appends a record here with one write, which survives `kill -9`, and the database
takes it some milliseconds later, together with others. A file is deleted when the database has
committed every record in it. What a crash leaves is read at the next start and goes the same way;
the database knows a record by its id, so nothing counts twice.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from common.append_log import AppendLog, DamagedLog, Segment, entries
from common.store.port import Corrupted, StoreUnavailable

# About 100 000 usual records, or ten minutes of a disk that is full, at some 200 a second.
MAX_BYTES: Final = 128 << 20
ROTATE_BYTES: Final = 4 << 20
MAX_RECORDS: Final = 100_000
"""Each is in memory, too."""
_TRIAL: Final = bytes(4096)


class Spool:
    """Owned by the store of activations, on its event loop."""

    def __init__(
        self, folder: Path, *, max_bytes: int = MAX_BYTES, rotate_bytes: int = ROTATE_BYTES
    ) -> None:
        """Open the spool of *folder*. Raises `StoreUnavailable`.

        max_bytes: of all files; beyond that nothing is taken.
        rotate_bytes: at this size a file is closed and a new one begun.
        """
        self._max_bytes = max_bytes
        self._rotate_bytes = rotate_bytes
        self._folder = folder
        self._doubtful: set[Segment] = set()
        self._has_refused = False
        try:
            self._log = AppendLog(folder, "spool")
        except OSError as error:
            raise StoreUnavailable(f"The spool cannot be opened: {error.strerror}.") from error

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return self._log.size_bytes

    def left_over(self) -> Iterator[tuple[Segment, bytes]]:
        """Yield what an earlier run left; say `done` to each when it is committed.

        Raises `Corrupted`, `StoreUnavailable`.
        """
        try:
            for segment in tuple(self._log.left_over):
                documents = list(entries(segment))
                segment.entries = len(documents)
                if not documents:
                    self._log.discard(segment)
                for document in documents:
                    yield segment, document
        except DamagedLog as error:
            raise Corrupted(str(error)) from error
        except OSError as error:
            raise StoreUnavailable(f"The spool cannot be read: {error.strerror}.") from error

    def add(self, document: bytes) -> Segment:
        """Take *document* over; it survives `kill -9` when this returns.

        Raises `StoreUnavailable`, which names the cause.
        """
        self._has_refused = True
        segment = self._append(document)
        self._has_refused = False
        segment.entries += 1
        return segment

    def check(self) -> None:
        """Return while records are taken; tries it, if the last one was not.

        Raises `StoreUnavailable`, which names the cause.
        """
        self._require_room(0)
        if self._has_refused:
            trial = self._folder / "trial"
            try:
                try:
                    trial.write_bytes(_TRIAL)
                finally:
                    trial.unlink(missing_ok=True)
            except OSError as error:
                raise _refusal(error) from error
            self._has_refused = False

    def _append(self, document: bytes) -> Segment:
        self._require_room(len(document))
        log = self._log
        try:
            if log.is_suspect or log.active.size_bytes >= self._rotate_bytes:
                log.rotate()
            return log.append(document)
        except OSError as error:
            raise _refusal(error) from error

    def _require_room(self, size_bytes: int) -> None:
        if self._log.size_bytes + size_bytes > self._max_bytes:
            raise StoreUnavailable(
                f"The spool of records is full ({self._max_bytes >> 20} MB): the database has not "
                "taken them."
            )
        if sum(segment.entries for segment in self._log.files) >= MAX_RECORDS:
            raise StoreUnavailable(
                f"{MAX_RECORDS} records wait for the database, and the spool holds no more."
            )

    def done(self, segment: Segment) -> None:
        """Note that one document of *segment* is in the database for good."""
        segment.entries -= 1
        if segment.entries:
            return
        if segment is self._log.active:
            if segment.size_bytes < self._rotate_bytes:
                return
            # A file that cannot be begun now is begun with the next record.
            with contextlib.suppress(OSError):
                self._log.rotate()
        if segment is not self._log.active:
            self._doubtful.discard(segment)
            self._log.discard(segment)

    async def sync(self) -> None:
        """Return when everything taken so far would survive a power cut.

        Raises `StoreUnavailable`.
        """
        try:
            await self._log.sync()
        except OSError as error:
            self._doubtful.update(segment for segment in self._log.files if segment.entries)
            raise StoreUnavailable(f"The spool was not synced: {error.strerror}.") from error
        if any(segment.entries for segment in self._doubtful):
            raise StoreUnavailable("The spool was not synced, and the database has not taken it.")

    async def close(self, *, empty: bool) -> None:
        """Close the files. *empty*: everything is committed, so they are deleted. Idempotent."""
        await self._log.close()
        if empty:
            self._log.delete_all()


def _refusal(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"The spool takes no record: {error.strerror}.")
