"""The folder that holds all state of one process, and the lock that it has on it.

    DIR/lock        who has it open: a process id
    DIR/guest.key   the key of the first namespace, `uuid:key`
    DIR/secret      what keys are encrypted under
    DIR/registries.key  what passwords of registries are encrypted under; invokers need it, too
    DIR/brisk.log   one JSON line per event
    DIR/store/      documents, code, records      DIR/journal/   accepted, not yet ended
    DIR/bus/        what a cluster's process remembers of the bus
    DIR/sandboxes/  what the driver must find again after a crash

Everything is readable by its owner alone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from common.errors import BriskError


class DataFolderInUse(BriskError):
    """Another platform has this data folder open."""


class DataFolderUnusable(BriskError):
    """The data folder cannot be used."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The places in one data folder. Made by `opened`, which holds the lock."""

    path: Path

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what the system says of a file in here into `DataFolderUnusable`."""
        try:
            yield
        except (OSError, UnicodeError) as error:
            raise DataFolderUnusable(
                f"The data folder {self.path} cannot be used: {error}"
            ) from error

    @property
    def key_file(self) -> Path:
        """The guest's key."""
        return self.path / "guest.key"

    @property
    def secret(self) -> Path:
        """The installation's secret."""
        return self.path / "secret"

    @property
    def registries_key(self) -> Path:
        """What passwords of registries are encrypted under."""
        return self.path / "registries.key"

    @contextmanager
    def opened_log(self) -> Iterator[BinaryIO]:
        """Yield the log, to append to it. Raises `DataFolderUnusable`."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with self.translated():
            file = os.fdopen(os.open(self.log, flags, 0o600), "ab")
        try:
            yield file
        finally:
            # The last lines, which a full disk did not take, are no reason to fail.
            with suppress(OSError):
                file.close()

    @property
    def log(self) -> Path:
        """The log."""
        return self.path / "brisk.log"

    @property
    def store(self) -> Path:
        """The stores' folder."""
        return self.path / "store"

    @property
    def journal(self) -> Path:
        """The journal's folder."""
        return self.path / "journal"

    @property
    def bus(self) -> Path:
        """What a process of a cluster remembers of the bus."""
        return self.path / "bus"

    @property
    def sandboxes(self) -> Path:
        """The driver's folder."""
        return self.path / "sandboxes"


@contextmanager
def opened(path: Path) -> Iterator[DataFolder]:
    """Yield the folder at *path*, made if need be, and locked for this process.

    Raises `DataFolderInUse`, naming the process that has it, and `DataFolderUnusable`.
    """
    folder = DataFolder(path.absolute())
    with folder.translated():
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
            raise DataFolderInUse(
                f"The data folder {folder.path} is in use by another platform (process {owner})."
            ) from error
        with folder.translated():
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield folder
    finally:
        os.close(lock)


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all. Raises `OSError`."""
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
