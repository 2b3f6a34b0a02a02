"""The files that an action is made of, and whether they are still the same."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeAlias

Stamp: TypeAlias = tuple[tuple[str, int, int], ...]
"""Of each file its path, the time of its last change in ns, and its size in bytes."""
NEVER: Final = frozenset({"__pycache__", "venv", "node_modules", "virtualenv"})
"""Folders that tools make; what an action needs of them is built from its lock."""


def files_of(place: Path, built: frozenset[str] = NEVER) -> list[Path]:
    """Return the files of *place*, a file or a folder, in order; hidden ones are left out.

    built: names of folders that are not looked into.
    """
    return sorted(_walk(place, built)) if place.is_dir() else [place]


def _walk(folder: Path, built: frozenset[str]) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.name.startswith(".") or entry.name.endswith(".pyc"):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in built:
                yield from _walk(Path(entry.path), built)
        elif entry.is_file():
            yield Path(entry.path)


def stamp(place: Path) -> Stamp:
    """Return what changes when a file is written; one that is just being replaced is left out."""
    found = []
    for path in files_of(place):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found.append((str(path), state.st_mtime_ns, state.st_size))
    return tuple(found)


def digest(place: Path) -> str:
    """Return a hash of names and contents: an editor that saves the same again changes nothing."""
    seen = sha256()
    for path in files_of(place):
        content = path.read_bytes()
        seen.update(f"{path}\0{len(content)}\0".encode())
        seen.update(content)
    return seen.hexdigest()
