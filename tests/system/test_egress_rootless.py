"""What functions reach where the platform is an ordinary user's: the same, through a helper."""

import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.fakes import ordinary_user
from tests.fakes import small_internet as world
from tests.fakes.online_host import CALLS_API, Host
from tests.fakes.small_internet import small_internet

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(shutil.which("slirp4netns") is None, reason="slirp4netns is not installed"),
]

STATES = ("starting", "blank", "busy", "ready", "pausing", "paused", "removing")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    parts = ("common", "controller", "invoker", "cli", "runtimes")
    with small_internet() as internet, ordinary_user.code(*parts) as copy:
        (copy / "resolv.conf").write_text(f"nameserver {world.RESOLVER}\n")
        host = Host(
            internet,
            copy / "state" / "data",
            prefix=ordinary_user.becoming(copy),
            root=copy,
            python=ordinary_user.python(),
            BRISK_SANDBOX__ALLOWED_RANGES="192.168.88.0/24",
            **ordinary_user.environment(copy),
        )
        yield host
        host.stop()
        assert helpers(host) == []


def helpers(host: Host) -> list[str]:
    """Return the helpers that are there, of this host's platform alone."""
    said = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(host.process.pid)], capture_output=True, text=True
    ).stdout
    return [line for line in said.splitlines() if "slirp4netns" in line]


def test_the_internet_is_reached_by_address_and_by_name(host: Host) -> None:
    assert host.reach(world.WEB, world.NAME) == {world.WEB: world.WEB, world.NAME: world.WEB}


def test_what_an_operator_has_listed_is_reached(host: Host) -> None:
    assert host.reach(world.LISTED) == {world.LISTED: world.LISTED}


@pytest.mark.parametrize("address", [world.PRIVATE, world.PRIVATE6, world.METADATA, "10.1.2.3"])
def test_what_is_private_or_of_the_link_is_not(host: Host, address: str) -> None:
    assert host.reach(address)[address].startswith("no: ")


def test_this_host_is_not_reached_under_any_of_its_addresses(host: Host) -> None:
    own = [world.HOST, world.HOST6, "127.0.0.1", "::1", "10.0.2.2"]
    seen = host.reach(*own, port=world.HOST_PORT)
    assert [name for name, said in seen.items() if not said.startswith("no: ")] == []


def test_the_api_is_reached(host: Host) -> None:
    said = host.do("calls", CALLS_API, authorization=host.api.authorization)
    assert said["host"] == "http://127.0.0.1:3233"
    assert said["actions"] >= 1


def test_each_sandbox_has_a_helper_that_goes_with_it(host: Host) -> None:
    host.reach(world.WEB)
    assert helpers(host)
    host.do("dies", "import os\ndef main(args): os._exit(1)")
    deadline = time.monotonic() + 10
    while (counted := len(helpers(host))) != (there := host.internet.on_host(lambda: alive(host))):
        assert time.monotonic() < deadline, (counted, there)
        time.sleep(0.05)


def alive(host: Host) -> float:
    """Return how many sandboxes there are."""
    return sum(host.api.metric(f'brisk_pool_sandboxes{{state="{each}"}}') for each in STATES)
