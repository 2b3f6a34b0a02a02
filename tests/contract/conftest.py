"""What the contract suites run against. A new adapter joins by one more factory and its name."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from common.bus.journal import Journal
from common.bus.kafka import KafkaBus
from common.bus.memory import MemoryBus
from common.bus.port import Bus
from common.clock import SystemClock
from common.store.port import Stores
from tests.contract import ran
from tests.contract.drivers import DRIVERS
from tests.contract.drivers import house as house
from tests.contract.stores import STORE_PARAMS, STORES, drop_used, require
from tests.fakes import kafka

Reopen: TypeAlias = Callable[[], Awaitable[Stores]]
"""Opens the same stores once more; an instance that is still open is left as a crash leaves it."""
NewBus: TypeAlias = Callable[[], Awaitable[Bus]]
"""Opens a bus over the same promises; an earlier one is left as a crash leaves it."""

CAPACITY = 100
"""Messages that a topic of the bus under test may hold."""


@dataclass(frozen=True, slots=True)
class Buses:
    """What one kind of bus is opened with."""

    new: NewBus
    neighbour: Callable[[Bus], Awaitable[Bus]]
    """Opens it as another process does; returns the bus itself where there is one process."""


@asynccontextmanager
async def _memory(folder: Path) -> AsyncIterator[Buses]:
    opened: list[Bus] = []

    async def new_bus() -> Bus:
        opened.append(MemoryBus(await Journal.open(folder), capacity=CAPACITY))
        return opened[-1]

    async def neighbour(bus: Bus) -> Bus:
        return bus

    yield Buses(new_bus, neighbour)
    for bus in opened:
        await bus.close()


@asynccontextmanager
async def _kafka(folder: Path) -> AsyncIterator[Buses]:
    if reason := kafka.absence():
        pytest.skip(reason)
    opened: list[KafkaBus] = []
    async with kafka.corner(capacity=CAPACITY) as settings:

        async def new_bus() -> Bus:
            for bus in opened:
                await bus.abandon()  # a crashed process has no connections either
            opened.append(await KafkaBus.open(settings, folder, SystemClock()))
            return opened[-1]

        async def neighbour(_: Bus) -> Bus:
            opened.append(await KafkaBus.open(settings, folder / "neighbour", SystemClock()))
            return opened[-1]

        yield Buses(new_bus, neighbour)
        for bus in opened:
            await bus.close()


BUSES = {"memory": _memory, "kafka": _kafka}
assert {*STORES, *BUSES, *DRIVERS} <= ran.ADAPTERS, "the end of a run has to name each of them"


@pytest.fixture(autouse=True)
def nothing_stays_on_servers() -> Iterator[None]:
    """Delete the databases of a test when everything else of it has been closed."""
    yield
    drop_used()


@pytest.fixture(params=STORE_PARAMS)
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
    require(request.param, request)
    opened: list[Stores] = []

    async def reopen() -> Stores:
        opened.append(await STORES[request.param](tmp_path / "data"))
        return opened[-1]

    yield reopen
    for stores in opened:
        await stores.close()


@pytest.fixture
async def stores(reopen: Reopen) -> Stores:
    return await reopen()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def buses(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Buses]:
    async with BUSES[request.param](tmp_path / "journal") as buses:
        yield buses


@pytest.fixture
def new_bus(buses: Buses) -> NewBus:
    return buses.new


@pytest.fixture
async def bus(new_bus: NewBus) -> Bus:
    return await new_bus()


@pytest.fixture
async def neighbour(buses: Buses, bus: Bus) -> Bus:
    return await buses.neighbour(bus)
