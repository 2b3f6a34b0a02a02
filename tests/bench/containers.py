"""How many containers a second the driver starts, over what their engine does by itself.

Both sides start the same image with the same limits, as many at once as the driver allows; the
engine's side ends when it says that they run, ours when their runtimes have said that they are up.
Blocks alternate, and what was started is removed outside of the time that is taken.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from common.ids import ContainerId
from common.settings import DockerSettings, SandboxSettings
from invoker.driver.docker.driver import STARTS_PER_CORE, DockerDriver
from invoker.driver.docker.engine import Engine
from invoker.driver.docker.flags import House, Image, create_body
from invoker.driver.port import SandboxSpec
from tests.contract import engine

KIND: Final = "python:3.11"
IMAGE: Final = Image(reference="brisk/python:3.11", command=("sleep", "60"))
BLOCKS: Final = 3
STARTS: Final = 8


def absence() -> str:
    """Return why this can't be measured here; empty if it can."""
    return "" if engine.answers() else f"no container engine answers on {engine.socket()}"


def starts_per_s() -> tuple[list[float], list[float]]:
    """Return what was reached in each block: through the driver, and by the engine alone."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> tuple[list[float], list[float]]:
    settings = DockerSettings(socket=engine.socket())
    driver = DockerDriver(settings, SandboxSettings(), {KIND: KIND}, folder)
    bare = Engine(engine.socket(), answer_s=60)
    ours, alone = [], []
    try:
        await driver.probe()
        for block in range(BLOCKS):
            ours.append(await _block(lambda name: _through(driver, name), f"ours-{block}"))
            alone.append(await _block(lambda name: _directly(bare, name), f"bare-{block}"))
    finally:
        await driver.close()
        await bare.close()
    return ours, alone


Start = Callable[[str], Awaitable[Callable[[], Awaitable[None]]]]
"""Starts a container of that name and returns what removes it."""


async def _block(start: Start, name: str) -> float:
    at_once = asyncio.Semaphore(STARTS_PER_CORE * (os.cpu_count() or 1))

    async def one(number: int) -> Callable[[], Awaitable[None]]:
        async with at_once:
            return await start(f"bench-{os.getpid()}-{name}-{number}")

    began_s = time.monotonic()
    removals = await asyncio.gather(*(one(number) for number in range(STARTS)))
    took_s = time.monotonic() - began_s
    await asyncio.gather(*(remove() for remove in removals))
    return STARTS / took_s


def _spec(name: str) -> SandboxSpec:
    return SandboxSpec(container_id=ContainerId(name), kind=KIND, memory_mb=256)


async def _through(driver: DockerDriver, name: str) -> Callable[[], Awaitable[None]]:
    return (await driver.create(_spec(name))).destroy


async def _directly(bare: Engine, name: str) -> Callable[[], Awaitable[None]]:
    house = House(owner="bench", network="bridge", pids=128, tmp_mb=64, machine=os.uname().machine)
    container = await bare.create(name, create_body(_spec(name), IMAGE, house, None))
    await bare.start(container)
    return lambda: bare.remove(container)
