"""A small disk that a test may fill: only root can make one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.embedded import ROOT


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk of 6 MB that only processes begun with *enter* see at *folder*."""

    folder: Path
    seen: Path
    """The same folder, as this process sees it."""
    enter: tuple[str, ...]

    def fill(self) -> None:
        """Leave no byte."""
        with (self.seen / "ballast").open("ab", buffering=0) as ballast:
            for size in (4096, 64, 1):
                with pytest.raises(OSError, match="No space left"):
                    while True:
                        ballast.write(b"0" * size)

    def make_room(self) -> None:
        """Give it back."""
        (self.seen / "ballast").unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount one at *folder* while inside."""
    mount = f"mount -t tmpfs -o size=6m tmpfs {folder} && echo mounted && exec cat"
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin and holder.stdout
    try:
        assert holder.stdout.readline() == b"mounted\n"
        yield SmallDisk(
            folder,
            Path(f"/proc/{holder.pid}/root{folder}"),
            ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", f"--wd={ROOT}", "--"),
        )
    finally:
        holder.stdin.close()  # `cat` ends, and the disk with it
        holder.stdout.close()
        holder.wait(10)
