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


@pytest.mark.parametrize(
    "reply", [Answer(200, b"{}", 2, extra_ns=2000 * MS), Died("exit 1", extra_ns=2000 * MS)]
)
async def test_what_comes_after_the_answer_is_not_paid_for(reply: Reply, clock: FakeClock) -> None:
    async def behaviour(operation: Operation, payload: bytes) -> Reply:
        clock.advance(ms=5 + 2000)
        return reply

    spec = SandboxSpec(container_id=ContainerId("a"), kind="python:3.11", memory_mb=256)
    sandbox = FakeSandbox(spec, behaviour)

    execution = await Proxy(clock, answer_limit_bytes=100).serve(sandbox, a_job(), State.READY)

    assert execution.run_ns == 5 * MS
    assert not execution.timed_out
