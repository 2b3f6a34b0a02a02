"""What an action imports of others: resolved once for each lock, and kept.

The result is an archive of its own, named by the hash of everything that decides what is in it; all
actions with the same lock share it. Each build is a plain run of the language's own tool, in a
folder that is thrown away, and takes its place whole or not at all.
"""

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from cli import environment
from cli.failures import MISUSE, Failure, Remedy

BUILD_S: Final = 600.0
"""What a tool may take: it may have to compile."""
OURS: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
REQUIREMENTS: Final = "requirements.txt"
MANIFEST: Final = "package.json"
_LOCK: Final = "package-lock.json"
_ACTIVATE: Final = """\
import os
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(root, "lib", "python{version}", "site-packages"))
"""


def cache() -> Path:
    """Return the folder of finished builds."""
    base = environment.variable("XDG_CACHE_HOME")
    return (Path(base).absolute() if base else Path.home() / ".cache") / "brisk" / "builds"


def for_python(folder: Path, version: str, tell: Callable[[str], None]) -> Path | None:
    """Return the archive of `requirements.txt` for Python *version*, None without that file.

    Raises `Failure` with what pip said.
    """
    if not (folder / REQUIREMENTS).is_file():
        return None
    locks = sorted(folder.glob("requirements*.txt"))
    kept = _place("python", version, locks)

    def build(work: Path) -> None:
        tell(f"resolving {REQUIREMENTS} for python {version}")
        site = work / "virtualenv" / "lib" / f"python{version}" / "site-packages"
        foreign = () if version == OURS else ("--python-version", version, "--only-binary=:all:")
        pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet")
        where = ("--target", str(site), "-r", REQUIREMENTS)
        _run([*pip, *foreign, *where], folder, REQUIREMENTS)
        activate = work / "virtualenv" / "bin" / "activate_this.py"
        activate.parent.mkdir(parents=True)
        activate.write_text(_ACTIVATE.format(version=version))

    return _kept(kept, build)


def for_nodejs(folder: Path, tell: Callable[[str], None]) -> Path | None:
    """Return the archive of what `package.json` depends on, None when that is nothing.

    Raises `Failure` with what npm said.
    """
    if not needs_modules(folder):
        return None
    has_lock = (folder / _LOCK).is_file()
    locks = [folder / MANIFEST, *([folder / _LOCK] if has_lock else [])]
    kept = _place("nodejs", "", locks)

    def build(work: Path) -> None:
        tell(f"resolving {_LOCK if has_lock else MANIFEST}")
        for lock in locks:
            shutil.copy(lock, work)
        how = ("ci",) if has_lock else ("install", "--no-package-lock")
        _run(["npm", *how, "--omit=dev", "--no-audit", "--no-fund"], work, MANIFEST)
        for lock in locks:
            (work / lock.name).unlink()
        shutil.rmtree(work / "node_modules" / ".bin", ignore_errors=True)

    return _kept(kept, build)


def needs_modules(folder: Path) -> bool:
    """Tell whether the `package.json` of *folder* depends on anything. Raises `Failure`."""
    path = folder / MANIFEST
    if not path.is_file():
        return False
    try:
        manifest = json.loads(path.read_text())
    except ValueError as error:
        raise Failure(
            f"{path} is not JSON: {error}", MISUSE, remedy=Remedy(fix=f"correct {path}")
        ) from error
    return isinstance(manifest, dict) and bool(manifest.get("dependencies"))


def _place(language: str, version: str, locks: Sequence[Path]) -> Path:
    seen = sha256(f"{language}\0{version}\0{sys.platform}\0{platform.machine()}".encode())
    for lock in locks:
        content = lock.read_bytes()
        seen.update(f"\0{lock.name}\0{len(content)}\0".encode() + content)
    return cache() / f"{language}-{seen.hexdigest()[:32]}.zip"


def _kept(kept: Path, build: Callable[[Path], None]) -> Path:
    """Return the archive *kept*, made by *build* if nobody has yet."""
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as scratch:
        work, draft = Path(scratch) / "tree", Path(scratch) / "draft.zip"
        work.mkdir()
        build(work)
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(work.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, path.relative_to(work))
        draft.replace(kept)
    return kept


def _run(command: Sequence[str], folder: Path, lock: str) -> None:
    tool = "pip" if "pip" in command else command[0]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BUILD_S,
            check=False,
        )
    except FileNotFoundError as error:
        said = f"{command[0]} is not installed, and {lock} needs it"
        raise Failure(said, MISUSE, remedy=Remedy(fix=f"install {command[0]}")) from error
    except subprocess.TimeoutExpired as error:
        said = f"{tool} did not end within {BUILD_S:.0f} s"
        raise Failure(said, remedy=Remedy(fix=f"make {lock} shorter, or try again")) from error
    if done.returncode != 0:
        raise Failure(
            f"{tool} could not resolve {lock}",
            remedy=Remedy(_reason(done.stderr or done.stdout), f"correct {folder / lock}"),
        )


def _reason(printed: str) -> str:
    """Return the line that says why: the last that calls itself an error, else the last."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    errors = [line for line in lines if "err" in line.lower() and "log of this run" not in line]
    told = errors or lines or ["it did not say why"]
    # npm ends with where its log is; what went wrong comes first there, and last in pip.
    chosen = told[0] if told[0].startswith("npm") else told[-1]
    return chosen.removeprefix("ERROR: ").removeprefix("npm error ")[:300]
