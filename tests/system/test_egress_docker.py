"""What a function in a container reaches: the internet, names, the API, and nothing else.

The engine is the one that is there, the internet one of the test's own, with images of ours and
with one that speaks OpenWhisk's HTTP.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import engine
from tests.fakes import images
from tests.fakes import small_internet as world
from tests.fakes.container_host import ContainerHost
from tests.fakes.online_host import REACHES, await_state
from tests.fakes.small_internet import SmallInternet, small_internet, state_of

pytestmark = [*engine.needed, pytest.mark.needs_root]

KINDS = ["ours", "http"]
"""Names of containers: images of ours, and one of a stranger."""
CALLS_API = """
import os, urllib.request
def main(args):
    host = os.environ["__OW_API_HOST"]
    with urllib.request.urlopen(host, timeout=5) as answer:
        return {"host": host, "said": answer.read().decode()}
"""
SERVES = """
import socket, threading, urllib.request
def serve():
    listener = socket.create_server(("0.0.0.0", 9000))
    def answer():
        while True:
            with listener.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nneighbour")
    threading.Thread(target=answer, daemon=True).start()
serve()
def main(args):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.80", 80))
        address = probe.getsockname()[0]
    with urllib.request.urlopen(f"http://{address}:9000/", timeout=3) as answer:
        return {"address": address, "said": answer.read().decode()}
"""


@pytest.fixture(scope="module")
def internet() -> Iterator[SmallInternet]:
    with small_internet() as internet:
        yield internet


@pytest.fixture(scope="module")
def host(
    internet: SmallInternet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerHost]:
    before = state_of(internet)
    host = ContainerHost(
        internet,
        tmp_path_factory.mktemp("egress"),
        nameservers=world.RESOLVER,
        allowed_ranges="192.168.88.0/24",
    )
    yield host
    host.stop()
    await_state(internet, before)


def reach(
    host: ContainerHost, name: str, *hosts: str, port: int = world.WEB_PORT
) -> dict[str, str]:
    """Return what the container *name* sees at each of *hosts*."""
    bracketed = {each: f"[{each}]" if ":" in each else each for each in hosts}
    urls = {each: f"http://{written}:{port}/" for each, written in bracketed.items()}
    seen = host.do(name, REACHES, urls=list(urls.values()))
    return {each: seen[url] for each, url in urls.items()}


def test_the_driver_says_that_it_can(host: ContainerHost) -> None:
    assert "egress" in host.began["abilities"]
    assert host.began["why"] == []


@pytest.mark.parametrize("name", KINDS)
def test_the_internet_is_reached_by_address_by_name_and_by_ipv6(
    host: ContainerHost, name: str
) -> None:
    seen = reach(host, name, world.WEB, world.NAME, world.WEB6, world.LISTED)
    assert seen == {
        world.WEB: world.WEB,
        world.NAME: world.WEB,
        world.WEB6: world.WEB6,
        world.LISTED: world.LISTED,
    }


@pytest.mark.parametrize("name", KINDS)
def test_what_is_private_of_the_link_or_of_the_host_is_not(host: ContainerHost, name: str) -> None:
    addresses = [world.PRIVATE, world.PRIVATE6, world.METADATA, "10.1.2.3", "172.17.0.1"]
    seen = reach(host, name, *addresses)
    seen |= reach(host, name, world.HOST, world.HOST6, "127.0.0.1", port=world.HOST_PORT)
    assert [each for each, said in seen.items() if not said.startswith("no: ")] == []


@pytest.mark.parametrize("name", KINDS)
def test_another_container_is_not_reached(host: ContainerHost, name: str) -> None:
    """Neither what its code serves nor, of a stranger's image, the server of its runtime."""
    neighbour = host.do(f"{name}-neighbour", SERVES)
    assert neighbour["said"] == "neighbour"
    for port in (9000, 8080):
        seen = reach(host, name, neighbour["address"], port=port)
        assert seen[neighbour["address"]].startswith("no: ")


@pytest.mark.parametrize("name", [*KINDS, "ours-closed", "http-closed"])
def test_the_api_is_reached_with_and_without_a_network(host: ContainerHost, name: str) -> None:
    said = host.do(f"calls-{name}" if name[0] == "o" else f"http-calls-{name}", CALLS_API)
    assert said == {"host": "http://127.0.0.1:3233", "said": "the api"}


@pytest.mark.parametrize("name", KINDS)
def test_one_that_shall_reach_nothing_reaches_nothing(host: ContainerHost, name: str) -> None:
    assert reach(host, f"{name}-closed", world.WEB)[world.WEB].startswith("no: ")


def test_a_cable_goes_with_its_container(internet: SmallInternet, host: ContainerHost) -> None:
    host.do("ours", REACHES, urls=[])
    before = state_of(internet)
    reach(host, "ours-short", world.WEB)
    assert state_of(internet) != before
    host.ask(do="destroy", name="ours-short")
    await_state(internet, before)


def test_what_a_killed_platform_left_is_removed_by_the_next(
    internet: SmallInternet, host: ContainerHost, tmp_path: Path
) -> None:
    host.do("ours", REACHES, urls=[])
    before = state_of(internet)
    killed = ContainerHost(internet, tmp_path / "data")
    assert reach(killed, "left", world.WEB) == {world.WEB: world.WEB}
    killed.kill()
    assert state_of(internet) != before

    successor = ContainerHost(internet, tmp_path / "data", network="none")
    try:
        await_state(internet, before)
        assert any(name.startswith("brisk-") for name in successor.began["removed"])
        assert any(name.startswith("bridge brk") for name in successor.began["removed"])
        assert "egress" not in successor.began["abilities"]
    finally:
        successor.stop()
    with images.client() as library:
        names = [each.name for each in library.containers.list(all=True)]
    assert not [name for name in names if name.endswith("-left")]
