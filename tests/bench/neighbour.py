"""What code of one namespace does to the calls of another, while it does its worst.

One misdeed after the other goes on in sandboxes of a tenant of its own, called over and over by a
process beside this one. Meanwhile another tenant's warm action is called, as it was just before
with nobody beside it. `python -m tests.bench.neighbour URL AUTH NAME` is that process, until its
input ends.
"""

import os
import select
import subprocess
import sys
import time
from typing import Final, NamedTuple

from common.codec import encode
from tests.bench.client import ThinClient
from tests.fakes.embedded import ROOT, RunningPlatform

CALLS: Final = 1000
BLOCK_S: Final = 4.0
"""A block ends by then, however few calls there were."""
LEAD_S: Final = 0.5
"""How long a misdeed goes on before it is looked at what it does."""
MISDEED_S: Final = 1.0
"""How long one call of a misdeed takes, unless it is ended for what it does."""

_LOOP: Final = f"""
import os, time
def main(args):
    over = time.monotonic() + {MISDEED_S}
    held = []
    while time.monotonic() < over:
        try:
            misbehave(held)
        except OSError:
            time.sleep(0.001)
    return {{}}
"""
MISDEEDS: Final = {
    "fork bomb": "def misbehave(held):\n    os.fork()\n",
    "full /tmp": (
        "def misbehave(held):\n"
        "    with open(f'/tmp/{time.monotonic_ns()}', 'wb') as file:\n"
        "        file.write(bytes(1 << 20))\n"
    ),
    "log flood": "def misbehave(held):\n    print('x' * 100)\n",
    "descriptor leak": "def misbehave(held):\n    held.append(os.open('/dev/null', 0))\n",
    "memory hog": "def misbehave(held):\n    held.append(b'x' * (8 << 20))\n",
}
SETTINGS: Final = {"BRISK_THROTTLE__INVOCATIONS_PER_MINUTE": "1000000"}
_VICTIM: Final = "def main(args):\n    return {}\n"


class Harm(NamedTuple):
    """The worst of all misdeeds: p99 of the neighbour's calls beside it, and just before."""

    misdeed: str
    beside_us: float
    alone_us: float


def measure(platform: RunningPlatform) -> list[Harm]:
    """Return what each misdeed does, the worst first."""
    hostile = _tenant(platform)
    with ThinClient(platform.url, platform.auth) as client:
        _put(client, "victim", _VICTIM)
    with ThinClient(platform.url, hostile) as client:
        for name, misdeed in MISDEEDS.items():
            _put(client, name.replace(" ", "-").replace("/", ""), _LOOP + misdeed)
    with ThinClient(platform.url, platform.auth) as client:
        path = "/api/v1/namespaces/_/actions/victim?blocking=true&result=true"
        call = client.request("POST", path, b"{}")
        _p99_us(client, call)
        found = [_harm(platform, hostile, name, client, call) for name in MISDEEDS]
    return sorted(found, key=lambda harm: harm.beside_us / harm.alone_us, reverse=True)


def _harm(
    platform: RunningPlatform, hostile: str, misdeed: str, client: ThinClient, call: bytes
) -> Harm:
    alone_us = _p99_us(client, call)
    action = misdeed.replace(" ", "-").replace("/", "")
    doing = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.neighbour", platform.url, hostile, action],
        cwd=ROOT,
        stdin=subprocess.PIPE,
    )
    with doing:  # leaving ends its input, and waits until its last call has ended
        time.sleep(LEAD_S)
        return Harm(misdeed, _p99_us(client, call), alone_us)


def _p99_us(client: ThinClient, call: bytes) -> float:
    over_s = time.monotonic() + BLOCK_S
    times: list[float] = []
    while len(times) < CALLS and time.monotonic() < over_s:
        times.append(client.time_us(call))
    return sorted(times)[int(len(times) * 0.99)]


def _tenant(platform: RunningPlatform) -> str:
    """Return the key of a new tenant."""
    made = subprocess.run(
        [sys.executable, "-m", "cli", "admin", "user", "create", "hostile",
         "--data", str(platform.data)],
        cwd=ROOT,
        env={"PATH": os.defpath, "HOME": str(platform.data.parent)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )  # fmt: skip
    return made.stdout.strip()


def _put(client: ThinClient, name: str, code: str) -> None:
    path = f"/api/v1/namespaces/_/actions/{name}?overwrite=true"
    body = encode({"exec": {"kind": "python:default", "code": code}})
    status, answer = client.send(client.request("PUT", path, body))
    assert status == 200, answer


def main(url: str, auth: str, action: str) -> None:
    """Call *action* again and again until the input ends; how a call ends does not matter."""
    with ThinClient(url, auth) as client:
        path = f"/api/v1/namespaces/_/actions/{action}?blocking=true&result=true"
        call = client.request("POST", path, b"{}")
        while not select.select([sys.stdin], [], [], 0)[0]:
            client.send(call)


if __name__ == "__main__":
    main(*sys.argv[1:])
