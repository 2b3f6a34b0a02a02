"""What this host allows: found out by trying, in a process that ends at once.

Settings of the kernel, of its security modules and of a container around us all have a say in
whether namespaces can be made, and only the attempt tells.
"""

import asyncio
import os
import platform
import sys
from asyncio.subprocess import DEVNULL, PIPE
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from invoker.driver.process import cgroup

CODE_ROOT: Final = Path(__file__).resolve().parents[3]
"""What has to be on the path of an interpreter to import `invoker.driver.process.inside`."""
FIRST_UID: Final = 200_000
"""As root, sandboxes run as the users from here on, one each, which no account should own."""
NOBODY: Final = 65_534
MOST_SLOTS: Final = 10_000
TRY_S: Final = 3.0

# One child does what a zygote and its clone do, and what keeps a template: a line for each, `ok`
# or what failed first.
_TRIAL: Final = """
import os, sys
sys.path.insert(0, sys.argv[1])
from invoker.driver.process.inside import trial
trial.main()
"""


@dataclass(frozen=True, slots=True)
class Host:
    """The facts that decide how sandboxes are made."""

    is_root: bool
    has_uid_range: bool
    """Whether `FIRST_UID` and what follows can be given to sandboxes."""
    no_namespaces: str
    """Why there are no namespaces; empty if there are."""
    no_templates: str
    """Why no template can be copied; empty if they can."""
    cgroups: cgroup.Hierarchy | None
    no_cgroups: str

    def uid_of(self, slot: int) -> int | None:
        """Return the host's user for *slot*; None where it stays the platform's own."""
        if not self.is_root:
            return None
        return FIRST_UID + slot if self.has_uid_range else NOBODY


async def examine(cgroup_name: str, threads: Executor) -> Host:
    """Find out what this host allows; *cgroup_name* is the group of this installation."""
    loop = asyncio.get_running_loop()
    (no_namespaces, no_templates), (cgroups, no_cgroups), uid_map = await asyncio.gather(
        _try_namespaces(),
        loop.run_in_executor(threads, _try_cgroups, cgroup_name),
        loop.run_in_executor(threads, Path("/proc/self/uid_map").read_text),
    )
    return Host(
        os.geteuid() == 0, _covers(uid_map), no_namespaces, no_templates, cgroups, no_cgroups
    )


def _covers(uid_map: str) -> bool:
    """Tell whether the range of our users is mapped, as it may not be inside a container."""
    rows = (tuple(int(field) for field in line.split()) for line in uid_map.splitlines())
    wanted = range(FIRST_UID, FIRST_UID + MOST_SLOTS)
    return any(first <= wanted.start and wanted.stop <= first + count for first, _, count in rows)


def _try_cgroups(name: str) -> tuple[cgroup.Hierarchy | None, str]:
    try:
        return cgroup.find(name), ""
    except OSError as error:
        return None, str(error)


async def _try_namespaces() -> tuple[str, str]:
    """Return why there are no namespaces, and why no templates."""
    if platform.system() != "Linux":
        return (f"this is {platform.system()}, not Linux",) * 2
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-B", "-c", _TRIAL, str(CODE_ROOT)),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        async with asyncio.timeout(TRY_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return (f"making them took longer than {TRY_S:g} s",) * 2
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = output.decode(errors="replace").splitlines()
    first, second = (*said, *("the attempt ended without a word",) * 2)[:2]
    return first.removeprefix("ok"), first.removeprefix("ok") or second.removeprefix("ok")
