"""A whole embedded platform as a process of its own, for tests that are clients."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GUEST_AUTH: Final = (
    "23bc46b1-71f6-4ed5-8c54-816aa4f8c502:"
    "123zO3xZCLrMN6v2BKK1dXYFpXlPkccOFqm12CdAsMgRU4VrNZ9lyGVCGuMDGIwP"
)
"""OpenWhisk's well-known key of its guest; it opens nothing but test platforms."""
ROOT: Final = Path(__file__).resolve().parents[2]
READY_S: Final = 20.0
STOP_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """A platform that answers at *url*."""

    url: str
    auth: str
    data: Path
    process: "subprocess.Popen[str]"


@contextmanager
def running_platform(
    folder: Path, *, settings: Mapping[str, str] | None = None
) -> Iterator[RunningPlatform]:
    """Start `brisk serve` on a free port, with its data below *folder*; stop it cleanly after.

    settings: environment variables, such as `BRISK_POOL__MEMORY_MB`.
    """
    data = folder / "data"
    process = start(data, settings=settings)
    try:
        url = wait_ready(process)
        yield RunningPlatform(url, GUEST_AUTH, data, process)
        process.terminate()
        assert process.wait(STOP_S) == 0, f"the platform stopped with {process.returncode}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def start(
    data: Path,
    *,
    settings: Mapping[str, str] | None = None,
    port: int = 0,
    auth: str = GUEST_AUTH,
    prefix: Sequence[str] = (),
    root: Path = ROOT,
    python: str = sys.executable,
) -> "subprocess.Popen[str]":
    """Begin `brisk serve`; its output is one stream.

    prefix: a command that becomes the platform, such as `nsenter --mount=… --`.
    root, python: where the code is, and what runs it.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BRISK_")}  # noqa: TID251
    data.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [*prefix, python, "-m", "cli", "serve", "--port", str(port), "--data", str(data),
         "--auth", auth],
        cwd=root,
        env=clean | {"WSK_CONFIG_FILE": str(data.parent / "wskprops")} | dict(settings or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )  # fmt: skip


def wait_ready(process: "subprocess.Popen[str]") -> str:
    """Return the URL of the ready line. Raises AssertionError with the output when none comes."""
    assert process.stdout
    too_late = threading.Timer(READY_S, process.kill)
    too_late.start()
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("Brisk is ready: "):
                return line.removeprefix("Brisk is ready: ").split()[0]
    finally:
        too_late.cancel()
    raise AssertionError("the platform did not start:\n" + "".join(said))
