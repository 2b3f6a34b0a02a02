"""A round trip over two topics: through the bus of a cluster, and through bare aiokafka.

Both sides play controller and invoker in one process, with a producer and a consumer each, and the
bare side does nothing else: no encoding, no marks, no commits, no compression. Blocks of both
alternate.
"""

import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from common.bus.kafka import KafkaBus
from common.bus.port import Message
from common.clock import SystemClock
from common.ids import RANDOM_BITS, ActivationId, ControllerId, InvokerId
from common.message import encoding, topics
from common.message.activation import ActivationMessage
from common.settings import KafkaSettings
from tests.fakes import kafka
from tests.fakes.records import a_completion, a_message

PAYLOAD: Final = b'{"text":"%b"}' % (b"lorem ipsum " * 85)
BLOCKS: Final = 10
DEADLINE_S: Final = 60
INVOKER: Final = topics.invoker(InvokerId(0))
CONTROLLER: Final = topics.completed(ControllerId(0))

RoundTrip: TypeAlias = Callable[[int], Awaitable[None]]


def absence() -> str | None:
    """Return why this cannot be measured here."""
    return kafka.absence()


def round_trips_ms(at_once: int, calls: int) -> tuple[list[float], list[float]]:
    """Return the round trips of the bus and of bare aiokafka, *at_once* under way at a time."""
    return uvloop.run(_measure(at_once, calls))


async def _measure(at_once: int, calls: int) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    bare: list[float] = []
    async with (
        asyncio.timeout(DEADLINE_S),
        kafka.corner() as settings,
        _bus(settings) as through_bus,
        bare_round_trips(settings) as through_client,
    ):
        await block(through_bus, at_once, calls)
        await block(through_client, at_once, calls)
        for number in range(BLOCKS):
            sides = [(through_bus, ours), (through_client, bare)]
            for side, times in sides if number % 2 else reversed(sides):
                times += await block(side, at_once, calls)
    return ours, bare


async def block(round_trip: RoundTrip, at_once: int, calls: int) -> list[float]:
    """Return how many milliseconds each of *calls* took, *at_once* under way at a time."""
    times: list[float] = []
    numbers = iter(range(calls))

    async def one_after_the_other() -> None:
        for number in numbers:
            began_s = time.perf_counter()
            await round_trip(number)
            times.append((time.perf_counter() - began_s) * 1000)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(one_after_the_other())
    return times


@asynccontextmanager
async def _bus(settings: KafkaSettings) -> AsyncIterator[RoundTrip]:
    waiting: dict[ActivationId, asyncio.Future[None]] = {}
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        controller = await KafkaBus.open(settings, folder / "controller", SystemClock())
        stack.push_async_callback(controller.close)
        invoker = await KafkaBus.open(settings, folder / "invoker", SystemClock())
        stack.push_async_callback(invoker.close)

        async def invoke() -> None:
            async for delivery in invoker.receive(INVOKER):
                delivery.start()
                assert isinstance(delivery.message, ActivationMessage)
                number = int(delivery.message.transid, 16)
                await invoker.send(CONTROLLER, a_completion(number), durable=False)
                delivery.settle()

        def ended(message: Message) -> None:
            waiting.pop(ActivationId(encoding.key(message))).set_result(None)

        async def round_trip(_: int) -> None:
            number = secrets.randbits(RANDOM_BITS)  # as ids of real activations are
            message = a_message(number, payload=PAYLOAD, transid=f"{number:x}")
            answer = waiting[message.activation_id] = loop.create_future()
            await controller.send(INVOKER, message, durable=False)
            await answer

        await controller.listen(CONTROLLER, ended)
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(invoke())
            yield round_trip
            worker.cancel()


@asynccontextmanager
async def bare_round_trips(settings: KafkaSettings) -> AsyncIterator[RoundTrip]:
    """Yield a round trip over two topics that nothing of ours takes part in."""
    there, back = f"{settings.topic_prefix}bare-there", f"{settings.topic_prefix}bare-back"
    waiting: dict[bytes, asyncio.Future[None]] = {}
    loop = asyncio.get_running_loop()
    servers = settings.bootstrap_servers
    async with AsyncExitStack() as stack:

        async def started(client: Any, end: str) -> Any:
            await client.start()
            stack.push_async_callback(getattr(client, end))
            return client

        async def reader(topic: str) -> Any:
            consumer = await started(AIOKafkaConsumer(bootstrap_servers=servers), "stop")
            consumer.assign([TopicPartition(topic, 0)])
            await consumer.seek_to_beginning()
            return consumer

        admin = await started(AIOKafkaAdminClient(bootstrap_servers=servers), "close")
        await admin.create_topics([NewTopic(there, 1, 1), NewTopic(back, 1, 1)])
        sender, answerer = [
            await started(
                AIOKafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=0), "stop"
            )
            for _ in range(2)
        ]
        orders, answers = await reader(there), await reader(back)

        async def echo() -> None:
            async for order in orders:
                await answerer.send(back, order.value, key=order.key, partition=0)

        async def listen() -> None:
            async for answer in answers:
                waiting.pop(answer.key).set_result(None)

        async def round_trip(number: int) -> None:
            key = b"%032d" % number
            answer = waiting[key] = loop.create_future()
            await sender.send(there, PAYLOAD, key=key, partition=0)
            await answer

        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(echo()), tasks.create_task(listen())]
            yield round_trip
            for worker in workers:
                worker.cancel()


def main() -> None:
    """Print what a round trip costs, with one and with sixteen under way."""
    for at_once, calls in ((1, 50), (16, 400), (128, 2000)):
        ours, bare = round_trips_ms(at_once, calls)
        ours_p50, bare_p50 = statistics.median(ours), statistics.median(bare)
        print(f"{at_once:3} at once: {ours_p50:.2f} ms ÷ {bare_p50:.2f} ms = "
              f"{ours_p50 / bare_p50:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
