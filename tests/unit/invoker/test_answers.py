"""What a controller is told of an activation that ended, and what stays with the store."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from common.bus.memory import MemoryBus
from common.bus.port import BusUnavailable, Message, MessageTooLarge
from common.entity.activation import Response, Status
from common.ids import ActivationId, ControllerId, InvokerId, Namespace
from common.message import topics
from common.message.completion import Completion
from common.message.topics import Topic
from common.store.port import ActivationStore
from invoker import answers as answers_module
from invoker.answers import Answers
from tests.fakes.records import a_message, a_record
from tests.fakes.turns import until

LARGE = Response(status=Status.APPLICATION_ERROR, result=b'{"error":"large"}', size=17)


class NarrowBus(MemoryBus):
    """Takes results of ten bytes, and fails as often as it is told to."""

    failures = 0
    most_bytes = 10

    async def send(self, topic: Topic, message: Message, *, durable: bool) -> None:
        if self.failures:
            self.failures -= 1
            raise BusUnavailable
        assert isinstance(message, Completion)
        if len(message.record.response.result) > self.most_bytes:
            raise MessageTooLarge
        await super().send(topic, message, durable=durable)


@dataclass
class Invoker:
    """What answers, over a bus to one controller, with a store that is slow."""

    bus: NarrowBus = field(default_factory=lambda: NarrowBus(None, capacity=10))
    told: list[Completion] = field(default_factory=list)
    awaited: list[ActivationId] = field(default_factory=list)
    arrival: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers = Answers(InvokerId(0), self.bus, cast(ActivationStore, self))

    async def arrived(self, namespace: Namespace, activation_id: ActivationId) -> None:
        self.awaited.append(activation_id)
        await self.arrival.wait()

    def hear(self, message: Message) -> None:
        assert isinstance(message, Completion)
        self.told.append(message)


@pytest.fixture
async def invoker(monkeypatch: pytest.MonkeyPatch) -> Invoker:
    monkeypatch.setattr(answers_module, "PAUSE_S", 0.0)
    invoker = Invoker()
    await invoker.bus.listen(topics.completed(ControllerId(0)), invoker.hear)
    return invoker


async def test_logs_are_left_to_the_store(invoker: Invoker) -> None:
    ended = replace(a_record(1, logs=("a line",)), response=replace(LARGE, result=b"{}"))
    await invoker.answers.tell(a_message(1), ended)

    [told] = invoker.told
    assert told.record == replace(ended, logs=())
    assert not told.result_is_apart
    assert not invoker.awaited


async def test_a_result_that_is_too_large_is_answered_once_the_store_has_it(
    invoker: Invoker,
) -> None:
    ended = a_record(1, response=LARGE)
    telling = asyncio.ensure_future(invoker.answers.tell(a_message(1), ended))
    await until(lambda: invoker.awaited == [ended.activation_id])
    assert not invoker.told
    invoker.arrival.set()
    await telling

    [told] = invoker.told
    assert told.result_is_apart
    response = replace(LARGE, result=b"null")
    assert told.record == replace(ended, logs=(), response=response)


async def test_a_store_that_is_slow_does_not_hold_an_answer_up_for_ever(
    invoker: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "ARRIVAL_S", 0.0)
    await invoker.answers.tell(a_message(1), a_record(1, response=LARGE))
    assert [told.result_is_apart for told in invoker.told] == [True]


async def test_a_bus_that_is_away_is_tried_again_and_then_let_be(invoker: Invoker) -> None:
    ended = a_record(1, response=replace(LARGE, result=b"{}"))
    invoker.bus.failures = answers_module.TRIES - 1
    await invoker.answers.tell(a_message(1), ended)
    assert len(invoker.told) == 1

    invoker.bus.failures = answers_module.TRIES
    await invoker.answers.tell(a_message(1), ended)
    assert len(invoker.told) == 1, "its record is there for whoever asks"


async def test_a_result_that_is_too_large_and_is_not_stored_is_said_to_be_lost(
    invoker: Invoker,
) -> None:
    invoker.bus.most_bytes = 200
    ended = a_record(1, response=Response(status=Status.SUCCESS, result=b"1" * 201, size=201))
    await invoker.answers.tell(a_message(1, stores=False), ended)

    [told] = invoker.told
    assert not invoker.awaited
    assert not told.result_is_apart
    assert told.record.response.status is Status.WHISK_ERROR
    assert b"does not store activations" in told.record.response.result
