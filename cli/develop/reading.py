"""What can be said of code before it is sent: whether it can be read, and what is to be called."""

import ast
import shlex
import zipfile
from pathlib import Path
from typing import Final

from cli.develop.packages import OURS
from cli.failures import MISUSE, Change, Failure, Remedy
from cli.mending import nearest

_OUR_KINDS: Final = (None, "python:default", "python:3", f"python:{OURS}")
"""Those whose syntax is that of the Python which runs this."""
_ENTRIES: Final = {"python": ("__main__.py",), "nodejs": ("package.json", "index.js")}
_LIKELY: Final = {"python": (".py", "__main__.py"), "nodejs": (".js", "index.js")}


def check(path: Path, kind: str | None, main: str | None) -> None:
    """Raise `Failure` for a file or folder that cannot be an action; what is not known passes."""
    if path.suffix == ".zip":
        _check_archive(path, kind)
        return
    source = path / "__main__.py" if path.is_dir() else path
    if source.suffix == ".py" and kind in _OUR_KINDS and source.is_file():
        _check_python(source, main)


def _check_python(path: Path, main: str | None) -> None:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        at = f"{path}:{line}" if line else str(path)
        said = getattr(error, "msg", None) or error
        why = "Python cannot read the file; nothing was stored"
        raise Failure(f"{at}: {said}", MISUSE, remedy=Remedy(why, f"correct {at}")) from error
    names = _defined(tree)
    wanted = main or "main"
    if names is None or wanted.partition(".")[0] in names:
        return
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    change = None
    if main is not None:
        change = nearest(main, functions) or (
            Change((main,), (functions[0],)) if functions else None
        )
    elif functions:
        change = Change((), ("--main", next((f for f in functions if f[0] != "_"), functions[0])))
    raise Failure(
        f"There is no function '{wanted}' in {path}",
        MISUSE,
        remedy=Remedy("an action is a function of one argument", f"add def {wanted}(args)", change),
    )


def _defined(tree: ast.Module) -> set[str] | None:
    """Return the names that a module defines; None when they cannot be known without running it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                return None
            case ast.Name(id="globals" | "exec" | "locals" | "vars"):
                return None
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=other):
                names.add(other or name.partition(".")[0])
            case _:
                pass
    return names


def _check_archive(path: Path, kind: str | None) -> None:
    language = (kind or "").partition(":")[0]
    entries = _ENTRIES.get(language)
    found = names_in(path)
    if entries is None or found is None or any(name in found for name in entries):
        return
    raise Failure(
        f"The archive '{path}' has no {' or '.join(entries)} at its root",
        MISUSE,
        remedy=Remedy(
            "that is the file which is called", "add it", _unpacked(path, language, found)
        ),
    )


def names_in(path: Path) -> list[str] | None:
    """Return the names of the files in a zip archive; None when it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return None


def kind_of_archive(path: Path) -> str:
    """Return the kind that an archive looks like."""
    found = names_in(path) or []
    is_node = any(name.rsplit("/")[-1] in _ENTRIES["nodejs"] for name in found)
    return "nodejs:default" if is_node else "python:default"


def kind_of_text(path: Path) -> str:
    """Return the kind that a source file looks like."""
    try:
        ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return "nodejs:default"
    return "python:default"


def _unpacked(path: Path, language: str, found: list[str]) -> Change | None:
    """Return how to give the unpacked folder, with its likeliest file as the one that is called."""
    suffix, entry = _LIKELY[language]
    folder = path.with_suffix("")
    if folder.exists():
        return None
    unpack = shlex.join(["python3", "-m", "zipfile", "-e", str(path), str(folder)])
    for name in found:
        inside, slash, file = name.rpartition("/")
        if slash and file == entry:  # The folder was packed, and not what is in it.
            return Change((str(path),), (str(folder / inside),), unpack)
    likely = sorted(
        (name for name in found if name.endswith(suffix) and "/" not in name),
        key=lambda name: name.removesuffix(suffix) not in ("main", "index", "app", folder.name),
    )
    if not likely:
        return None
    rename = shlex.join(["mv", str(folder / likely[0]), str(folder / entry)])
    return Change((str(path),), (str(folder),), f"{unpack} && {rename}")
