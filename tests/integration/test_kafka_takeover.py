"""Who has a topic next, and how soon, when whoever had it stops in order."""

import asyncio
import time
from pathlib import Path

import pytest

from common.bus.kafka import KafkaBus
from common.bus.kafka_client import Broker
from common.clock import SystemClock
from common.settings import KafkaSettings
from tests.fakes.records import a_message
from tests.integration.kafka_bus import DEADLINE_S, INVOKER, numbers, opened, take

pytestmark = pytest.mark.kafka
LONG_S = 25.0
"""A session that nobody waits out here."""
AT_ONCE_S = 8.0


@pytest.fixture
def patient(settings: KafkaSettings) -> KafkaSettings:
    return settings.model_copy(update={"session_timeout_s": LONG_S})


async def both_take_part(settings: KafkaSettings) -> None:
    """Return when the group has two members."""
    broker = Broker(settings)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while await broker.members(INVOKER) < 2:  # noqa: ASYNC110 - a broker rings no bell
                await asyncio.sleep(0.05)
    finally:
        await broker.close()


async def test_who_waits_has_the_topic_at_once_when_its_owner_stops(
    patient: KafkaSettings, tmp_path: Path
) -> None:
    owner = await KafkaBus.open(patient, tmp_path / "owner", SystemClock())
    async with opened(patient, tmp_path / "standby") as standby:
        try:
            for number in range(6):
                await owner.send(INVOKER, a_message(number), durable=True)
            owned = await take(owner.receive(INVOKER), 2)
            owned[0].settle()
            waiting = asyncio.ensure_future(take(standby.receive(INVOKER), 5))
            await both_take_part(patient)
        finally:
            began_s = time.monotonic()
            await owner.close()
        received = await waiting

    assert time.monotonic() - began_s < AT_ONCE_S
    assert numbers(received) == [1, 2, 3, 4, 5]


async def test_who_stops_and_comes_back_has_the_topic_at_once(
    patient: KafkaSettings, tmp_path: Path
) -> None:
    for number in range(3):
        began_s = time.monotonic()
        async with opened(patient, tmp_path) as bus:
            await bus.send(INVOKER, a_message(number), durable=True)
            [delivery] = await take(bus.receive(INVOKER), 1)
            delivery.settle()
        assert numbers([delivery]) == [number]
        assert time.monotonic() - began_s < AT_ONCE_S


async def test_who_is_killed_keeps_the_place_for_the_session(
    patient: KafkaSettings, tmp_path: Path
) -> None:
    owner = await KafkaBus.open(patient, tmp_path / "owner", SystemClock())
    await owner.send(INVOKER, a_message(0), durable=True)
    await take(owner.receive(INVOKER), 1)
    await owner.abandon()  # as a crash does

    async with opened(patient, tmp_path / "owner") as again:
        began_s = time.monotonic()
        assert numbers(await take(again.receive(INVOKER), 1)) == [0]
        assert time.monotonic() - began_s < AT_ONCE_S
