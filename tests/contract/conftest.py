"""What the contract suites run against. A new adapter joins by one more factory and its name."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from common.bus.journal import Journal
from common.bus.memory import MemoryBus
from common.bus.port import Bus
from common.clock import SystemClock
from common.settings import StoreSettings
from common.store.port import Stores
from common.store.sqlite import SqliteStores
from tests.contract import ran
from tests.contract.drivers import DRIVERS
from tests.contract.drivers import house as house

Reopen: TypeAlias = Callable[[], Awaitable[Stores]]
"""Opens the same stores once more; an instance that is still open is left as a crash leaves it."""
NewBus: TypeAlias = Callable[[], Awaitable[Bus]]
"""Opens a bus over the same promises; an earlier one is left as a crash leaves it."""

CAPACITY = 100
"""Messages that a topic of the bus under test may hold."""


async def _sqlite(folder: Path) -> Stores:
    return await SqliteStores.open(folder, StoreSettings(close_s=5), SystemClock())


async def _memory(folder: Path) -> Bus:
    return MemoryBus(await Journal.open(folder), capacity=CAPACITY)


STORES = {"sqlite": _sqlite}
BUSES = {"memory": _memory}
RUNTIMES = ("python", "nodejs", "frames", "http")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which suite ran against what."""
    outcomes = [
        (report.nodeid, outcome)
        for outcome in ("passed", "failed", "error", "skipped")
        for report in terminalreporter.stats.get(outcome, ())
    ]
    if said := ran.lines(outcomes, {*STORES, *BUSES, *DRIVERS, *RUNTIMES}):
        terminalreporter.section("contract suites, and what they ran against")
        terminalreporter.write_line("\n".join(said))


@pytest.fixture(params=STORES)
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
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


@pytest.fixture(params=BUSES)
async def new_bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[NewBus]:
    opened: list[Bus] = []

    async def new_bus() -> Bus:
        opened.append(await BUSES[request.param](tmp_path / "journal"))
        return opened[-1]

    yield new_bus
    for bus in opened:
        await bus.close()


@pytest.fixture
async def bus(new_bus: NewBus) -> Bus:
    return await new_bus()
