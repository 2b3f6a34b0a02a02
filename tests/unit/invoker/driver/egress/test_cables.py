"""Cables into namespaces of others, without a host: what is plugged in, and what is taken out."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv4Network

import pytest

from invoker.driver.egress import bridge, firewall, links, plan
from invoker.driver.egress.bridge import Bridge
from invoker.driver.egress.cables import Cables
from invoker.driver.egress.plan import Site

SITE = Site("1a2b3c4d", IPv4Network("10.192.4.0/22"))


class Host:
    """What is done to a host, without one."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.plugged: set[int] = set()
        self.fails = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        patch.setattr(firewall, "install", lambda site: None)
        patch.setattr(links, "make_bridge", lambda site: self.done.append("bridge"))
        patch.setattr(links, "plug", self._plug)
        patch.setattr(links, "unplug", lambda site, number: self.plugged.discard(number))
        patch.setattr(bridge, "_remove", self._remove)
        patch.setattr(links, "claim", lambda tag: None)

    def _remove(self, site: Site) -> list[str]:
        self.done.append("removed")
        return []

    def _plug(self, site: Site, number: int, namespace: int) -> None:
        assert self.goes_on.wait(5)
        os.fstat(namespace)  # it is open still
        self.plugged.add(number)
        if self.fails:
            raise OSError("no")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


@pytest.fixture
def namespace() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
async def ground(host: Host) -> AsyncIterator[Bridge]:
    ground = Bridge(SITE)
    yield ground
    await ground.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.001)


async def test_a_cable_is_there_until_it_is_closed(
    host: Host, ground: Bridge, namespace: int
) -> None:
    cables = Cables(ground)
    first, second = await cables.plug(namespace), await cables.plug(namespace)
    assert host.plugged == {first.number, second.number} == {plan.FIRST, plan.FIRST + 1}
    assert host.done == ["removed", "bridge"], "once"
    first.close()
    first.close()
    await cables.close()
    assert host.plugged == {second.number}
    assert (await cables.plug(namespace)).number == plan.FIRST + 2, "the longest free is next"


async def test_what_fails_halfway_is_taken_out(host: Host, ground: Bridge, namespace: int) -> None:
    cables = Cables(ground)
    host.fails = True
    with pytest.raises(OSError, match="no"):
        await cables.plug(namespace)
    await cables.close()
    assert host.plugged == set()


async def test_who_leaves_leaves_nothing_plugged_in(host: Host, ground: Bridge) -> None:
    cables = Cables(ground)
    host.goes_on.clear()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    asking = asyncio.ensure_future(cables.plug(descriptor))
    await until(lambda: host.done == ["removed", "bridge"])
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    os.close(descriptor)
    host.goes_on.set()
    await cables.close()
    assert host.plugged == set()


async def test_when_all_are_used_it_is_said(host: Host, ground: Bridge, namespace: int) -> None:
    cables = Cables(ground)
    for _ in range(plan.FIRST, plan.LAST + 1):
        await cables.plug(namespace)
    with pytest.raises(OSError, match="1021 sandboxes have a network already"):
        await cables.plug(namespace)


async def test_after_the_end_there_is_none(host: Host, ground: Bridge, namespace: int) -> None:
    cables = Cables(ground)
    cable = await cables.plug(namespace)
    await ground.close()
    cable.close()
    with pytest.raises(OSError, match="closed"):
        await cables.plug(namespace)
