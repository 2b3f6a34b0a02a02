"""Many actions at once: what a warm call costs beside how many, what an idle sandbox occupies."""

import statistics
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from common.codec import encode
from tests.bench import processes
from tests.bench.client import ThinClient
from tests.fakes.embedded import running_platform

FEW, MANY = 100, 1000
MEMORY_MB: Final = 128
ROUNDS: Final = 3
SETTINGS: Final = {
    # Room for all of them, none of them paused, and no network: only the books are looked at.
    "BRISK_POOL__MEMORY_MB": str((MANY + 50) * MEMORY_MB),
    "BRISK_POOL__PAUSE_GRACE_S": "3600",
    "BRISK_SANDBOX__NETWORK": "none",
    "BRISK_THROTTLE__INVOCATIONS_PER_MINUTE": "1000000",
}
CODE: Final = "def main(args):\n    return {}\n"


class Breadth(NamedTuple):
    """Medians of a warm call, in microseconds, beside one action alone; megabytes of a sandbox."""

    one_us: float
    few_us: float
    many_us: float
    sandbox_mb: float


def measure() -> Breadth:
    """Warm a thousand actions, and call them in turn."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_platform(Path(folder), settings=SETTINGS) as platform,
    ):
        before_mb = processes.pss_mb(processes.tree(platform.process.pid))
        with ThinClient(platform.url, platform.auth) as client:
            calls = [_put(client, f"breadth{number}") for number in range(MANY)]
        # A connection of its own: one that has stored something is aiohttp's from then on.
        with ThinClient(platform.url, platform.auth) as client:
            for call in calls:
                client.time_us(call)
            after_mb = processes.pss_mb(processes.tree(platform.process.pid))
            times: dict[int, list[float]] = {1: [], FEW: [], MANY: []}
            for _ in range(ROUNDS):
                for width, taken in times.items():
                    taken += [client.time_us(calls[n % width]) for n in range(MANY)]
    one, few, many = (statistics.median(taken) for taken in times.values())
    return Breadth(one, few, many, (after_mb - before_mb) / MANY)


def _put(client: ThinClient, name: str) -> bytes:
    """Store one action, and return the bytes of a call of it."""
    path = f"/api/v1/namespaces/_/actions/{name}"
    document = {
        "exec": {"kind": "python:default", "code": CODE},
        "limits": {"memory": MEMORY_MB},
    }
    status, answer = client.send(client.request("PUT", f"{path}?overwrite=true", encode(document)))
    assert status == 200, answer
    return client.request("POST", f"{path}?blocking=true&result=true", b"{}")
