"""No driver lets code out of its sandbox, or through it to its host and its neighbours.

What may not be enforced on this host is in the driver's report; then the test asserts that.
"""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from invoker.driver.port import Ability, CannotStart, Network
from tests.contract.drivers import House
from tests.fakes import ordinary_user

PROBES: Final = Path(__file__).with_name("probes.py")
SUITES: Final = (
    "tests/contract/test_driver.py",
    "tests/contract/test_driver_templates.py",
    "tests/contract/test_driver_escapes.py",
)
SECRET: Final = "BRISK_TEST_SECRET"

# What may succeed where a driver lacks an ability; everything else is contained.
OPEN_WITHOUT: Final = {Ability.CPU: {"hog_processors"}, Ability.PIDS: {"fork_bomb"}}
# What succeeds, by driver, and harms nobody; a list that is out of date fails the test.
HARMLESS: Final = {
    "process": set[str](),
    # The first process is the engine's and of the same user; a container has terminals of its own.
    "docker": {"read_foreign_memory", "make_and_open_devices"},
}


# Addresses that nobody may have a route to, and one of the internet.
CLOSED: Final = (
    "169.254.169.254",
    "fd00:ec2::254",
    "10.10.10.10",
    "192.168.1.1",
    "100.100.100.200",
)
OUTSIDE: Final = "192.0.2.77"


@contextlib.contextmanager
def host_targets(tmp_path: Path, network: Network) -> Iterator[dict[str, Any]]:
    """Make what the probes look for on this host."""
    secret_file = tmp_path / "secret"
    secret_file.write_text("secret")
    secret_file.chmod(0o600)
    marker, abstract = f"marker-{os.getpid()}", f"brisk-test-{os.getpid()}"
    with (
        contextlib.closing(socket.create_server(("", 0))) as listener,
        contextlib.closing(socket.socket(socket.AF_UNIX)) as unix,
        subprocess.Popen([marker, "60"], executable=shutil.which("sleep")) as process,
    ):
        unix.bind("\0" + abstract)
        unix.listen()
        yield {
            "pid": process.pid,
            "marker": marker,
            "port": listener.getsockname()[1],
            "addresses": own_addresses(),
            "closed": CLOSED if network is Network.EGRESS else (*CLOSED, OUTSIDE),
            "abstract": abstract,
            "secret_file": str(secret_file),
            "secret": SECRET,
            "neighbour": "/tmp/neighbour",
        }
        process.kill()


def own_addresses() -> list[str]:
    """Return this host's own addresses of IPv4, those of bridges to sandboxes among them."""
    lines = Path("/proc/net/fib_trie").read_text().splitlines()
    pairs = itertools.pairwise(lines)
    found = {leaf.split()[-1] for leaf, kind in pairs if kind.strip() == "/32 host LOCAL"}
    return sorted(each for each in found if not each.startswith("127."))


@pytest.mark.parametrize("network", [Network.NONE, Network.EGRESS])
async def test_no_attempt_to_escape_succeeds(
    house: House, tmp_path: Path, network: Network
) -> None:
    if network is Network.EGRESS and not house.can(Ability.EGRESS):
        with pytest.raises(CannotStart):
            await house.sandbox(network=network)
        return
    neighbour = await house.sandbox(
        "def main(a):\n    open('/tmp/neighbour', 'w')\n    return {}", network=network
    )
    await house.run(neighbour)
    sandbox = await house.sandbox(PROBES.read_text(), network=network)

    with host_targets(tmp_path, network) as host:
        verdicts = await house.run(sandbox, host=host)

    missing = {ability for ability in OPEN_WITHOUT if not house.can(ability)}
    possible = {attempt for ability in missing for attempt in OPEN_WITHOUT[ability]}
    succeeded = {name: each for name, each in verdicts.items() if each["contained"] is not True}
    harmless = HARMLESS[house.report.driver]
    assert len(verdicts) == 30
    assert harmless <= set(succeeded) <= possible | harmless, succeeded


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.timeout(250)
def test_an_ordinary_user_is_given_the_same(tmp_path: Path) -> None:
    """The suites of drivers, run by a user who may nothing, from a copy that the user may read."""
    # The client and what it starts are there for a plugin of pytest, which is installed.
    parts = ("common", "invoker", "controller", "cli", "runtimes", "tests/contract", "tests/fakes")
    with ordinary_user.code(*parts) as copy:
        run = subprocess.run(
            [
                *ordinary_user.becoming(copy),
                *(ordinary_user.python(), "-B", "-m", "pytest", "-q", *SUITES),
                *(
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:brisk",
                    "--basetemp",
                    str(copy / "state" / "tmp"),
                ),
            ],
            cwd=copy,
            env=ordinary_user.environment(copy),
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
