"""What an ordinary user needs to run this code: a copy that they may read, and an interpreter."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

USER: Final = 65_534
_ROOT: Final = Path(__file__).resolve().parents[2]
# Everybody may open /dev/net/tun where distributions set it up; where the test runs, perhaps not.
_BECOMING: Final = """
mount -t tmpfs none /dev/net && mknod /dev/net/tun c 10 200 && chmod 666 /dev/net/tun &&
if [ -e "$1/resolv.conf" ]; then mount --bind "$1/resolv.conf" /etc/resolv.conf; fi &&
shift && exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
"""


@contextmanager
def code(*parts: str) -> Iterator[Path]:
    """Yield a copy of *parts* of the tree; the user may write below `state` in it."""
    copy = Path("/var/tmp") / f"brisk-test-{os.getpid()}"
    try:
        for name in parts:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(_ROOT / name, copy / name, ignore=ignored)
        shutil.copy(_ROOT / "pyproject.toml", copy)
        (copy / "state").mkdir()
        os.chown(copy / "state", USER, USER)
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def becoming(copy: Path) -> list[str]:
    """Return the command that becomes the user, who may open /dev/net/tun.

    A `resolv.conf` in *copy* is this host's, as the user sees it.
    """
    return ["unshare", "--mount", "sh", "-c", _BECOMING, "sh", str(copy)]


def environment(copy: Path) -> dict[str, str]:
    """Return the variables of the user."""
    packages = str(Path(pytest.__file__).parents[1])
    path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin"
    return {"PATH": path, "HOME": str(copy / "state"), "PYTHONPATH": packages}


def python() -> str:
    """Return this Python's version where others may execute it."""
    name = "python{}.{}".format(*sys.version_info)
    for candidate in (
        os.path.realpath(sys.executable),
        f"/usr/bin/{name}",
        f"/usr/local/bin/{name}",
    ):
        if subprocess.run(["test", "-x", candidate], user=USER).returncode == 0:
            return candidate
    pytest.skip(f"no {name} that every user may execute")
