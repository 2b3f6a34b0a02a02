"""From a folder to the archive that a runtime loads: its own files, and what they import."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.develop import packages
from cli.develop.sources import NEVER, files_of
from cli.failures import MISUSE, Failure, Remedy

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive: the same files make the same bytes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is sent: the kind, and the archive."""

    kind: str
    content: bytes


def bundle(folder: Path, kind: str | None, tell: Callable[[str], None]) -> Bundle:
    """Return the archive of *folder*; *tell* is told what takes long.

    kind: as it was typed; None is found out by the files.
    Raises `Failure` when there is nothing to call in the folder, or its packages do not resolve.
    """
    language = _language(folder, kind)
    if language == "python":
        version = (kind or "").partition(":")[2]
        needs = (folder / packages.REQUIREMENTS).is_file()
        exact = packages.OURS if version in ("", "default", "3") else version
        base = packages.for_python(folder, exact, tell)
        # What was resolved for one version must not be given to another.
        chosen = f"python:{exact}" if needs else kind or "python:default"
    else:
        base = packages.for_nodejs(folder, tell)
        chosen = kind or "nodejs:default"
    built = NEVER if base else frozenset({"__pycache__", "venv"})
    return Bundle(chosen, _archive(folder, files_of(folder, built), base))


def _language(folder: Path, kind: str | None) -> str:
    entries = {"python": ("__main__.py",), "nodejs": ("package.json", "index.js")}
    there = [
        of for of, names in entries.items() if any((folder / name).is_file() for name in names)
    ]
    typed = (kind or "").partition(":")[0]
    if typed and typed not in entries:
        raise Failure(
            f"A folder cannot be built for the kind '{kind}'",
            MISUSE,
            remedy=Remedy("folders are built for python and nodejs", "give a file or an archive"),
        )
    if typed in there or (not typed and len(there) == 1):
        return typed or there[0]
    if there and not typed:
        raise Failure(
            f"The folder '{folder}' is of two languages",
            MISUSE,
            remedy=Remedy(f"it has files of {' and '.join(there)}", "add --kind python:default"),
        )
    wanted = [typed] if typed else list(entries)
    lacks = " nor ".join(name for of in wanted for name in entries[of])
    raise Failure(
        f"The folder '{folder}' has nothing to call",
        MISUSE,
        remedy=Remedy(f"no {lacks} is in it", _rename(folder, wanted)),
    )


def _rename(folder: Path, languages: list[str]) -> str:
    """Return the command that makes the likeliest file the one that is called."""
    entries = {"python": ("__main__.py", "*.py"), "nodejs": ("index.js", "*.js")}
    for entry, pattern in (entries[language] for language in languages):
        found = sorted(folder.glob(pattern))
        if found:
            likely = next((path for path in found if path.stem in ("main", folder.name)), found[0])
            return f"mv {likely} {folder / entry}"
    return f"add {folder / entries[languages[0]][0]} with a function main"


def _archive(folder: Path, files: list[Path], base: Path | None) -> bytes:
    buffer = io.BytesIO(base.read_bytes() if base else b"")
    with zipfile.ZipFile(buffer, "a" if base else "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = (0o100000 | (path.stat().st_mode & 0o777)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
