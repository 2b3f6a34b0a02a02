"""Archives as users send them, and as attackers do: base64 text, ready for the body of /init."""

import base64
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from typing import Final


def zipped(files: Mapping[str, str | bytes]) -> str:
    """Return a zip of *files*, by name."""
    return _zip(lambda archive: _add_all(archive, files))


def tarred(files: Mapping[str, str | bytes]) -> str:
    """Return a tar.gz of *files*, by name."""
    return _tar(lambda archive: _add_all_to_tar(archive, files))


def with_entry(entry_file: str, add: Callable[[zipfile.ZipFile], None]) -> str:
    """Return a zip that holds *entry_file*, and what *add* adds."""

    def fill(archive: zipfile.ZipFile) -> None:
        archive.writestr(entry_file, "")
        add(archive)

    return _zip(fill)


def _traversal(archive: zipfile.ZipFile) -> None:
    archive.writestr("../escaped.txt", "out")


def _deep_traversal(archive: zipfile.ZipFile) -> None:
    archive.writestr("a/b/../../../escaped.txt", "out")


def _backslashes(archive: zipfile.ZipFile) -> None:
    archive.writestr("..\\escaped.txt", "out")


def _absolute(archive: zipfile.ZipFile) -> None:
    archive.writestr("/escaped.txt", "out")


def _drive(archive: zipfile.ZipFile) -> None:
    archive.writestr("C:/escaped.txt", "out")


def _link(archive: zipfile.ZipFile) -> None:
    _special(archive, "link", stat.S_IFLNK | 0o777, "/etc/passwd")


def _device(archive: zipfile.ZipFile) -> None:
    _special(archive, "device", stat.S_IFCHR | 0o666, "")


def _fifo(archive: zipfile.ZipFile) -> None:
    _special(archive, "fifo", stat.S_IFIFO | 0o666, "")


def _bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("zeros", bytes(8 << 20), zipfile.ZIP_DEFLATED)


def _many_entries(archive: zipfile.ZipFile) -> None:
    for number in range(10_001):
        archive.writestr(f"{number}", b"")


HOSTILE: Final[Mapping[str, Callable[[zipfile.ZipFile], None]]] = {
    "traversal": _traversal,
    "deep traversal": _deep_traversal,
    "backslashes": _backslashes,
    "absolute": _absolute,
    "drive": _drive,
    "link": _link,
    "device": _device,
    "fifo": _fifo,
    "bomb": _bomb,
    "many entries": _many_entries,
}


def lying_bomb(entry_file: str) -> str:
    """Return a zip whose directory says that 8 MB of zeros are 10 bytes."""
    size = struct.pack("<I", 8 << 20)
    data = base64.b64decode(with_entry(entry_file, _bomb))
    return base64.b64encode(data.replace(size, struct.pack("<I", 10))).decode()


def cut_short(code: str) -> str:
    """Return the first half of the archive *code*."""
    data = base64.b64decode(code)
    return base64.b64encode(data[: len(data) // 2]).decode()


def damaged(code: str, original: bytes, changed: bytes) -> str:
    """Return the archive *code* with the stored bytes *original* changed."""
    data = base64.b64decode(code)
    assert original in data
    return base64.b64encode(data.replace(original, changed, 1)).decode()


def hostile_tar(entry_file: str, kind: bytes, name: str) -> str:
    """Return a tar.gz that holds *entry_file*, and *name* of type *kind*."""

    def fill(archive: tarfile.TarFile) -> None:
        _add_all_to_tar(archive, {entry_file: ""})
        entry = tarfile.TarInfo(name)
        entry.type = kind
        entry.linkname = "/etc/passwd"
        archive.addfile(entry)

    return _tar(fill)


def tar_bomb() -> str:
    """Return a tar.gz of 8 MB of zeros."""
    return tarred({"zeros": bytes(8 << 20)})


def _zip(fill: Callable[[zipfile.ZipFile], None]) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        fill(archive)
    return base64.b64encode(buffer.getvalue()).decode()


def _tar(fill: Callable[[tarfile.TarFile], None]) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        fill(archive)
    return base64.b64encode(buffer.getvalue()).decode()


def _special(archive: zipfile.ZipFile, name: str, mode: int, content: str) -> None:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3  # Unix: the upper half of the attributes is a mode
    entry.external_attr = mode << 16
    archive.writestr(entry, content)


def _add_all(archive: zipfile.ZipFile, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        archive.writestr(name, content)


def _add_all_to_tar(archive: tarfile.TarFile, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
