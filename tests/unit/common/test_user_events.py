"""User events leave in batches, are bounded, and are told apart from what must not be lost."""

import asyncio
from typing import Any

from common import metrics
from common.bus.memory import MemoryBus
from common.bus.port import BusFull, Message
from common.message import topics
from common.message.topics import Topic
from common.settings import UserEventSettings
from common.user_events import UserEvents
from tests.fakes.clock import FakeClock
from tests.fakes.records import a_record

WAIT_S = 5.0


def events_on(bus: MemoryBus, **settings: Any) -> UserEvents:
    given = UserEventSettings(**({"enabled": True, "flush_ms": 1} | settings))
    return UserEvents("invoker0", bus, FakeClock(), given)


def dropped() -> float:
    return metrics.REGISTRY.get_sample_value("brisk_user_events_dropped_messages_total") or 0.0


async def test_events_come_in_order_on_their_topic() -> None:
    bus, heard, has_all = MemoryBus(None, capacity=9), list[Message](), asyncio.Event()

    def hear(message: Message) -> None:
        heard.append(message)
        if len(heard) == 3:
            has_all.set()

    await bus.listen(topics.EVENTS, hear)
    events = events_on(bus)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(events.serve())
        for number in range(3):
            events.activation(a_record(number), "u")
        async with asyncio.timeout(WAIT_S):
            await has_all.wait()
        serving.cancel()
    ids = [each.body["activationId"] for each in heard]  # type: ignore[union-attr]
    assert ids == [a_record(number).activation_id for number in range(3)]


async def test_what_is_left_is_sent_at_the_end() -> None:
    bus, heard = MemoryBus(None, capacity=9), list[Message]()
    await bus.listen(topics.EVENTS, heard.append)
    events = events_on(bus, flush_ms=60_000)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(events.serve())
        await asyncio.sleep(0)
        events.activation(a_record(1), "u")
        serving.cancel()
    assert len(heard) == 1
    assert len(events) == 0


async def test_what_finds_no_room_is_dropped_and_counted() -> None:
    events = events_on(MemoryBus(None, capacity=9), max_waiting=2)
    before = dropped()
    for number in range(5):
        events.activation(a_record(number), "u")
    assert (len(events), dropped() - before) == (2, 3)


async def test_while_the_bus_is_away_events_wait(monkeypatch: Any) -> None:
    bus, heard = MemoryBus(None, capacity=9), list[Message]()
    await bus.listen(topics.EVENTS, heard.append)
    tries, has_tried = 0, asyncio.Event()
    sends = bus.try_send

    def refuse(topic: Topic, message: Message) -> bool:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise BusFull("no", limit="x")
        has_tried.set()
        return sends(topic, message)

    monkeypatch.setattr(bus, "try_send", refuse)
    events = events_on(bus)
    events.activation(a_record(1), "u")
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(events.serve())
        async with asyncio.timeout(WAIT_S):
            await has_tried.wait()
        serving.cancel()
    assert len(heard) == 1


async def test_off_nothing_is_gathered() -> None:
    events = events_on(MemoryBus(None, capacity=9), enabled=False)
    events.activation(a_record(1), "u")
    assert len(events) == 0


async def test_of_events_that_nobody_hears_nothing_is_kept() -> None:
    bus = MemoryBus(None, capacity=2)
    events = events_on(bus, flush_ms=60_000)
    for number in range(5):
        events.activation(a_record(number), "u")
    await events._flush()
    assert (len(events), bus.depth(topics.EVENTS)) == (0, 0)
