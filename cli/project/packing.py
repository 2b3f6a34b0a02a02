"""From a folder, with what a manifest includes and excludes, to the archive of an action.

Paths of `include` and `exclude` are relative to the manifest; where something goes is relative to
the folder. The same files make the same bytes, whenever and wherever they are packed.
"""

import glob
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from cli.develop.sources import files_of
from cli.project.manifest import Action

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
MOST_BYTES: Final = 256 << 20
"""Of all files of an archive, as they are: a platform takes 48 MiB when they are packed."""
_NEVER: Final = frozenset({"__pycache__"})
_WILD: Final = "*?["


def packed(folder: Path, action: Action, root: Path) -> bytes:
    """Return the archive of *folder* for *action*; *root* is where the manifest is.

    Raises `Failure` for what is to be included and is not there.
    """
    entries = {_inside(path, folder): path for path in files_of(folder, _NEVER)}
    hidden = {path.resolve() for pattern in action.exclude for path in _matching(root, pattern)}
    entries = {name: path for name, path in entries.items() if path.resolve() not in hidden}
    for words in action.include:
        for name, path in _included(words, action, root):
            entries[name] = path
    size = sum(path.stat().st_size for path in entries.values())
    if size > MOST_BYTES:
        raise action.place.refuse(
            f"the files of action '{action.name}' have {size} bytes, and {MOST_BYTES} are the most",
            f"they are those of {folder}, and what is included",
            f"add `exclude:` in {action.place}",
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (0o100000 | (entries[name].stat().st_mode & 0o777)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name].read_bytes())
    return buffer.getvalue()


def _included(words: tuple[str, ...], action: Action, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield names in the archive, and the files for them."""
    source, target = words[0], words[-1]
    found = list(_matching(root, source))
    if not found:
        raise action.place.refuse(
            f"action '{action.name}' includes '{source}', and there is no such file",
            f"it was looked for in {root}",
        )
    fixed = _fixed(source)
    is_wild = any(sign in source for sign in _WILD)
    is_file = (root / source).is_file()
    for path in found:
        below = os.path.relpath(path, root / fixed)
        if is_wild or not is_file:
            name = PurePosixPath(_fixed(target), below)
        elif target.endswith("/"):
            name = PurePosixPath(target, path.name)
        else:
            name = PurePosixPath(target)
        yield _safe(name, action), path


def _matching(root: Path, pattern: str) -> Iterator[Path]:
    """Yield the files that *pattern* means: one, those that match, those of a folder."""
    for found in sorted(glob.glob(str(root / pattern), recursive=True, include_hidden=True)):
        path = Path(found)
        if path.is_dir():
            yield from (each for each in sorted(path.rglob("*")) if each.is_file())
        else:
            yield path


def _fixed(pattern: str) -> str:
    """Return the folders of *pattern* before the first sign that stands for others."""
    parts = PurePosixPath(pattern).parts
    wild = next((at for at, part in enumerate(parts) if any(sign in part for sign in _WILD)), None)
    return str(PurePosixPath(*parts[:wild])) if parts else pattern


def _safe(name: PurePosixPath, action: Action) -> str:
    """Return *name* without steps up. Raises `Failure` when it leaves the archive."""
    clean = os.path.normpath(str(name))
    if clean.startswith(("..", "/")):
        raise action.place.refuse(
            f"action '{action.name}' includes '{name}', which is outside of its archive",
            "where it goes is relative to the folder of the function",
            'give a second word, as in ["../lib/*.py", "lib/"]',
        )
    return clean


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
