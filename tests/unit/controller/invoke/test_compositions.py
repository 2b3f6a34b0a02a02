"""The shell around sequences and compositions: promises, waits, failures of what it stands on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from common.bus.port import BusUnavailable
from common.entity.action import Action, Exec
from common.entity.activation import ActivationRecord, Response, Status
from common.entity.namespace_limits import NamespaceLimits
from common.errors import NotAuthorized
from common.service import serving
from common.store.port import StoreUnavailable
from controller.balance.port import NoCapacity
from controller.invoke.invocation import Accepted, Finished
from tests.fakes.compositions import (
    DONE,
    TOPIC,
    Controller,
    a_sequence,
    named,
)
from tests.fakes.records import a_message, an_id
from tests.fakes.running_api import GUEST


def error_of(record: ActivationRecord) -> bytes:
    return record.response.result


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    made = Controller()
    await made.put(
        Action(name=named("a"), exec=Exec(kind="python:3.11")),
        Action(name=named("c"), exec=Exec(kind="python:3.11"), annotations={"conductor": True}),
        a_sequence("s", "a", "a"),
        a_sequence("nested", "s", "a"),
    )
    async with serving(made.compositions.serve(lambda: 0.0)):
        yield made


async def test_who_waits_is_answered_with_the_record_and_its_note_is_settled(
    controller: Controller,
) -> None:
    outcome = await controller.invoke("s")
    assert isinstance(outcome, Finished)
    assert controller.activations.records == [outcome.record]
    assert outcome.record.logs == (an_id(1), an_id(2))
    asked = [(name, payload) for name, payload, _ in controller.primitives.asked]
    assert asked == [("a", b'{"in":1}'), ("a", b'{"n":1}')]
    assert {cause for *_, cause in controller.primitives.asked} == {outcome.record.activation_id}
    await controller.until(lambda: controller.bus.depth(TOPIC) == 0)


async def test_nobody_waits_and_it_is_carried_out_in_the_callers_name(
    controller: Controller,
) -> None:
    outcome = await controller.invoke("s", blocking=False)
    assert isinstance(outcome, Accepted)
    (record,) = await controller.records(1)
    assert record.activation_id == outcome.activation_id
    for identity in controller.primitives.identities:
        assert (identity.namespace, identity.subject, identity.uuid) == (
            GUEST.namespace,
            GUEST.subject,
            GUEST.uuid,
        )


async def test_what_was_promised_waits_for_an_invoker(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.invoke.compositions.ABLE_S", 0)
    controller.primitives.is_usable = False
    await controller.invoke("s", blocking=False)
    await controller.until(lambda: controller.bus.depth(TOPIC) == 0)
    assert controller.primitives.asked == []
    controller.primitives.is_usable = True
    (record,) = await controller.records(1)
    assert record.response == DONE


async def test_arguments_that_are_too_large_for_the_bus_are_left_with_the_store(
    controller: Controller,
) -> None:
    controller.bus.largest_bytes = 10
    large = b'{"large":"' + b"x" * 50 + b'"}'
    await controller.invoke("s", large, blocking=False)
    await controller.records(1)
    assert controller.primitives.asked[0][1] == large


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_wait_that_ends_is_answered_when_its_note_is_safe(
    controller: Controller, *, at_once: bool
) -> None:
    controller.bus.notes_at_once = at_once
    controller.primitives.may_end.clear()
    outcome = await controller.invoke("s", wait_ms=1)
    assert isinstance(outcome, Accepted)
    controller.primitives.may_end.set()
    (record,) = await controller.records(1)
    assert record.activation_id == outcome.activation_id
    assert record.response == DONE


async def test_a_bus_that_is_away_fails_only_who_is_promised_something(
    controller: Controller,
) -> None:
    controller.bus.refusal = BusUnavailable("away")
    assert isinstance(await controller.invoke("s"), Finished)
    with pytest.raises(BusUnavailable):
        await controller.invoke("s", blocking=False)
    controller.primitives.may_end.clear()
    with pytest.raises(BusUnavailable):
        await controller.invoke("s", wait_ms=1)
    controller.bus.refusal = None
    assert isinstance(await controller.invoke("s", wait_ms=1), Accepted)
    controller.primitives.may_end.set()
    assert len({record.activation_id for record in await controller.records(3)}) == 3


async def test_as_many_as_may_be_are_under_way_and_the_rest_waits(controller: Controller) -> None:
    controller.primitives.may_end.clear()
    for _ in range(4):
        await controller.invoke("s", blocking=False)
    await controller.until(lambda: len(controller.compositions) == 2)
    with pytest.raises(NoCapacity) as refused:
        await controller.invoke("s")
    assert refused.value.limit == "controller.max_compositions"
    assert len(controller.primitives.asked) == 2
    controller.primitives.may_end.set()
    assert len(await controller.records(4)) == 4
    await controller.until(lambda: len(controller.compositions) == 0)


@pytest.mark.parametrize(
    ("name", "late", "broken"),
    [
        ("s", b"Timeout reached when retrieving activation %b for sequence component.",
         b"Sequence failed."),
        ("c", b"Timeout reached when retrieving activation %b during composition.",
         b"Activation failure during composition."),
    ],
)  # fmt: skip
async def test_a_part_that_is_late_or_cannot_be_invoked_is_the_platforms_fault(
    controller: Controller, name: str, late: bytes, broken: bytes
) -> None:
    controller.primitives.outcome = Accepted
    outcome = await controller.invoke(name)
    assert isinstance(outcome, Finished)
    assert outcome.record.response.status is Status.WHISK_ERROR
    assert error_of(outcome.record) == b'{"error":"%b"}' % (late % an_id(1).encode())
    assert outcome.record.logs == (an_id(1),)

    controller.primitives.failure = NoCapacity()
    outcome = await controller.invoke(name)
    assert isinstance(outcome, Finished)
    assert error_of(outcome.record) == b'{"error":"%b"}' % broken
    assert outcome.record.logs == ()
    assert outcome.record.limits is None


async def test_a_foreign_component_is_refused_before_anything_runs(controller: Controller) -> None:
    foreign = Exec(kind="sequence", components=("/guest/a", "/other/x", "/other/p/y"))
    await controller.put(Action(name=named("foreign"), exec=foreign))
    for blocking in (True, False):
        with pytest.raises(NotAuthorized, match="'other/p, other/x'"):
            await controller.invoke("foreign", blocking=blocking)
    assert controller.primitives.asked == []
    # Inside another one it shows when its turn has come.
    await controller.put(a_sequence("outer", "a", "foreign"))
    outcome = await controller.invoke("outer")
    assert isinstance(outcome, Finished)
    assert error_of(outcome.record) == b'{"error":"Sequence failed."}'
    assert len(outcome.record.logs) == 2


async def test_who_stores_no_activations_has_neither_result_nor_parts_on_record(
    controller: Controller,
) -> None:
    own = NamespaceLimits(store_activations=False)
    outcome = await controller.invoke("s", identity=replace(GUEST, own=own))
    assert isinstance(outcome, Finished)
    assert outcome.record.response == DONE
    await controller.invoke("s", blocking=False, identity=replace(GUEST, own=own))
    for record in await controller.records(2):
        assert record.response == Response(status=Status.SUCCESS, result=b"{}")
        assert record.logs == ()
    assert controller.primitives.identities[-1].own.store_activations is False


async def test_what_was_deleted_before_its_turn_says_so(controller: Controller) -> None:
    controller.primitives.may_end.clear()
    for _ in range(3):
        await controller.invoke("s", blocking=False)
    await controller.until(lambda: len(controller.primitives.asked) == 2)
    await controller.catalog.actions.delete(await controller.catalog.actions.newest(named("s")))
    controller.primitives.may_end.set()
    records = await controller.records(3)
    texts = [error_of(each) for each in records if each.response.status is not Status.SUCCESS]
    assert texts == [b'{"error":"Action could not be found or may have been deleted."}']


@pytest.mark.parametrize("changes", [{"blocking": True}, {"cause": an_id(9), "blocking": True}])
async def test_a_note_of_another_process_gets_its_record_once(
    controller: Controller, changes: dict[str, Any]
) -> None:
    message = a_message(5, kind="sequence", action=named("s"), **changes)
    for _ in range(2):  # delivery is at least once
        await controller.bus.send(TOPIC, message, durable=True)
    (record,) = await controller.records(1)
    assert record.response.status is Status.WHISK_ERROR
    assert b"It is not run a second time." in error_of(record)
    assert record.cause == message.cause
    await controller.until(lambda: controller.bus.depth(TOPIC) == 0)
    assert len(controller.activations.records) == 1
    assert controller.primitives.asked == []


async def test_a_disk_that_is_full_delays_the_answer_and_loses_nothing(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.invoke.compositions.PAUSE_S", 0.001)
    refusals = [StoreUnavailable("full"), StoreUnavailable("full")]
    put = controller.activations.put

    def reluctant(record: ActivationRecord) -> None:
        if refusals:
            raise refusals.pop()
        put(record)

    monkeypatch.setattr(controller.activations, "put", reluctant)
    outcome = await controller.invoke("s")
    assert isinstance(outcome, Finished)
    assert controller.activations.records == [outcome.record]


async def test_a_stop_breaks_off_what_is_under_way_and_says_so() -> None:
    made = Controller()
    await made.put(
        Action(name=named("a"), exec=Exec(kind="python:3.11")),
        a_sequence("s", "a"),
        a_sequence("nested", "s"),
    )
    made.primitives.may_end.clear()
    async with serving(made.compositions.serve(lambda: 0.0)):
        caller = asyncio.ensure_future(made.invoke("nested"))
        await made.until(lambda: len(made.primitives.asked) == 1)
        made.compositions.stop()
        assert isinstance(await caller, Accepted)
    inner, outer = reversed(made.activations.records)
    assert inner.cause == outer.activation_id
    assert outer.logs == (inner.activation_id,)
    for each in (inner, outer):
        assert each.response.status is Status.WHISK_ERROR
        assert b"The platform stopped" in error_of(each)
