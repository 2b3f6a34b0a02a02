"""Time is taken of the code, and of nothing that the platform does for itself."""

import pytest

from common.ids import ContainerId
from invoker.driver.port import Answer, Died, Operation, Reply, SandboxSpec
from invoker.pool.container import State
from invoker.pool.proxy import Proxy
from tests.fakes.clock import FakeClock
from tests.fakes.drivers import FakeSandbox
from tests.fakes.jobs import a_job

MS = 1_000_000


def never(most: int | None) -> None:
    raise AssertionError(most)


@pytest.mark.parametrize(("was", "shares", "told"), [
    (State.BLANK, True, 3), (State.BLANK, False, 1), (State.PAUSED, True, None),
])  # fmt: skip
async def test_a_sandbox_is_opened_to_others_as_soon_as_its_code_is_at_work(
    was: State, shares: bool, told: int | None, clock: FakeClock
) -> None:
    async def behaviour(operation: Operation, payload: bytes) -> Reply:
        assert operation == "init" or opened == [told], "before it runs"
        return Answer(200, b"{}", 2, shares=shares)

    opened: list[int | None] = []
    spec = SandboxSpec(container_id=ContainerId("a"), kind="python:3.11", memory_mb=256)
    sandbox = FakeSandbox(spec, behaviour)
    proxy = Proxy(clock, answer_limit_bytes=100)
    await proxy.serve(sandbox, a_job(concurrency=3), was, opened=opened.append)
    assert opened == [told]


async def test_code_that_cannot_be_loaded_opens_nothing(clock: FakeClock) -> None:
    async def behaviour(operation: Operation, payload: bytes) -> Reply:
        return Answer(502, b"{}", 2)

    spec = SandboxSpec(container_id=ContainerId("a"), kind="python:3.11", memory_mb=256)
    proxy = Proxy(clock, answer_limit_bytes=100)
    sandbox = FakeSandbox(spec, behaviour)
    await proxy.serve(sandbox, a_job(concurrency=3), State.BLANK, opened=never)


@pytest.mark.parametrize(
    "reply", [Answer(200, b"{}", 2, extra_ns=2000 * MS), Died("exit 1", extra_ns=2000 * MS)]
)
async def test_what_comes_after_the_answer_is_not_paid_for(reply: Reply, clock: FakeClock) -> None:
    async def behaviour(operation: Operation, payload: bytes) -> Reply:
        clock.advance(ms=5 + 2000)
        return reply

    spec = SandboxSpec(container_id=ContainerId("a"), kind="python:3.11", memory_mb=256)
    sandbox = FakeSandbox(spec, behaviour)

    proxy = Proxy(clock, answer_limit_bytes=100)
    execution = await proxy.serve(sandbox, a_job(), State.READY, opened=never)

    assert execution.run_ns == 5 * MS
    assert not execution.timed_out
