"""A service of deploy/dev beside the usual one, which a test may kill and start again."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fakes.embedded import ROOT

START_S: Final = 90.0


class OwnService:
    """One that listens on ports of its own and keeps its data over a restart."""

    def __init__(self, name: str, folder: Path) -> None:
        """Use the script *name* of deploy/dev; all it keeps is in *folder*."""
        self.name = name
        self.port = two_free_ports()
        self._folder = folder
        self._script = ROOT / "deploy" / "dev" / name
        self._environment = os.environ | {  # noqa: TID251
            f"{name.upper()}_PORT": str(self.port),
            f"{name.upper()}_HOME": str(folder),
            f"{name.upper()}_KEEP_DATA": "1",
        }

    def start(self) -> None:
        """Return when it answers."""
        self._run("start")

    def stop(self) -> None:
        """Return when it has ended. Harmless when it has."""
        self._run("stop")

    def kill(self) -> None:
        """End it as a power cut of its own would, and leave no trace of its process."""
        os.kill(int((self._folder / "pid").read_text()), signal.SIGKILL)
        self._run("stop")

    def _run(self, verb: str) -> None:
        done = subprocess.run(
            [self._script, verb],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=START_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()


@contextmanager
def own_service(name: str, folder: Path) -> Iterator[OwnService]:
    """Run a service of one's own."""
    service = OwnService(name, folder)
    try:
        service.start()
        yield service
    finally:
        service.stop()


def two_free_ports() -> int:
    """Return a free port whose successor is free, too: a broker wants both."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port
