"""The platform to develop against: the configured one, or one that is started for the while."""

import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from cli import environment
from cli.configuration import Configuration
from cli.failures import NETWORK, Failure, Remedy
from cli.places import default_path
from cli.proxies import is_loopback

READY_S: Final = 30.0
STOP_S: Final = 40.0
_CONNECT_S: Final = 2.0
_READY: Final = "Brisk is ready: "
_HOME: Final = "http://127.0.0.1:3233"


@contextmanager
def platform(config: Configuration, data: Path | None, port: int | None) -> Iterator[Configuration]:
    """Yield whom to talk to, until the end of the block.

    What is configured on this machine and does not listen is started, on *data*; a host elsewhere
    is never replaced by this one.
    Raises `Failure` when it does not start.
    """
    wanted = config if config.api_host and port is None else replace(config, api_host=_HOME)
    at = urlsplit(wanted.host_url)
    host, given = at.hostname or "", port if port is not None else at.port or 80
    if not is_loopback(host) or (port is None and _listens(host, given)):
        yield wanted
        return
    folder = data or Path(environment.variable("BRISK_DATA") or default_path())
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", "--host", host, "--port", str(given),
         "--data", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is ours: it ends the watching first.
    )  # fmt: skip
    try:
        url = _wait_ready(process)
        key = (folder / "guest.key").read_text().strip()
        yield replace(wanted, api_host=url, auth=key)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _CONNECT_S).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # Whoever is there is slow or strange; the first request will say how.
    return True


def _wait_ready(process: "subprocess.Popen[str]") -> str:
    """Return the URL of the ready line, having begun to read on behind it."""
    assert process.stdout
    said: deque[str] = deque(maxlen=20)
    late = threading.Timer(READY_S, process.kill)
    late.start()
    try:
        for line in process.stdout:
            if line.startswith(_READY):
                threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
                return line.removeprefix(_READY).split()[0]
            said.append(line.strip())
    finally:
        late.cancel()
    why = next((line for line in said if line.startswith("error:")), said[-1] if said else "")
    raise Failure(
        "The platform did not start",
        NETWORK,
        remedy=Remedy(why.removeprefix("error: "), "brisk doctor"),
    )


def _drain(stream: IO[str]) -> None:
    for _ in stream:
        pass  # A pipe that nobody reads would stop the platform.
