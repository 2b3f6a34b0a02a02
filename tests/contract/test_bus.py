"""What every bus does."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from common.bus.port import Bus, BusFull, BusUnavailable, Delivery, Message
from common.ids import ControllerId, InvokerId
from common.message import encoding, topics
from tests.contract.conftest import CAPACITY, NewBus
from tests.fakes.records import a_completion, a_message, a_ping

INVOKER = topics.invoker(InvokerId(0))
CONTROLLER = topics.completed(ControllerId(0))
DEADLINE_S = 5


async def take(deliveries: AsyncIterator[Delivery], number: int = 1) -> list[Delivery]:
    async with asyncio.timeout(DEADLINE_S):
        return [await anext(deliveries) for _ in range(number)]


async def ids_of(bus: Bus, number: int) -> list[str]:
    return [encoding.key(d.message) for d in await take(bus.receive(INVOKER), number)]


async def test_messages_arrive_in_order(bus: Bus) -> None:
    sent = [a_message(i) for i in range(10)]
    for i, message in enumerate(sent):
        await bus.send(INVOKER, message, durable=i % 2 == 0)

    received = await take(bus.receive(INVOKER), 10)

    assert [delivery.message for delivery in received] == sent
    assert not any(delivery.was_started for delivery in received)


async def test_topics_are_apart(bus: Bus) -> None:
    await bus.send(CONTROLLER, a_completion(), durable=False)
    await bus.send(INVOKER, a_message(), durable=False)

    [delivery] = await take(bus.receive(CONTROLLER))

    assert delivery.message == a_completion()


async def test_a_receiver_waits_for_what_comes(bus: Bus) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(take(bus.receive(INVOKER)))
        await asyncio.sleep(0)
        await bus.send(INVOKER, a_message(), durable=True)

    assert [delivery.message for delivery in waiting.result()] == [a_message()]


async def test_a_receiver_that_is_cancelled_takes_nothing(bus: Bus) -> None:
    waiting = asyncio.ensure_future(take(bus.receive(INVOKER)))
    await asyncio.sleep(0)
    await bus.send(INVOKER, a_message(), durable=False)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert await ids_of(bus, 1) == [a_message().activation_id]


async def test_a_full_topic_says_so_at_once(bus: Bus) -> None:
    for i in range(CAPACITY):
        await bus.send(INVOKER, a_message(i), durable=False)

    for durable in (False, True):
        with pytest.raises(BusUnavailable, match=f"{INVOKER} is full: {CAPACITY}"):
            await bus.send(INVOKER, a_message(), durable=durable)

    await bus.send(CONTROLLER, a_completion(), durable=False)
    await take(bus.receive(INVOKER))
    await bus.send(INVOKER, a_message(), durable=False)


async def test_places_of_messages_that_are_being_made_durable_are_kept(bus: Bus) -> None:
    sends = (bus.send(INVOKER, a_message(i), durable=True) for i in range(CAPACITY + 10))

    outcomes = await asyncio.gather(*sends, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(BusFull) == 10
    assert len(set(await ids_of(bus, CAPACITY))) == CAPACITY


async def test_a_durable_message_is_delivered_again_after_a_crash(new_bus: NewBus) -> None:
    before = await new_bus()
    for i, durable in enumerate((True, False, True)):
        await before.send(INVOKER, a_message(i), durable=durable)

    after = await new_bus()
    await after.send(INVOKER, a_message(3), durable=False)

    deliveries = after.receive(INVOKER)
    received = await take(deliveries)
    while received[-1].message != a_message(3):
        received += await take(deliveries)
    # What was not durable may have come through, where it should have been.
    messages = [delivery.message for delivery in received if delivery.message != a_message(1)]
    assert messages == [a_message(i) for i in (0, 2, 3)]
    assert not any(delivery.was_started for delivery in received)


async def test_what_had_been_started_says_so(new_bus: NewBus) -> None:
    before = await new_bus()
    for i in range(2):
        await before.send(INVOKER, a_message(i), durable=True)
    [first] = await take(before.receive(INVOKER))
    first.start()

    received = await take((await new_bus()).receive(INVOKER), 2)

    assert [delivery.was_started for delivery in received] == [True, False]


async def test_what_is_settled_is_not_delivered_again(new_bus: NewBus) -> None:
    before = await new_bus()
    for i in range(3):
        await before.send(INVOKER, a_message(i), durable=True)
    for delivery in await take(before.receive(INVOKER), 2):
        delivery.start()
        delivery.settle()
        delivery.settle()

    again = await new_bus()
    assert await ids_of(again, 1) == [a_message(2).activation_id]


async def test_a_promise_survives_several_crashes(new_bus: NewBus) -> None:
    await (await new_bus()).send(INVOKER, a_message(), durable=True)

    for _ in range(3):
        assert await ids_of(await new_bus(), 1) == [a_message().activation_id]


async def test_a_message_can_be_secured_while_it_waits(new_bus: NewBus) -> None:
    before = await new_bus()
    await before.send(INVOKER, a_message(), durable=False)
    await before.secure(a_message())
    await before.secure(a_message())

    [delivery] = await take((await new_bus()).receive(INVOKER))

    assert delivery.message == a_message()
    assert not delivery.was_started


async def test_a_message_can_be_secured_while_it_runs(new_bus: NewBus) -> None:
    before = await new_bus()
    await before.send(INVOKER, a_message(), durable=False)
    [running] = await take(before.receive(INVOKER))
    running.start()
    await before.secure(a_message())

    [delivery] = await take((await new_bus()).receive(INVOKER))

    assert delivery.was_started


async def test_securing_what_has_ended_changes_nothing(new_bus: NewBus) -> None:
    before = await new_bus()
    await before.send(INVOKER, a_message(), durable=False)
    [delivery] = await take(before.receive(INVOKER))
    delivery.settle()
    await before.secure(a_message())

    after = await new_bus()
    await after.send(INVOKER, a_message(1), durable=False)
    assert await ids_of(after, 1) == [a_message(1).activation_id]


async def test_a_secured_message_that_ends_is_not_delivered_again(new_bus: NewBus) -> None:
    before = await new_bus()
    await before.send(INVOKER, a_message(), durable=False)
    await before.secure(a_message())
    [delivery] = await take(before.receive(INVOKER))
    delivery.start()
    delivery.settle()

    after = await new_bus()
    await after.send(INVOKER, a_message(1), durable=False)
    assert await ids_of(after, 1) == [a_message(1).activation_id]


async def test_who_is_cancelled_while_sending_has_sent_nothing(new_bus: NewBus) -> None:
    before = await new_bus()
    sending = asyncio.ensure_future(before.send(INVOKER, a_message(), durable=True))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    bus = before
    for _ in range(2):
        await bus.send(INVOKER, a_message(1), durable=False)
        assert await ids_of(bus, 1) == [a_message(1).activation_id]
        bus = await new_bus()


async def test_closing_ends_every_receiver_and_refuses_what_comes(bus: Bus) -> None:
    async def receive_all() -> int:
        return len([delivery async for delivery in bus.receive(INVOKER)])

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        receivers = [tasks.create_task(receive_all()) for _ in range(3)]
        await asyncio.sleep(0)
        await bus.close()
        await bus.close()

    assert [receiver.result() for receiver in receivers] == [0, 0, 0]
    with pytest.raises(BusUnavailable):
        await bus.send(INVOKER, a_message(), durable=False)


async def test_what_was_promised_is_there_after_an_orderly_stop(new_bus: NewBus) -> None:
    before = await new_bus()
    await before.send(INVOKER, a_message(), durable=True)
    await before.close()

    assert await ids_of(await new_bus(), 1) == [a_message().activation_id]


async def test_what_was_not_sent_at_once_was_not_sent_at_all(bus: Bus) -> None:
    if not bus.try_send(INVOKER, a_message(1)):
        await bus.send(INVOKER, a_message(1), durable=False)
    [delivery] = await take(bus.receive(INVOKER))
    assert delivery.message == a_message(1)


async def test_a_note_is_delivered_and_comes_again_until_it_is_settled(new_bus: NewBus) -> None:
    before = await new_bus()
    for number in (1, 2):
        if not before.try_note(INVOKER, a_message(number)):
            await before.send(INVOKER, a_message(number), durable=True)
    first, second = await take(before.receive(INVOKER), 2)
    await before.secure(a_message(2))
    first.settle()
    assert second.message == a_message(2)
    await before.close()

    assert await ids_of(await new_bus(), 1) == [a_message(2).activation_id]


async def test_a_listener_hears_every_message_of_its_topic_in_order(bus: Bus) -> None:
    heard: list[Message] = []
    complete = asyncio.Event()

    def listen(message: Message) -> None:
        heard.append(message)
        if len(heard) == 3:
            complete.set()

    await bus.listen(CONTROLLER, listen)
    for number in range(3):
        await bus.send(CONTROLLER, a_message(number), durable=False)
    await asyncio.wait_for(complete.wait(), 10)
    assert heard == [a_message(number) for number in range(3)]


async def test_every_listener_in_every_process_hears_every_message(
    bus: Bus, neighbour: Bus
) -> None:
    heard: list[list[Message]] = [[], [], []]
    complete = asyncio.Event()

    def listen(to: list[Message], message: Message) -> None:
        to.append(message)
        if all(len(each) == 3 for each in heard):
            complete.set()

    for listening, to in zip((bus, bus, neighbour), heard, strict=True):
        await listening.listen(topics.HEALTH, partial(listen, to))
    for number, sender in enumerate((bus, neighbour, bus)):
        await sender.send(topics.HEALTH, a_ping(number), durable=True)

    await asyncio.wait_for(complete.wait(), 10)
    for each in heard:
        assert sorted(each, key=encoding.key) == [a_ping(number) for number in range(3)]


async def test_what_nobody_listened_to_is_not_kept(new_bus: NewBus) -> None:
    before = await new_bus()
    await before.send(topics.HEALTH, a_ping(0), durable=True)
    bus, heard, complete = await new_bus(), list[Message](), asyncio.Event()

    def listen(message: Message) -> None:
        heard.append(message)
        complete.set()

    await bus.listen(topics.HEALTH, listen)
    await bus.send(topics.HEALTH, a_ping(1), durable=True)

    await asyncio.wait_for(complete.wait(), 10)
    assert heard == [a_ping(1)]


async def test_what_is_listened_to_never_fills_up(bus: Bus) -> None:
    heard: list[Message] = []
    complete = asyncio.Event()

    def listen(message: Message) -> None:
        heard.append(message)
        if len(heard) == 3 * CAPACITY:
            complete.set()

    await bus.listen(CONTROLLER, listen)
    for number in range(3 * CAPACITY):
        await bus.send(CONTROLLER, a_message(number), durable=number % 50 == 49)
    await asyncio.wait_for(complete.wait(), 10)


async def test_a_listener_that_fails_harms_neither_the_sender_nor_the_next_message(
    bus: Bus,
) -> None:
    heard: list[Message] = []
    complete = asyncio.Event()

    def listen(message: Message) -> None:
        heard.append(message)
        if len(heard) == 2:
            complete.set()
        raise ValueError("a bug")

    await bus.listen(CONTROLLER, listen)
    for number in range(2):
        await bus.send(CONTROLLER, a_message(number), durable=False)
    await asyncio.wait_for(complete.wait(), 10)
