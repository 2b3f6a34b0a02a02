"""A container engine of a test's own, which it may kill: its own socket, data and processes.

It has no bridge, and a network namespace of its own, because an engine without a bridge takes away
the one that it finds: that of the engine which is there. Its one image comes from that engine.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import docker

from tests.contract import engine
from tests.fakes.images import STRANGER, client

READY_S: Final = 40.0
STOP_S: Final = 30.0


class Engine:
    """One engine. `kill` is a crash; `start` begins it again, with what it had."""

    def __init__(self, folder: Path, network_of: int | None = None) -> None:
        self.folder = folder
        self._enter = ["unshare", "--net"]
        if network_of is not None:
            self._enter = ["nsenter", f"--net=/proc/{network_of}/ns/net"]
        self.socket = folder / "docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._enter, "dockerd",
                    f"--host=unix://{self.socket}", f"--pidfile={self.folder}/pid",
                    f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec",
                    "--storage-driver=overlay2", "--bridge=none", "--iptables=false",
                    "--shutdown-timeout=5",
                ],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        give_up_s = time.monotonic() + READY_S
        while not engine.answers_at(self.socket):
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < give_up_s, self.said()
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a crash would; containers go on.

        Its containerd ends with it. Where nobody reaps that, the next engine would take its number
        for that of a process which lives.
        """
        assert self._process
        self._process.kill()
        self._process.wait()
        (self.folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def hold(self) -> None:
        """Let it answer nobody, and live."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, its containers, and what it mounted."""
        if self._process is not None and self._process.poll() is not None:
            self.start()  # only it can end the containers that outlived it
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(STOP_S)
        for pid in self._left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)

    def _left(self) -> list[int]:
        """Return who outlived every engine of this folder: keepers of containers, and these."""
        address = os.fsencode(self.folder / "exec" / "containerd" / "containerd.sock")
        found: list[int] = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if address in (process / "cmdline").read_bytes().split(b"\0"):
                    children = (process / "task" / process.name / "children").read_text().split()
                    found += [*map(int, children), int(process.name)]
        return found

    def said(self) -> str:
        """Return the end of its log."""
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Yield the engine's own library."""
        library = docker.DockerClient(base_url=f"unix://{self.socket}", timeout=30)
        try:
            yield library
        finally:
            library.close()

    def containers(self) -> list[str]:
        """Return the names of all its containers."""
        with self.client() as library:
            return [str(each.name) for each in library.containers.list(all=True)]


@contextmanager
def own_engine(*, network_of: int | None = None) -> Iterator[Engine]:
    """Have an engine with the image of Python actions while inside.

    network_of: a process whose network it shares; None makes one with nothing in it.
    """
    folder = Path(tempfile.mkdtemp(prefix="brisk-engine-"))  # short: sockets have 107 bytes
    own = Engine(folder, network_of)
    try:
        own.start()
        with client() as shared, own.client() as mine:
            mine.images.load(b"".join(shared.images.get(STRANGER).save(named=True)))
        yield own
    finally:
        own.stop()
        shutil.rmtree(folder, ignore_errors=True)
