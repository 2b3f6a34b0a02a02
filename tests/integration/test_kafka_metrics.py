"""That the metrics of the bus are true: against a real broker, at the moments that they are for."""

import asyncio
from pathlib import Path

import pytest

from common import metrics
from common.message import topics
from common.settings import KafkaSettings
from tests.fakes.own_service import OwnService, aside
from tests.fakes.records import a_message, a_ping
from tests.integration.kafka_bus import INVOKER, opened, take, until

pytestmark = pytest.mark.kafka


def value(name: str, **labels: str) -> float:
    found = metrics.REGISTRY.get_sample_value(f"brisk_bus_{name}", labels)
    assert found is not None, name
    return found


def lag(kind: str = "invoker") -> float:
    return value("lag_messages", topic=kind)


def oldest_s(kind: str = "invoker") -> float:
    return value("oldest_unsettled_seconds", topic=kind)


async def test_the_lag_grows_when_a_consumer_stands_still_and_goes_when_it_settles(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    little = settings.model_copy(update={"prefetch": 10})
    async with opened(settings, tmp_path / "a") as sender, opened(little, tmp_path / "b") as bus:
        deliveries = bus.receive(INVOKER)
        for number in range(30):
            await sender.send(INVOKER, a_message(number), durable=number == 29)
        taken = await take(deliveries, 1)
        await until(lambda: lag() == 30)
        for number in range(30, 60):
            await sender.send(INVOKER, a_message(number), durable=number == 59)
        await until(lambda: lag() == 60)

        taken += await take(deliveries, 59)
        assert lag() == 60, "what is in work is not done"
        for delivery in taken[1:]:
            delivery.settle()
        assert lag() == 60, "one that is held holds back what is behind it"
        taken[0].settle()
        assert lag() == 0


async def test_the_age_of_a_message_that_is_held_grows_until_it_is_settled(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    async with opened(settings, tmp_path) as bus:
        assert oldest_s() == 0
        for number in range(2):
            await bus.send(INVOKER, a_message(number), durable=True)
        held, next_one = await take(bus.receive(INVOKER), 2)
        before_s = oldest_s()
        await until(lambda: oldest_s() > before_s + 0.5)
        next_one.settle()
        assert oldest_s() > 0.5
        held.settle()
        assert oldest_s() == 0
        assert oldest_s("completed") == 0, "each kind for itself"


async def test_what_is_on_its_way_is_counted_until_the_broker_has_it(
    broker: OwnService, settings: KafkaSettings, tmp_path: Path
) -> None:
    async with opened(settings, tmp_path) as bus:
        await bus.send(INVOKER, a_message(0), durable=True)
        assert value("in_flight_messages") == 0
        await aside(broker.stop)
        try:
            for number in range(1, 8):
                await bus.send(INVOKER, a_message(number), durable=False)
            assert value("in_flight_messages") == 7
        finally:
            await aside(broker.start)
        await until(lambda: value("in_flight_messages") == 0)


async def test_the_lag_of_a_listener_is_what_it_has_not_heard(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    heard = asyncio.Event()
    async with opened(settings, tmp_path) as bus:
        await bus.listen(topics.HEALTH, lambda _: heard.set())
        await bus.send(topics.HEALTH, a_ping(), durable=True)
        await asyncio.wait_for(heard.wait(), 10)
        assert lag("health") == 0
        [listener] = bus._listeners.values()
        listener._position -= 1  # as if it had not come so far
        assert lag("health") == 1


async def test_a_bus_that_is_closed_shows_nothing(settings: KafkaSettings, tmp_path: Path) -> None:
    async with opened(settings, tmp_path) as bus:
        await bus.send(INVOKER, a_message(0), durable=True)
        await take(bus.receive(INVOKER), 1)
        assert lag() == 1
    assert lag() == oldest_s() == value("in_flight_messages") == 0
