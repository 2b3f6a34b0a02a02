"""The file of a backup: written whole or not at all, and read with its sums looked at.

It is written beside its name and moved there at the end, so a full disk, a crash or Ctrl-C leaves
nothing under the name. Only its owner may read it. A file that is cut off or was changed is noticed
by the line at its end.
"""

import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cli.upkeep import archive
from cli.upkeep.archive import (
    BackupUnreadable,
    Closed,
    Code,
    Document,
    Head,
    Item,
    Record,
    Secret,
    Tally,
)
from common.append_log import sync_folder
from common.errors import BriskError

# Code of the largest request that a platform takes, as base64, and more.
_LONGEST_BYTES: Final = 256 << 20
_LEVEL: Final = 6


class BackupNotWritten(BriskError):
    """The backup cannot be written."""


class BackupExists(BackupNotWritten):
    """There is a file of this name."""


class ArchiveWriter:
    """A backup that is being written. Made by `writing`."""

    def __init__(self, file: gzip.GzipFile) -> None:
        """Write into *file*."""
        self._file = file
        self._digest = sha256()
        self._lines = 0
        self.tally = Tally()

    def begin(self, head: Head) -> None:
        """Write the first line."""
        self._write(archive.head_line(head))

    def add(self, item: Item) -> None:
        """Write an item, and count it. Raises `MalformedRecord`."""
        match item:
            case Document() | Code():
                self.tally.add(item)
            case Record(shard, document):
                self.tally.add_record(shard, document)
            case Closed():
                self.tally.add_closed(item)
            case Secret():
                pass  # not of the stores
        self._write(archive.line_of(item))

    def end(self) -> None:
        """Write the last line, after which the backup is whole."""
        line = archive.end_line(self.tally, self._lines, self._digest.hexdigest())
        self._file.write(line)

    def _write(self, line: bytes) -> None:
        self._file.write(line)
        self._digest.update(line)
        self._lines += 1


@contextmanager
def writing(path: Path, *, force: bool) -> Iterator[ArchiveWriter]:
    """Give a writer; its file has the name *path* when the block has ended well.

    force: also where there is a file of that name, which is replaced then.
    Raises `BackupExists`, `BackupNotWritten`.
    """
    if path.exists() and not force:
        raise BackupExists(f"{path} is there already; --force replaces it.")
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                with gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
                    yield ArchiveWriter(packed)
                file.flush()
                os.fsync(file.fileno())
            if force:
                draft.replace(path)
            else:
                # A link, not a rename: a file that has come there meanwhile stays.
                path.hardlink_to(draft)
            sync_folder(path.absolute().parent)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as error:
        raise BackupExists(f"{path} is there already; --force replaces it.") from error
    except OSError as error:
        raise BackupNotWritten(
            f"The backup {path} cannot be written: {error.strerror}. Nothing is left of it."
        ) from error


class ArchiveReader:
    """A backup that is being read. Made by `reading`."""

    def __init__(self, path: Path, file: gzip.GzipFile, known_layout: int) -> None:
        """Read the first line of *file*. Raises `BackupUnreadable`."""
        self._path = path
        self._file = file
        self._first = file.readline(_LONGEST_BYTES)
        self.head: Head = archive.read_head(self._first, known_layout)
        self.tally: Mapping[str, Any] = {}
        """What the end says of all items, once they were read."""

    def items(self) -> Iterator[Item]:
        """Yield the items; their end is reached only if the backup is whole and sound.

        Raises `BackupUnreadable`.
        """
        digest, lines = sha256(self._first), 1
        with _told(self._path):
            while line := self._file.readline(_LONGEST_BYTES):
                item = archive.read_item(line)
                if isinstance(item, dict):
                    said = item.pop("lines", None), item.pop("sha256", None)
                    if said != (lines, digest.hexdigest()) or self._file.readline(1):
                        raise BackupUnreadable(
                            f"{self._path} was changed after it was written: its end says "
                            "something else."
                        )
                    self.tally = item
                    return
                digest.update(line)
                lines += 1
                yield item
            raise EOFError


@contextmanager
def reading(path: Path, known_layout: int) -> Iterator[ArchiveReader]:
    """Give a reader of the backup *path*. Raises `BackupUnreadable`."""
    with _told(path), gzip.open(path, "rb") as file:
        yield ArchiveReader(path, file, known_layout)


@dataclass(frozen=True, slots=True)
class Examined:
    """A backup that was read from its beginning to its end, and is whole."""

    path: Path
    head: Head
    tally: Mapping[str, Any]
    secret: Secret | None


def examined(path: Path, known_layout: int) -> Examined:
    """Read a whole backup. Raises `BackupUnreadable`."""
    with reading(path, known_layout) as backup:
        secret = None
        for item in backup.items():
            secret = item if isinstance(item, Secret) else secret
        return Examined(path, backup.head, backup.tally, secret)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the file itself is found to be into `BackupUnreadable`."""
    try:
        yield
    except EOFError as error:
        raise BackupUnreadable(
            f"{path} is not whole: it has no end. Take another copy of it."
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BackupUnreadable(f"{path} is no backup, or damaged: {error}.") from error
    except OSError as error:
        raise BackupUnreadable(f"{path} cannot be read: {error.strerror}.") from error
