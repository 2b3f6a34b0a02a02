"""What a function reaches by default: the internet, names, the API, and nothing else.

The platform runs on a host of the test's own, with an internet of the test's own; see
`tests/fakes/small_internet.py`.
"""

import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from invoker.driver.egress import links
from tests.fakes import small_internet as world
from tests.fakes.online_host import CALLS_API, REACHES, Host, await_state
from tests.fakes.small_internet import SmallInternet, small_internet, state_of

pytestmark = pytest.mark.needs_root

LISTENS = """
import socket, threading, urllib.request
listener = socket.create_server(("0.0.0.0", 9000))
def serve():
    while True:
        with listener.accept()[0] as peer:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nneighbour")
def main(args):
    threading.Thread(target=serve, daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.80", 80))
        address = probe.getsockname()[0]
    with urllib.request.urlopen(f"http://{address}:9000/", timeout=3) as answer:
        return {"address": address, "said": answer.read().decode()}
"""
CALLS_API_FROM_NODE = """
const http = require('http')
exports.main = args => new Promise((resolve, reject) => {
  const url = process.env.__OW_API_HOST + '/api/v1/namespaces/_/actions'
  http.get(url, {headers: {authorization: args.authorization}}, answer => {
    let text = ''
    answer.on('data', chunk => { text += chunk })
    answer.on('end', () => resolve({actions: JSON.parse(text).length}))
  }).on('error', reject)
})
"""


@pytest.fixture(scope="module")
def internet() -> Iterator[SmallInternet]:
    with small_internet() as internet:
        yield internet


@pytest.fixture(scope="module")
def host(internet: SmallInternet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    before = state_of(internet)
    host = Host(
        internet, tmp_path_factory.mktemp("egress"),
        BRISK_SANDBOX__NAMESERVERS=world.RESOLVER, BRISK_SANDBOX__ALLOWED_RANGES="192.168.88.0/24",
    )  # fmt: skip
    yield host
    host.stop()
    await_state(internet, before)


def test_the_internet_is_reached_by_address_and_by_name(host: Host) -> None:
    assert host.reach(world.WEB, world.NAME) == {world.WEB: world.WEB, world.NAME: world.WEB}


def test_the_internet_is_reached_by_ipv6_where_this_host_routes_it(host: Host) -> None:
    assert host.reach(world.WEB6) == {world.WEB6: world.WEB6}


def test_what_an_operator_has_listed_is_reached(host: Host) -> None:
    assert host.reach(world.LISTED) == {world.LISTED: world.LISTED}


@pytest.mark.parametrize(
    "address",
    [
        *(world.PRIVATE, world.PRIVATE6, world.METADATA, "10.1.2.3", "::ffff:192.168.77.7"),
        "64:ff9b::c0a8:4d07",
    ],
)
def test_what_is_private_or_of_the_link_is_not(host: Host, address: str) -> None:
    assert host.reach(address)[address].startswith("no: ")


def test_this_host_is_not_reached_under_any_of_its_addresses(host: Host) -> None:
    names = host.internet.on_host(lambda: _addresses_of_host())
    assert len(names) >= 4
    seen = host.reach(*names, "127.0.0.1", "::1", port=world.HOST_PORT)
    assert [name for name, said in seen.items() if not said.startswith("no: ")] == []
    control = host.internet.on_host(lambda: _get(f"http://127.0.0.1:{world.HOST_PORT}/"))
    assert control == "127.0.0.1"


def test_another_sandbox_is_not_reached(host: Host) -> None:
    neighbour = host.do("listens", LISTENS)
    assert neighbour["said"] == "neighbour"

    seen = host.reach(neighbour["address"], port=9000)

    assert seen[neighbour["address"]].startswith("no: ")


def test_the_api_is_reached_by_a_plain_client(host: Host) -> None:
    said = host.do("calls", CALLS_API, authorization=host.api.authorization)
    assert said == {"host": "http://127.0.0.1:3233", "actions": said["actions"]}
    assert said["actions"] >= 1


def test_the_api_is_reached_from_node(host: Host) -> None:
    said = host.do(
        "calls_from_node", CALLS_API_FROM_NODE, "nodejs:20", authorization=host.api.authorization
    )
    assert said["actions"] >= 1


def test_an_action_may_ask_for_less(host: Host) -> None:
    def call() -> Any:
        annotations = [{"key": "network", "value": "none"}]
        host.api.put_action("cut_off", REACHES, annotations=annotations)
        urls = [f"http://{world.WEB}/"]
        return host.api.invoke("cut_off", {"urls": urls}).body["response"]["result"]

    (said,) = host.internet.on_host(call).values()
    assert said.startswith("no: ")


def test_networks_are_kept_ready_and_counted(host: Host) -> None:
    deadline = time.monotonic() + 10
    series = "brisk_driver_ready_networks"
    while (ready := host.internet.on_host(lambda: host.api.metric(series))) < 4:
        assert time.monotonic() < deadline, ready
        time.sleep(0.05)


def test_what_a_killed_platform_left_is_removed_by_the_next(
    internet: SmallInternet, tmp_path: Path
) -> None:
    before = state_of(internet)
    killed = Host(internet, tmp_path / "data")
    assert killed.reach(world.WEB) == {world.WEB: world.WEB}
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait()
    assert killed.process.stdout
    killed.process.stdout.close()
    left = state_of(internet)
    assert left != before

    successor = Host(internet, tmp_path / "data", BRISK_SANDBOX__NETWORK="none")
    await_state(internet, before)
    successor.stop()


def test_what_a_killed_platform_left_is_removed_by_another_and_not_what_is_alive(
    internet: SmallInternet, host: Host, tmp_path: Path
) -> None:
    before = state_of(internet)[1]
    killed = Host(internet, tmp_path / "killed")
    assert killed.reach(world.WEB) == {world.WEB: world.WEB}
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait()
    assert killed.process.stdout
    killed.process.stdout.close()
    deadline = time.monotonic() + 10
    while len(internet.on_host(links.idle_bridges)) != 1:  # the kernel takes its time
        assert time.monotonic() < deadline
        time.sleep(0.02)

    another = Host(internet, tmp_path / "another", BRISK_POOL__STEM_CELLS="0")

    assert state_of(internet)[1] == before
    assert host.reach(world.WEB) == {world.WEB: world.WEB}
    another.stop()


def test_none_reaches_the_api_and_nothing_else(internet: SmallInternet, tmp_path: Path) -> None:
    host = Host(internet, tmp_path / "data", BRISK_SANDBOX__NETWORK="none")
    try:
        assert host.reach(world.WEB)[world.WEB].startswith("no: ")
        assert host.do("calls", CALLS_API, authorization=host.api.authorization)["actions"] >= 1
    finally:
        host.stop()


def _addresses_of_host() -> list[str]:
    said = subprocess.run(
        ["ip", "-o", "addr"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    found = [line.split()[3].split("/")[0] for line in said if line.split()[2].startswith("inet")]
    return [each for each in found if not each.startswith(("127.", "fe80", "::1"))]


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=3) as answer:
        return str(answer.read().decode())
