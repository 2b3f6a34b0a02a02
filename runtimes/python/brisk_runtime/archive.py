"""Unpack what a stranger packed.

An archive is read for what it says about itself first, and refused as a whole before the first
byte is written, if any entry would land elsewhere, is no plain file or folder, or if the sums are
those of a bomb. What it says may be a lie, so the same bounds hold while bytes are written.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib

# 10 000: a large node_modules or site-packages has a few thousand files.
MAX_ENTRIES = 10_000
# 512 MB: the most memory an action may ask for by default, and /tmp counts against it.
MAX_TOTAL_BYTES = 512 << 20
# 200: text of one repeated letter deflates to 1/1000, real trees of sources to 1/3 … 1/10.
MAX_RATIO = 200
# 1 MB: below that a high ratio is an empty file table or a page of zeros, not an attack.
RATIO_FLOOR_BYTES = 1 << 20
MAX_NAME_BYTES = 1_024

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_GZIP_MAGIC = b"\x1f\x8b\x08"
_DRIVE = re.compile(r"[A-Za-z]:")
_COPY_BYTES = 65_536


class Refused(Exception):
    """The archive is damaged, or not one that is unpacked here."""


def is_archive(data: bytes) -> bool:
    """Tell whether *data* begins as a zip or a gzip file does."""
    return data[:4] in _ZIP_MAGIC or data[:3] == _GZIP_MAGIC


def unpack(data: bytes, folder: str) -> None:
    """Unpack the zip or tar.gz *data* into *folder*. Raises `Refused`, perhaps half-way."""
    budget = Budget(len(data))
    try:
        if data[:3] == _GZIP_MAGIC:
            _unpack_tar(data, folder, budget)
        else:
            _unpack_zip(data, folder, budget)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        NotImplementedError,  # a compression method that zipfile lacks
        RuntimeError,  # an encrypted entry
        struct.error,
        LookupError,
        ValueError,
        UnicodeError,
    ) as error:
        raise Refused(f"The archive can't be read: {error}") from error
    except OSError as error:
        raise Refused(f"The archive can't be unpacked: {error.strerror or error}") from error


class Budget:
    """What one archive may still unpack."""

    def __init__(self, packed_bytes: int) -> None:
        self._ceiling = min(MAX_TOTAL_BYTES, max(RATIO_FLOOR_BYTES, packed_bytes * MAX_RATIO))
        self._entries = 0
        self._total = 0

    def enter(self) -> None:
        """Count one entry."""
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise Refused(f"The archive has more than {MAX_ENTRIES} entries.")

    def spend(self, size: int) -> None:
        """Count *size* bytes that are about to be written."""
        self._total += size
        if self._total > self._ceiling:
            raise Refused(f"The archive unpacks to more than {self._ceiling} bytes.")


def safe_path(name: str, folder: str) -> str:
    """Return where the entry *name* goes. Raises `Refused` where that is not inside *folder*."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    leaves = name.startswith(("/", "\\")) or ".." in parts or _DRIVE.match(name)
    if leaves or "\0" in name or len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise Refused(f"The archive has an entry outside of it: {name[:80]!r}")
    return os.path.join(folder, *parts)


def _unpack_zip(data: bytes, folder: str, budget: Budget) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        entries = packed.infolist()
        for entry in entries:
            budget.enter()
            safe_path(entry.filename, folder)
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise Refused(f"The archive has an entry that is no file: {entry.filename[:80]!r}")
        declared = Budget(len(data))
        declared.spend(sum(entry.file_size for entry in entries))
        for entry in entries:
            path = safe_path(entry.filename, folder)
            if entry.is_dir():
                os.makedirs(path, exist_ok=True)
                continue
            with packed.open(entry) as source:
                _write(source, path, (entry.external_attr >> 16) & 0o777, budget)


def _unpack_tar(data: bytes, folder: str, budget: Budget) -> None:
    inflated = _inflate(data, budget)
    with tarfile.open(fileobj=io.BytesIO(inflated), mode="r:") as packed:
        entries = []
        for entry in packed:
            budget.enter()
            safe_path(entry.name, folder)
            if not entry.isreg() and not entry.isdir():
                raise Refused(f"The archive has an entry that is no file: {entry.name[:80]!r}")
            entries.append(entry)
        for entry in entries:
            path = safe_path(entry.name, folder)
            if entry.isdir():
                os.makedirs(path, exist_ok=True)
                continue
            source = packed.extractfile(entry)
            if source is None:
                raise Refused(f"The archive has an entry without bytes: {entry.name[:80]!r}")
            with source:
                _write(source, path, entry.mode & 0o777, Budget(len(inflated)))


def _inflate(data: bytes, budget: Budget) -> bytes:
    """Return what gzip *data* holds; never more than the budget in memory."""
    inflater = zlib.decompressobj(wbits=31)
    pieces = []
    while not inflater.eof:
        piece = inflater.decompress(data, _COPY_BYTES)
        data = inflater.unconsumed_tail
        if not piece and not data:
            raise EOFError("it ends too early")
        budget.spend(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


def _write(source, path: str, mode: int, budget: Budget) -> None:  # type: ignore[no-untyped-def]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        while True:
            piece = source.read(_COPY_BYTES)
            if not piece:
                break
            budget.spend(len(piece))
            file.write(piece)
        os.fchmod(file.fileno(), mode | 0o600 or 0o644)
