"""News on a real broker: what everybody hears, and what becomes of it while the broker is away."""

import asyncio
from pathlib import Path

import pytest

from common.bus.port import Message
from common.message import topics
from common.settings import KafkaSettings
from tests.fakes.own_service import OwnService, aside
from tests.fakes.records import a_ping
from tests.integration.kafka_bus import opened, until

pytestmark = pytest.mark.kafka


async def test_what_is_said_around_an_outage_is_heard_once_and_in_order(
    broker: OwnService, settings: KafkaSettings, tmp_path: Path
) -> None:
    heard: list[Message] = []
    async with opened(settings, tmp_path / "a") as hearing, opened(settings, tmp_path / "b") as bus:
        await hearing.listen(topics.HEALTH, heard.append)
        for number in range(3):
            await bus.send(topics.HEALTH, a_ping(number), durable=True)
        await until(lambda: len(heard) == 3)
        await aside(broker.kill)
        for number in range(3, 6):
            await bus.send(topics.HEALTH, a_ping(number), durable=False)
        await aside(broker.start)
        await until(lambda: len(heard) == 6)

    assert heard == [a_ping(number) for number in range(6)]


async def test_who_listens_keeps_no_place_in_any_group(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    heard = asyncio.Event()
    async with opened(settings, tmp_path) as bus:
        await bus.listen(topics.HEALTH, lambda _: heard.set())
        await bus.send(topics.HEALTH, a_ping(), durable=True)
        await asyncio.wait_for(heard.wait(), 10)

        assert not bus._inboxes, "who listens is in no group"
        assert "kept=0" in repr(bus._marks), "nothing is marked that nobody settles"
