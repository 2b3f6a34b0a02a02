"""The pool of networks, whose namespaces are files here: what it keeps, and what it gives back."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from ipaddress import IPv4Network

import pytest

from invoker.driver.egress import bridge, firewall, links, plan
from invoker.driver.egress.networks import Networks
from invoker.driver.egress.plan import Site

SITE = Site("1a2b3c4d", IPv4Network("10.192.4.0/22"))


class Host:
    """What the pool does to a host, without one."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.fails = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        patch.setattr(firewall, "install", lambda site: self.done.append("rules"))
        patch.setattr(links, "make_bridge", lambda site: self.done.append("bridge"))
        patch.setattr(links, "make_namespace", self._make)
        patch.setattr(bridge, "_remove", self._remove)
        patch.setattr(links, "claim", lambda tag: None)

    def _remove(self, site: Site) -> list[str]:
        self.done.append("removed")
        return []

    def _make(self, site: Site, number: int) -> int:
        assert self.goes_on.wait(5)
        if self.fails:
            raise OSError("no")
        self.done.append(str(number))
        return os.open(os.devnull, os.O_RDONLY)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


@pytest.fixture
async def pool(host: Host) -> AsyncIterator[Networks]:
    pool = Networks(SITE, 2)
    yield pool
    await pool.close()
    assert pool.ready == 0


async def until_ready(pool: Networks, count: int) -> None:
    async with asyncio.timeout(5):
        while pool.ready != count:  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.001)


async def test_nothing_is_set_up_before_it_is_needed(host: Host) -> None:
    pool = Networks(SITE, 2)
    await pool.close()
    assert host.done == []


async def test_what_is_taken_is_made_anew(host: Host, pool: Networks) -> None:
    network = await pool.take()
    await until_ready(pool, 2)
    second = await pool.take()
    await until_ready(pool, 2)
    assert host.done == ["removed", "rules", "bridge", "2", "3", "4", "5"]
    network.close()
    second.close()


async def test_all_who_wait_get_one_each(pool: Networks) -> None:
    taken = await asyncio.gather(*(pool.take() for _ in range(10)))
    assert len({each.number for each in taken}) == 10
    for each in taken:
        each.close()


async def test_who_leaves_takes_nothing_along(host: Host, pool: Networks) -> None:
    (await pool.take()).close()
    await until_ready(pool, 2)
    host.goes_on.clear()
    both = [await pool.take(), await pool.take()]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await pool.take()
    host.goes_on.set()
    await until_ready(pool, 3)  # the one that was made for who left is kept
    for each in both:
        each.close()


async def test_a_number_is_free_again_when_its_sandbox_is_gone(pool: Networks) -> None:
    network = await pool.take()
    network.close()
    network.close()
    await until_ready(pool, 2)
    assert f"free={plan.LAST - plan.FIRST + 1 - 2}" in repr(pool)


async def test_one_that_cannot_be_made_fails_who_waits_and_not_the_next(
    host: Host, pool: Networks
) -> None:
    host.fails = True
    with pytest.raises(OSError, match="no network could be made: no"):
        await pool.take()
    host.fails = False
    (await pool.take()).close()


async def test_after_the_end_there_is_none(host: Host, pool: Networks) -> None:
    network = await pool.take()
    await pool.close()
    with pytest.raises(OSError, match="closed"):
        await pool.take()
    assert host.done[-1] == "removed"
    network.close()
