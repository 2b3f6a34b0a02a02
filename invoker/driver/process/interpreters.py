"""Which interpreters of this host can run which kinds.

A kind names its version (`python:3.11`, `nodejs:20`). Candidates come from the platform's own
interpreter, the search path and the usual places of version managers; a version is believed only
when the program itself says it, because names lie and shims are not programs. All are asked at the
same time, and none for longer than a deadline. A program of a user (`native`) needs none: what
starts it is written in Python, and run by the platform's own.
"""

import asyncio
import glob
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ASK_S: Final = 3.0
"""How long an interpreter may take to say its version; 15 ms (Python) to 60 ms (Node) is usual."""

ACTIONLOOP: Final = "native:actionloop"
SKELETON: Final = "native:skeleton"
NATIVE: Final = (ACTIONLOOP, SKELETON)
"""Programs that need no interpreter of ours: one that stays, one for each activation."""
OWN_PYTHON: Final = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
"""The program that runs the platform, no link of a virtual environment."""
_OWN_PREFIX: Final = os.path.realpath(sys.base_prefix)

_FOLDERS: Final = ("/usr/local/bin", "/usr/bin", "/bin")
_VERSION_FOLDERS: Final = {
    "python": ("~/.pyenv/versions/{}.*/bin", "~/.local/share/uv/python/cpython-{}.*/bin"),
    "nodejs": ("~/.nvm/versions/node/v{}.*/bin", "/opt/node-v{}*/bin", "/usr/local/node{}*/bin"),
}
_PYTHON_SAYS: Final = (
    "import sys;print('%d.%d'%sys.version_info[:2],sys.base_prefix,sys._base_executable,sep='\\n')"
)
_KIND: Final = re.compile(r"(python|nodejs):(\d+(?:\.\d+)?)\Z")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One program that runs a kind."""

    kind: str
    executable: str
    """The program itself, no shim and no link."""
    prefix: str
    """The folder that holds everything it needs beyond /usr."""

    @property
    def language(self) -> str:
        """The family of the kind, and the folder of its runtime."""
        return self.kind.partition(":")[0]

    @property
    def is_forked(self) -> bool:
        """Whether its sandboxes are forks of a zygote that has imported its runtime."""
        return self.language != "nodejs"


async def find(kinds: Sequence[str]) -> dict[str, Interpreter]:
    """Return an interpreter for each of *kinds* that this host has one for."""
    found = await asyncio.gather(*(_find_one(kind) for kind in kinds))
    return {each.kind: each for each in found if each is not None}


async def _find_one(kind: str) -> Interpreter | None:
    if kind in NATIVE:
        return Interpreter(kind, OWN_PYTHON, _OWN_PREFIX)
    match = _KIND.match(kind)
    if match is None:
        return None
    language, version = match.groups()
    ask = _ask_python if language == "python" else _ask_node
    for candidate in _candidates(language, version):
        interpreter = await ask(kind, version, candidate)
        if interpreter is not None:
            return interpreter
    return None


def _candidates(language: str, version: str) -> Iterator[str]:
    """Yield programs that exist, each once, the likeliest first."""
    names = (f"python{version}",) if language == "python" else ("node", "nodejs", f"node{version}")
    seen: set[str] = set()
    for path in _places(language, version, names):
        real = os.path.realpath(path)
        if real not in seen and os.path.isfile(real) and os.access(real, os.X_OK):
            seen.add(real)
            yield real


def _places(language: str, version: str, names: Sequence[str]) -> Iterator[str]:
    if language == "python" and version == "{}.{}".format(*sys.version_info):
        yield sys.executable
    for pattern in _VERSION_FOLDERS[language]:
        folders = sorted(glob.glob(os.path.expanduser(pattern.format(version))), reverse=True)
        yield from (os.path.join(folder, name) for folder in folders for name in names)
    for folder in (*os.get_exec_path(), *_FOLDERS):
        yield from (os.path.join(folder, name) for name in names)


async def _ask_python(kind: str, version: str, executable: str) -> Interpreter | None:
    # -I: without the user's variables and folders; -S: without what is installed beside it.
    said = await _ask(executable, "-I", "-S", "-c", _PYTHON_SAYS)
    if len(said) != 3 or said[0] != version:
        return None
    return Interpreter(kind, *_real(said[2], said[1]))


def _real(*paths: str) -> Iterator[str]:
    return map(os.path.realpath, paths)


async def _ask_node(kind: str, version: str, executable: str) -> Interpreter | None:
    said = await _ask(executable, "--version")
    if len(said) != 1 or said[0].removeprefix("v").split(".")[0] != version:
        return None
    return Interpreter(kind, executable, str(Path(executable).parent.parent))


async def _ask(*command: str) -> list[str]:
    """Return the lines that *command* prints; none if it fails or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError:
        return []
    try:
        async with asyncio.timeout(ASK_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace").splitlines() if process.returncode == 0 else []
