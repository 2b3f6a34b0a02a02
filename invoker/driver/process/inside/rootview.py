"""Make the root that sandboxes see: a tmpfs with read-only binds of what the host has already.

No image is unpacked or copied. The plan says what is bound; parent folders are made anew, so of a
folder that others may not read only the bound part is there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from invoker.driver.process.inside import kernel

TMPFS = kernel.NO_SETUID | kernel.NO_DEVICES


def build(plan: Mapping[str, Any]) -> None:
    """Build the view that *plan* describes and make it this process's root.

    plan: `at` an empty folder of the host; `binds` paths, `moved` pairs (path, path inside),
    `devices` paths, `links` pairs (target, path), `folders` paths, `files` pairs (path, text);
    `own_proc` whether a /proc may be mounted, or the host's has to be shown to the zygote.
    """
    root = plan["at"]
    kernel.mount("none", "/", "", kernel.RECURSIVE | kernel.PRIVATE)
    # 1 MiB: only folders, links and a few short files live here.
    kernel.mount("tmpfs", root, "tmpfs", TMPFS, "mode=755,size=1m")
    for path in plan["folders"]:
        os.makedirs(root + path, 0o755, exist_ok=True)
    for path in plan["binds"]:
        _bind(path, root + path)
    for source, path in plan["moved"]:
        _bind(source, root + path)
    for path in plan["devices"]:
        _bind(path, root + path, is_device=True)
    for target, path in plan["links"]:
        os.makedirs(os.path.dirname(root + path), 0o755, exist_ok=True)
        os.symlink(target, root + path)
    for path, text in plan["files"]:
        os.makedirs(os.path.dirname(root + path), 0o755, exist_ok=True)
        with open(root + path, "w") as file:
            file.write(text)
    if plan["own_proc"]:
        kernel.mount("proc", root + "/proc", "proc", TMPFS | kernel.NO_EXEC)
    else:
        kernel.mount("/proc", root + "/proc", "", kernel.BIND | kernel.RECURSIVE)
    kernel.mount("none", root, "", kernel.REMOUNT | kernel.BIND | kernel.READ_ONLY | TMPFS)
    kernel.pivot_into(root)


def _bind(source: str, target: str, is_device: bool = False) -> None:
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        with open(target, "a"):
            pass
    kernel.mount(source, target, "", kernel.BIND | kernel.RECURSIVE)
    if not is_device:
        kernel.make_read_only(target)
