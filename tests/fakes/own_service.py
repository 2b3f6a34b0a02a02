"""A service of deploy/dev beside the usual one, which a test may kill and start again."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fakes.embedded import ROOT
from tests.fakes.ports import free_port

START_S: Final = 90.0


class OwnService:
    """One that listens on ports of its own and keeps its data over a restart."""

    def __init__(self, name: str, folder: Path, **options: str) -> None:
        """Use the script *name* of deploy/dev; all it keeps is in *folder*.

        options: what else the script reads, such as `user` for `KAFKA_USER`.
        """
        self.name = name
        self.port = free_port(more=1)  # a broker wants both
        self._folder = folder
        self._script = ROOT / "deploy" / "dev" / name
        told = {"port": str(self.port), "home": str(folder), "keep_data": "1", **options}
        self._environment = os.environ | {  # noqa: TID251
            f"{name}_{option}".upper(): value for option, value in told.items()
        }

    @property
    def address(self) -> str:
        """Where it answers: host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it answers."""
        self._run("start")

    def stop(self) -> None:
        """Return when it has ended; what it was given stays. Harmless when it has."""
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
def own_service(name: str, folder: Path, **options: str) -> Iterator[OwnService]:
    """Run a service of one's own; see `OwnService`."""
    service = OwnService(name, folder, **options)
    try:
        service.start()
        yield service
    finally:
        service.stop()


async def aside(step: Callable[[], None]) -> None:
    """Have a step of a service done in a thread that ends with it; the loop goes on meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        await asyncio.get_running_loop().run_in_executor(thread, step)
