"""What the runtime of a sandbox is started with: its variables and its command line."""

import os
from typing import Final

from invoker.driver.port import SandboxSpec
from invoker.driver.process import interpreters
from invoker.driver.process.interpreters import Interpreter

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_OWN: Final = {interpreters.SKELETON: {"__OW_NATIVE_PROTOCOL": "skeleton"}}
# Beyond its memory limit, what a runtime has mapped before any code of a user: libraries' data,
# arenas, and the heap that V8 reserves. Only used where there are no cgroups.
_SLACK_MB: Final = {"python": 64, "native": 64, "nodejs": 768}


def environment(interpreter: Interpreter, spec: SandboxSpec) -> dict[str, str]:
    """Return the variables that the runtime begins with."""
    path = f"{os.path.dirname(interpreter.executable)}:{_PATH}"
    home = {"PATH": path, "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}
    return {**home, **spec.env, **_OWN.get(interpreter.kind, {})}


def command(interpreter: Interpreter, spec: SandboxSpec, folder: str) -> list[str] | None:
    """Return what is executed; None where a fork of a zygote goes on by itself.

    folder: of the runtimes, as the sandbox sees it.
    """
    if interpreter.is_forked:
        return None
    # V8 sizes its heap by the host's memory; it has to collect before the limit is reached.
    heap = f"--max-old-space-size={spec.memory_mb * 3 // 4}"
    proxy = f"{folder}/{interpreter.language}/proxy.js"
    return [interpreter.executable, heap, proxy, "--channel", "3"]


def data_mb(interpreter: Interpreter, spec: SandboxSpec) -> int:
    """Return how much the runtime may map, where nothing else limits its memory."""
    return spec.memory_mb + _SLACK_MB[interpreter.language]


def preloaded(interpreter: Interpreter, listed: str) -> list[str]:
    """Return the modules that a zygote imports beyond its runtime's own.

    listed: with commas between.
    """
    if interpreter.language != "python":
        return []
    return [name for name in map(str.strip, listed.split(",")) if name]


def repository(image: str) -> str:
    """Return *image* without its tag."""
    head, slash, name = image.rpartition("/")
    return head + slash + name.partition(":")[0]
