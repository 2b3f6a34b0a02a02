"""Try what a zygote, its clones and keepers do, and say of each `ok` or what this host refuses."""

from __future__ import annotations

import os
import signal

from invoker.driver.process.inside import confine, kernel, tracing, zygote


def main() -> None:
    """Print `ok`, or the first refusal: of namespaces, then of templates."""
    try:
        rootless = os.geteuid() != 0
        if rootless:
            zygote.become_root_of_namespace()
        else:
            kernel.unshare(kernel.NEW_MOUNT)
        kernel.mount("none", "/", "", kernel.RECURSIVE | kernel.PRIVATE)
        said = _try_clone(rootless)
    except OSError as error:
        said = str(error)
    os.write(1, (said + "\n").encode())
    try:
        said = _try_tracing()
    except (OSError, tracing.Disobeyed) as error:
        said = str(error)
    os.write(1, (said + "\n").encode())


def _try_tracing() -> str:
    """Move a child by a system call; it is killed with us."""
    if not tracing.is_possible():
        return "templates are copied on x86-64 alone"
    gate, gate_end = os.pipe()
    kernel.set_dumpable(True)
    twin = kernel.clone(0)
    if twin == 0:
        os.read(gate, 1)
        kernel.clone(kernel.CLONE_VM | kernel.CLONE_PARENT | zygote.ALL_NAMESPACES)
        signal.pause()
    tracing.seize(twin)
    os.write(gate_end, b"1")
    puppet, child = tracing.Puppet.caught_in_clone(twin)
    puppet.do(tracing.CLOSE, gate_end)
    for pid in (child, twin):
        os.kill(pid, signal.SIGKILL)
    return "ok"


def _try_clone(rootless: bool) -> str:
    gate, gate_end = os.pipe()
    answer, answer_end = os.pipe()
    pid = kernel.clone(zygote.ALL_NAMESPACES)
    if pid == 0:
        os.close(gate_end)
        _try_mounts(gate, answer_end)
    os.close(answer_end)
    zygote.map_ids(pid, 0 if rootless else 65534, rootless)
    os.write(gate_end, b"1")
    with open(answer) as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said


def _try_mounts(gate: int, answer_end: int) -> None:
    said = "ok"
    try:
        os.read(gate, 1)
        confine.take_user(confine.USER)
        kernel.mount("tmpfs", "/tmp", "tmpfs", 0, "size=64k")
        kernel.mount("proc", "/proc", "proc", kernel.NO_SETUID | kernel.NO_DEVICES | kernel.NO_EXEC)
        kernel.drop_capabilities()
        kernel.forbid_new_privileges()
    except OSError as error:
        said = str(error)
    finally:
        os.write(answer_end, said.encode())
        os._exit(0)
