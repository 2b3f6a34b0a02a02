"""A bus over a broker of the tests' own, and what tests ask of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from common import metrics
from common.bus.kafka import KafkaBus
from common.bus.kafka_client import Broker
from common.bus.kafka_inbox import KafkaDelivery
from common.bus.offsets import Commit
from common.clock import SystemClock
from common.ids import InvokerId
from common.message import encoding, topics
from common.settings import KafkaSettings
from tests.fakes.records import a_message

INVOKER: Final = topics.invoker(InvokerId(0))
DEADLINE_S: Final = 25


@asynccontextmanager
async def opened(settings: KafkaSettings, folder: Path) -> AsyncIterator[KafkaBus]:
    bus = await KafkaBus.open(settings, folder, SystemClock())
    try:
        yield bus
    finally:
        await bus.close()


async def take(deliveries: AsyncIterator[KafkaDelivery], number: int) -> list[KafkaDelivery]:
    async with asyncio.timeout(DEADLINE_S):
        return [await anext(deliveries) for _ in range(number)]


async def until(condition: Callable[[], bool]) -> None:
    """Return when *condition* holds, which something outside this loop brings about."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - a broker rings no bell
            await asyncio.sleep(0.02)


async def committed(settings: KafkaSettings, low: int, note: str) -> None:
    """Return when the topic's consumers have committed exactly that."""
    broker = Broker(settings)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while await broker.committed(INVOKER) != Commit(low, note):  # noqa: ASYNC110 - nor here
                await asyncio.sleep(0.02)
    finally:
        await broker.close()


def poisoned() -> float:
    return metrics.REGISTRY.get_sample_value("brisk_bus_poison_messages_total") or 0.0


def numbers(deliveries: list[KafkaDelivery]) -> list[int]:
    ids = {encoding.key(a_message(number)): number for number in range(500)}
    return [ids[encoding.key(delivery.message)] for delivery in deliveries]
