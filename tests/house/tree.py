"""The files of this repository that the house rules are about."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PARTS: Final = ("common", "controller", "invoker", "cli")
_FOLDERS: Final = (*PARTS, "runtimes", "deploy", "docs", "tests", ".ci")
_FOREIGN: Final = re.compile(r"__pycache__|node_modules|build|\..+_cache|\.hypothesis")


def files(*folders: str) -> Iterator[Path]:
    """Yield the files below *folders*, or else all that are ours, with those at the top."""
    if not folders:
        # `.git` is a file where this is a second work tree, and no file of ours.
        yield from (
            path for path in sorted(ROOT.iterdir()) if path.is_file() and path.name != ".git"
        )
    for folder in folders or _FOLDERS:
        for parent, inner, names in os.walk(ROOT / folder):
            inner[:] = sorted(name for name in inner if not _FOREIGN.fullmatch(name))
            yield from (Path(parent, name) for name in sorted(names))


def python(*folders: str) -> list[Path]:
    """Return the Python files below *folders*, or else all."""
    return [path for path in files(*folders) if path.suffix == ".py"]


def shown(path: Path) -> str:
    """Return the path from the top of the repository."""
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    """Return what a file is imported as."""
    return shown(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
