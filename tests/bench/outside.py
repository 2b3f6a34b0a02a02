"""What it costs a sandbox at its start to be led outside, beside one that has no network at all.

Both are made by the driver, one after the other, once the networks that a start takes one of are
ready again; what was made is removed outside of the time that is taken.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from common.entity.manifest import Manifest
from common.ids import ContainerId
from common.settings import SandboxSettings
from invoker.driver.port import Ability, Network, SandboxSpec
from invoker.driver.process.driver import ProcessDriver

KIND: Final = "python:3.11"
STARTS: Final = 60
READY_S: Final = 10.0
SIDES: Final = (Network.EGRESS, Network.NONE)


def starts_ms() -> tuple[float, float] | None:
    """Return the medians of a start: with `egress`, and with none. None where there is no way."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> tuple[float, float] | None:
    settings = SandboxSettings()
    kinds = Manifest.load(python=KIND.partition(":")[2])
    driver = ProcessDriver(settings, kinds.valid_kinds(), folder)
    try:
        report = await driver.probe()
        if Ability.EGRESS not in report.abilities:
            return None
        times: dict[Network, list[float]] = {side: [] for side in SIDES}
        for number in range(STARTS + 1):
            for side in SIDES:
                took_ms = await _start_ms(driver, side, f"{side.value}-{number}")
                if number:  # the first starts the zygote, and sets the networks up
                    times[side].append(took_ms)
                    await _until_ready(driver, settings.networks_ready)
        with_egress, without = (statistics.median(times[side]) for side in SIDES)
        return with_egress, without
    finally:
        await driver.close()


async def _start_ms(driver: ProcessDriver, network: Network, name: str) -> float:
    spec = SandboxSpec(
        container_id=ContainerId(f"bench-{name}"), kind=KIND, memory_mb=128, network=network
    )
    began_s = time.monotonic()
    sandbox = await driver.create(spec)
    took_s = time.monotonic() - began_s
    await sandbox.destroy()
    return took_s * 1000


async def _until_ready(driver: ProcessDriver, count: int) -> None:
    async with asyncio.timeout(READY_S):
        while driver.networks_ready < count:  # noqa: ASYNC110  a thread makes them
            await asyncio.sleep(0.005)
