"""A log on disk that is only appended to: one write per entry, read again after a crash.

The spool of records and the journal of the bus are such logs. An entry survives `kill -9` once
`append` returns, because the kernel has it, and a power cut once `sync` returns. A log is a row of
numbered files in a folder of its own: appends go to the newest; an older file is discarded when its
owner needs none of its entries any more. Every start begins a new file, so nothing is ever written
behind an entry that a crash has torn.

An entry is one line: its length and its CRC-32 in hexadecimal, then its bytes, then a line break.
A torn entry at the end of a file was never acknowledged and is left out. A damaged entry with a
sound one behind it is no accident of a crash: it raises `DamagedLog`, which names file and place.
"""

import contextlib
import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from zlib import crc32

from common.errors import BriskError
from common.rounds import Rounds, RoundsClosed, RoundsFull

_HEAD: Final = len(b"01234567 01234567 ")
_SUFFIX: Final = ".log"
# Callers that wait for the same fsync; each is a request that has passed the throttles.
_MOST_WAITING: Final = 10_000
_CLOSED: Final = "The log is closed"


class DamagedLog(BriskError):
    """A log file is damaged in its middle."""


class Segment:
    """One file of a log."""

    __slots__ = ("_fd", "entries", "number", "path", "size_bytes")

    def __init__(self, path: Path, number: int) -> None:
        """Describe a file that is there; *entries* is for its owner, who counts what it needs."""
        self.path = path
        self.number = number
        self.entries = 0
        self.size_bytes = 0
        self._fd = -1

    @classmethod
    def create(cls, path: Path, number: int) -> "Segment":
        """Make a new, empty file that only this user can read. Raises `OSError`."""
        segment = cls(path, number)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        segment._fd = os.open(path, flags, 0o600)
        return segment

    def append(self, data: bytes) -> None:
        """Write *data* whole or not at all. Raises `OSError`."""
        rest = data
        try:
            # A full disk takes a part first, and names the error at the next attempt.
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            self._cut_off()
            raise
        self.size_bytes += len(data)

    def sync(self) -> None:
        """Return when everything in the file would survive a power cut. Raises `OSError`."""
        os.fdatasync(self._fd)

    @property
    def is_open(self) -> bool:
        """Whether entries can be appended."""
        return self._fd >= 0

    def close(self) -> None:
        """Let the file go; it stays on disk. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _cut_off(self) -> None:
        # Otherwise the next entry would stand behind half of this one.
        try:
            os.ftruncate(self._fd, self.size_bytes)
        except OSError:
            self.close()


class AppendLog:
    """Owned by one event loop. `append` is called there; only `sync` leaves it."""

    def __init__(self, folder: Path, name: str) -> None:
        """Open the log of *folder*, which is made if need be, and begin a new file.

        name: of the files; they are called `<name>-<number>.log`.

        Raises `OSError`.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._name = name
        self.left_over: list[Segment] = left_over(folder, name)
        """What an earlier run left, oldest first. The owner reads each, then discards it."""
        self._next = self.left_over[-1].number + 1 if self.left_over else 1
        self._open: tuple[Segment, ...] = ()
        self._discarded: deque[Segment] = deque()
        self._sync_has_failed = False
        self._is_closed = False
        self.active = self.rotate()
        self._rounds: Rounds[None, None] = Rounds(
            self._round, name=f"{name}-sync", at_once=_MOST_WAITING, most_waiting=_MOST_WAITING
        )

    @property
    def size_bytes(self) -> int:
        """Bytes of all files that have not been discarded."""
        return sum(segment.size_bytes for segment in self.files)

    @property
    def files(self) -> tuple[Segment, ...]:
        """Every file that has not been discarded, oldest first."""
        return (*self.left_over, *self._open)

    @property
    def is_suspect(self) -> bool:
        """Whether the newest file failed, so that a sync that succeeds proves nothing for it.

        After a failed fsync the kernel may drop what it could not write. `rotate` helps.
        """
        return self._sync_has_failed or not self.active.is_open

    def append(self, *entries: bytes) -> Segment:
        """Write *entries* with one call and return the file that holds them. Raises `OSError`."""
        self.active.append(b"".join(map(framed, entries)))
        return self.active

    def rotate(self) -> Segment:
        """Begin a new file and return it. Raises `OSError`; then the old one goes on."""
        if self._is_closed:
            raise OSError(errno.EBADF, _CLOSED)
        number = self._next
        self.active = Segment.create(self._folder / f"{self._name}-{number:08d}{_SUFFIX}", number)
        self._next = number + 1
        self._open = (*self._open, self.active)
        self._folder_is_synced = False
        self._sync_has_failed = False
        return self.active

    async def sync(self) -> None:
        """Return when everything appended so far would survive a power cut. Raises `OSError`."""
        try:
            await self._rounds.post(None)
        except RoundsFull as error:
            raise OSError(errno.EAGAIN, f"{_MOST_WAITING} callers wait for the disk") from error
        except RoundsClosed as error:
            raise OSError(errno.EBADF, _CLOSED) from error
        except OSError:
            self._sync_has_failed = True
            raise

    def discard(self, segment: Segment) -> None:
        """Delete a file that is not the active one, once no sync is at work on it."""
        if segment in self.left_over:
            self.left_over.remove(segment)
        self._open = tuple(other for other in self._open if other is not segment)
        self._discarded.append(segment)
        # Full means that a round is coming anyway; closed, that the next start will do it.
        with contextlib.suppress(RoundsFull, RoundsClosed):
            _ = self._rounds.post(None)

    async def close(self) -> None:
        """Close the files; they stay on disk. Idempotent."""
        self._is_closed = True
        await self._rounds.close()
        for segment in self._open:
            segment.close()

    def delete_all(self) -> None:
        """Delete every file of a closed log, because nothing in them is needed."""
        for segment in self.files:
            _delete(segment)

    def _round(self, callers: Sequence[None]) -> Sequence[Exception | None]:
        """Delete what is discarded and sync the rest, in the log's own thread."""
        while self._discarded:
            _delete(self._discarded.popleft())
        if not self._folder_is_synced:
            # Before the call: a file that begins meanwhile makes it False again.
            self._folder_is_synced = True
            try:
                sync_folder(self._folder)
            except OSError:
                self._folder_is_synced = False
                raise
        for segment in self._open:
            segment.sync()
        return callers


def framed(entry: bytes) -> bytes:
    """Return the line that holds *entry*."""
    return b"%08x %08x %b\n" % (len(entry), crc32(entry), entry)


def entries(segment: Segment) -> Iterator[bytes]:
    """Yield the entries of a left-over file. Raises `DamagedLog`, `OSError`."""
    data = segment.path.read_bytes()
    segment.size_bytes = len(data)
    at = 0
    while at < len(data):
        entry = _entry_at(data, at)
        if entry is None:
            _require_torn(segment, data, at)
            return
        yield entry
        at += _HEAD + len(entry) + 1


def sync_folder(folder: Path) -> None:
    """Return when the names in *folder* would survive a power cut. Raises `OSError`."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def left_over(folder: Path, name: str) -> list[Segment]:
    """Return the files of the log *name*, oldest first, also of one that is written to now."""
    found = [
        Segment(path, int(path.stem.removeprefix(f"{name}-")))
        for path in folder.glob(f"{name}-{'[0-9]' * 8}{_SUFFIX}")
    ]
    for segment in found:
        segment.size_bytes = segment.path.stat().st_size
    return sorted(found, key=lambda segment: segment.number)


def _delete(segment: Segment) -> None:
    # What cannot be deleted is read again at the next start, which does no harm.
    with contextlib.suppress(OSError):
        segment.close()
        segment.path.unlink(missing_ok=True)


def _entry_at(data: bytes, at: int) -> bytes | None:
    head = data[at : at + _HEAD]
    try:
        length, checksum = int(head[:8], 16), int(head[9:17], 16)
    except ValueError:
        return None
    end = at + _HEAD + length
    entry = data[at + _HEAD : end]
    is_whole = head[8:9] == head[17:18] == b" " and data[end : end + 1] == b"\n"
    return entry if is_whole and crc32(entry) == checksum else None


def _require_torn(segment: Segment, data: bytes, at: int) -> None:
    line_end = data.find(b"\n", at)
    while line_end >= 0:
        if _entry_at(data, line_end + 1) is not None:
            raise DamagedLog(
                f"The file {segment.path} is damaged at byte {at}. Keep a copy, then cut it "
                "there or move it away; what stands behind that place is not read."
            )
        line_end = data.find(b"\n", line_end + 1)
