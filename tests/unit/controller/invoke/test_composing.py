"""Which steps of a sequence are foretold while others run."""

from collections.abc import AsyncIterator

import pytest

from common.entity.action import Action, Exec
from common.service import serving
from controller.invoke import composing
from controller.invoke.invocation import Accepted, Finished
from tests.fakes.compositions import Controller, a_sequence, named


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    made = Controller()
    await made.put(
        Action(name=named("a"), exec=Exec(kind="python:3.11")),
        Action(name=named("b"), exec=Exec(kind="python:3.11")),
    )
    async with serving(made.compositions.serve(lambda: 0.0)):
        yield made


async def test_a_step_that_takes_its_time_has_the_next_one_foretold(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await controller.put(a_sequence("ab", "a", "b", "b"))
    monkeypatch.setattr(composing, "FORETOLD_S", 0.0)
    controller.primitives.may_end.clear()
    outcome = await controller.invoke("ab", wait_ms=1)
    assert isinstance(outcome, Accepted)
    await controller.until(lambda: bool(controller.primitives.foretold))
    controller.primitives.may_end.set()
    await controller.records(1)
    assert controller.primitives.foretold == ["b"]


async def test_steps_that_are_quick_cost_no_hint(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await controller.put(a_sequence("ab", "a", "b"))
    monkeypatch.setattr(composing, "FORETOLD_S", 60.0)
    assert isinstance(await controller.invoke("ab"), Finished)
    assert controller.primitives.foretold == []
