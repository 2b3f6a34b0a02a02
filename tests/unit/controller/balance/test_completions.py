"""What a controller does with activations that ended, and with results that are elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from common.bus.memory import MemoryBus
from common.entity.activation import ActivationRecord, Response, Status
from common.ids import ActivationId, ControllerId, Namespace
from common.message import topics
from common.message.completion import Completion
from common.store.port import ActivationStore, Corrupted, Missing, StoreUnavailable
from controller.balance import completions as completions_module
from controller.balance.completions import Completions
from controller.balance.health import Ended
from controller.balance.inflight import InFlight
from tests.fakes.clock import FakeClock
from tests.fakes.records import a_completion, a_record
from tests.fakes.turns import until


class Controller:
    """A controller that waits for one activation, and the store that has its record."""

    def __init__(self, clock: FakeClock) -> None:
        self.bus = MemoryBus(None, capacity=10)
        self.inflight = InFlight()
        self.ends: list[ActivationRecord | None] = []
        self.judged: list[Ended] = []
        self.told: list[ActivationRecord] = []
        self.failures: list[Exception] = []
        self.reads = 0
        self.completions = Completions(
            self.bus,
            ControllerId(0),
            self.inflight,
            cast(ActivationStore, self),
            clock,
            judge=lambda _, ended: self.judged.append(ended),
            tell=self.told.append,
        )
        record = a_record(1)
        self.inflight.add(
            record.activation_id, record.namespace, ends_by_s=9, on_end=self.ends.append
        )

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        await asyncio.sleep(0)
        self.reads += 1
        if self.failures:
            raise self.failures.pop(0)
        assert (namespace, activation_id) == (a_record(1).namespace, a_record(1).activation_id)
        return a_record(1)

    async def hear(self, completion: Completion) -> None:
        await self.bus.send(topics.completed(ControllerId(0)), completion, durable=False)


@pytest.fixture
async def controller(clock: FakeClock) -> AsyncIterator[Controller]:
    made = Controller(clock)
    await made.completions.listen()
    serving = asyncio.ensure_future(made.completions.serve())
    await asyncio.sleep(0)
    yield made
    serving.cancel()
    await asyncio.wait([serving])


def apart() -> Completion:
    """Return the answer whose result is in the store."""
    record = replace(a_record(1), response=Response(status=Status.SUCCESS, result=b"null"))
    return replace(a_completion(1), record=record, result_is_apart=True)


async def test_who_waits_is_given_the_record(controller: Controller) -> None:
    await controller.hear(a_completion(1))
    assert controller.ends == [a_record(1)]
    assert controller.judged == [Ended.WELL]
    assert controller.reads == 0


async def test_a_result_that_is_apart_is_given_whole(controller: Controller) -> None:
    await controller.hear(apart())
    assert controller.judged == [Ended.WELL], "its invoker is free at once"
    await until(lambda: bool(controller.ends))
    assert controller.ends == [a_record(1)]


@pytest.mark.parametrize("failure", [Missing(), StoreUnavailable()])
async def test_a_store_that_does_not_have_it_yet_is_asked_again(
    controller: Controller, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions_module, "FETCH_PAUSE_S", 0.0)
    controller.failures = [failure, failure]
    await controller.hear(apart())
    await until(lambda: bool(controller.ends))
    assert (controller.ends, controller.reads) == ([a_record(1)], 3)


@pytest.mark.parametrize("failure", [Corrupted(), ValueError("a bug")])
async def test_what_cannot_be_read_leaves_who_waits_with_its_id_in_time(
    controller: Controller, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions_module, "FETCH_S", 0.01)
    controller.failures = [failure] * 10_000
    await controller.hear(apart())
    async with asyncio.timeout(5):
        while not controller.ends:  # noqa: ASYNC110 - its deadline is real time
            await asyncio.sleep(0.001)
    assert controller.ends == [None]
    assert len(controller.inflight) == 0


async def test_an_invoker_at_fault_is_judged_by_a_result_that_is_apart_too(
    controller: Controller,
) -> None:
    await controller.hear(replace(apart(), is_at_fault=True))
    assert controller.judged == [Ended.AT_FAULT]
    await until(lambda: bool(controller.ends))
