"""The bus of a cluster among its neighbours: brokers that go away, consumers that die."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from common.bus.kafka import KafkaBus
from common.bus.kafka_inbox import KafkaDelivery
from common.bus.port import BusUnavailable, MessageTooLarge
from common.clock import SystemClock
from common.message import topics
from common.settings import KafkaSettings
from tests.fakes.embedded import ROOT
from tests.fakes.own_service import OwnService, aside
from tests.fakes.records import a_message
from tests.integration.kafka_bus import (
    DEADLINE_S,
    INVOKER,
    committed,
    numbers,
    opened,
    poisoned,
    take,
    until,
)

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_broker_that_restarts_in_the_middle_loses_nothing_and_repeats_nothing(
    broker: OwnService, settings: KafkaSettings, tmp_path: Path, how: str
) -> None:
    async with opened(settings, tmp_path) as bus:
        received: list[KafkaDelivery] = []

        async def consume() -> None:
            async for delivery in bus.receive(INVOKER):
                delivery.start()
                received.append(delivery)
                delivery.settle()

        async with asyncio.TaskGroup() as tasks:
            consuming = tasks.create_task(consume())
            for number in range(100):
                await bus.send(INVOKER, a_message(number), durable=number % 2 == 0)
            await aside(broker.stop if how == "stop" else broker.kill)
            late = [
                tasks.create_task(bus.send(INVOKER, a_message(number), durable=number % 2 == 0))
                for number in range(100, 200)
            ]
            await aside(broker.start)
            await asyncio.wait(late)
            await until(lambda: len(received) >= 200)
            await committed(settings, 200, "0")
            consuming.cancel()

        assert numbers(received) == list(range(200))
        assert not any(delivery.was_started for delivery in received)


async def test_while_the_broker_is_away_messages_wait_and_then_are_refused(
    broker: OwnService, settings: KafkaSettings, tmp_path: Path
) -> None:
    few = settings.model_copy(update={"capacity": 20, "send_timeout_s": 1.0})
    async with opened(few, tmp_path) as bus:
        await bus.send(INVOKER, a_message(0), durable=True)
        await aside(broker.stop)
        try:
            for number in range(1, 20):
                await bus.send(INVOKER, a_message(number), durable=False)
            began_s = time.monotonic()
            with pytest.raises(BusUnavailable, match="is full: 20"):
                await bus.send(INVOKER, a_message(99), durable=False)
            assert time.monotonic() - began_s < 0.5
            with pytest.raises(BusUnavailable, match="did not confirm"):
                await bus.secure(a_message(7))
        finally:
            await aside(broker.start)
        await bus.secure(a_message(7))

        assert numbers(await take(bus.receive(INVOKER), 20)) == list(range(20))


async def test_a_bus_without_a_broker_does_not_open_and_one_that_lost_it_closes(
    broker: OwnService, settings: KafkaSettings, tmp_path: Path
) -> None:
    bus = await KafkaBus.open(settings, tmp_path / "lost", SystemClock())
    await bus.send(INVOKER, a_message(0), durable=True)
    await take(bus.receive(INVOKER), 1)
    await aside(broker.stop)
    try:
        await bus.send(INVOKER, a_message(1), durable=False)
        began_s = time.monotonic()
        await bus.close()
        assert time.monotonic() - began_s < settings.close_s + 5
        with pytest.raises(BusUnavailable):
            await KafkaBus.open(settings, tmp_path / "new", SystemClock())
    finally:
        await aside(broker.start)


async def test_when_a_topic_goes_to_another_consumer_nothing_settled_goes_with_it(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    async with opened(settings, tmp_path / "b") as second:
        first = await KafkaBus.open(settings, tmp_path / "a", SystemClock())
        try:
            for number in range(10):
                await first.send(INVOKER, a_message(number), durable=True)
            taken = await take(first.receive(INVOKER), 6)
            for delivery in taken[1:5]:
                delivery.start()
            for delivery in (taken[1], taken[3]):
                delivery.settle()
        finally:
            await first.close()

        received = await take(second.receive(INVOKER), 8)

        assert numbers(received) == [0, 2, 4, 5, 6, 7, 8, 9]
        started = [delivery for delivery in received if delivery.was_started]
        assert numbers(started) == [2, 4]


async def test_two_consumers_share_a_topic_through_rebalances_without_loss(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    async with (
        opened(settings, tmp_path / "a") as first,
        opened(settings, tmp_path / "b") as second,
        opened(settings, tmp_path / "c") as sender,
    ):
        settled: list[KafkaDelivery] = []

        async def consume(bus: KafkaBus) -> None:
            async for delivery in bus.receive(INVOKER):
                delivery.start()
                await asyncio.sleep(0.001)
                delivery.settle()
                settled.append(delivery)

        async with asyncio.TaskGroup() as tasks:
            consuming = [tasks.create_task(consume(first))]
            for number in range(300):
                await sender.send(INVOKER, a_message(number), durable=True)
                if number == 100:
                    consuming.append(tasks.create_task(consume(second)))
            await until(lambda: len(settled) >= 300)
            await committed(settings, 300, "0")
            for task in consuming:
                task.cancel()

        assert sorted(numbers(settled)) == list(range(300))


CONSUMER = """
import asyncio, json, sys
from pathlib import Path
from common.bus.kafka import KafkaBus
from common.clock import SystemClock
from common.message.topics import Topic
from common.settings import KafkaSettings

async def consume_a_part():
    settings = KafkaSettings(**json.loads(sys.argv[2]))
    bus = await KafkaBus.open(settings, Path(sys.argv[1]), SystemClock())
    deliveries = bus.receive(Topic("invoker0"))
    taken = [await anext(deliveries) for _ in range(6)]
    for delivery in taken[:5]:
        delivery.start()
    for delivery in (taken[0], taken[2], taken[3]):
        delivery.settle()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(consume_a_part())
"""


async def a_part_is_consumed_and_killed(
    settings: KafkaSettings, folder: Path, *, is_committed: bool
) -> None:
    """Run a consumer that takes six, starts five, settles three, and is killed with -9."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONSUMER, str(folder), settings.model_dump_json(),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S):
            assert child.stdout is not None
            assert await child.stdout.readline() == b"ready\n"
        if is_committed:
            # 0, 2 and 3 are settled; 6 to 9 may be read ahead, and nobody has begun them.
            await committed(settings, 1, "9 0s 3s 4 5 6 7 8")
    finally:
        os.kill(child.pid, signal.SIGKILL)
        await child.wait()


async def test_a_consumer_that_is_killed_finds_its_marks(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    slow = settings.model_copy(update={"commit_interval_ms": 60_000})
    async with opened(settings, tmp_path / "sender") as sender:
        for number in range(10):
            await sender.send(INVOKER, a_message(number), durable=True)
        await a_part_is_consumed_and_killed(slow, tmp_path / "killed", is_committed=False)

        async with opened(settings, tmp_path / "killed") as again:
            received = await take(again.receive(INVOKER), 7)

    assert numbers(received) == [1, 4, 5, 6, 7, 8, 9]
    assert numbers([delivery for delivery in received if delivery.was_started]) == [1, 4]


async def test_another_machine_finds_what_a_killed_consumer_had_committed(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    async with opened(settings, tmp_path / "sender") as sender:
        for number in range(10):
            await sender.send(INVOKER, a_message(number), durable=True)
        await a_part_is_consumed_and_killed(settings, tmp_path / "killed", is_committed=True)

        async with opened(settings, tmp_path / "other") as other:
            received = await take(other.receive(INVOKER), 7)

    assert numbers(received) == [1, 4, 5, 6, 7, 8, 9]
    assert numbers([delivery for delivery in received if delivery.was_started]) == [1, 4]


async def test_what_cannot_be_read_is_set_aside_and_blocks_nobody(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    before = poisoned()
    async with opened(settings, tmp_path) as bus:
        await bus.send(INVOKER, a_message(0), durable=True)
        stranger = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
        await stranger.start()
        try:
            topic = f"{settings.topic_prefix}{INVOKER}"
            await stranger.send_and_wait(topic, b"\xff no message", key=b"some key")
        finally:
            await stranger.stop()
        await bus.send(INVOKER, a_message(1), durable=True)

        received = await take(bus.receive(INVOKER), 2)
        for delivery in received:
            delivery.settle()
        await committed(settings, 3, "0")

    assert numbers(received) == [0, 1]
    assert poisoned() == before + 1
    reader = AIOKafkaConsumer(
        f"{settings.topic_prefix}{topics.POISON}",
        bootstrap_servers=settings.bootstrap_servers,
        auto_offset_reset="earliest",
    )
    await reader.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            aside = await reader.getone()
    finally:
        await reader.stop()
    assert (aside.key, aside.value) == (b"some key", b"\xff no message")
    assert ("place", b"invoker0@1") in aside.headers


async def test_a_message_that_is_too_large_is_refused_by_name_and_blocks_nobody(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    small = settings.model_copy(update={"max_message_bytes": 1 << 16})
    wide = settings.model_copy(update={"max_message_bytes": 4 << 20, "compression": "none"})
    huge = a_message(5, payload=b'"%200000d"' % 0)
    async with opened(small, tmp_path / "a") as bus:
        with pytest.raises(MessageTooLarge, match="65536"):
            await bus.send(INVOKER, huge, durable=False)
        await bus.send(INVOKER, a_message(0), durable=True)

    async with opened(wide, tmp_path / "b") as bus:  # the topic takes less than is said here
        with pytest.raises(MessageTooLarge):
            await bus.send(INVOKER, huge, durable=True)
        await bus.send(INVOKER, a_message(1), durable=True)
        assert numbers(await take(bus.receive(INVOKER), 2)) == [0, 1]


async def test_who_does_not_ask_is_not_flooded(settings: KafkaSettings, tmp_path: Path) -> None:
    little = settings.model_copy(update={"prefetch": 10})
    async with opened(little, tmp_path) as bus:
        for number in range(100):
            await bus.send(INVOKER, a_message(number), durable=False)
        deliveries = bus.receive(INVOKER)
        received = await take(deliveries, 1)
        await asyncio.wait_for(bus.secure(a_message(99)), DEADLINE_S)

        assert len(bus._inboxes[INVOKER]._offsets) <= 11
        received += await take(deliveries, 99)

    assert numbers(received) == list(range(100))
