"""What the pool's shell does with templates: casts them aside, lends them, and does without."""

import asyncio
import dataclasses

from common.entity.activation import Status
from invoker.driver.port import Operation, Reply
from invoker.pool.container import State
from invoker.pool.templates import TemplateRules
from tests.fakes.drivers import FakeDriver, echo
from tests.fakes.jobs import a_job
from tests.fakes.turns import until
from tests.unit.invoker.pool.test_pool import pool_of, states

TEMPLATES = TemplateRules(most=1, most_mb=256, least_init_ms=1, idle_timeout_s=9)


async def slow(operation: Operation, payload: bytes) -> Reply:
    """Answer as code that takes long to be loaded, and to be run."""
    await asyncio.sleep(0.002 if operation == "init" else 0.05)
    return await echo(operation, payload)


async def test_a_cold_sandbox_begins_as_a_copy_of_what_took_long() -> None:
    driver = FakeDriver(slow)
    async with pool_of(driver, template_rules=TEMPLATES) as pool:
        await pool.run(a_job())
        await until(lambda: State.TEMPLATE in states(pool))
        first, second = await asyncio.gather(pool.run(a_job()), pool.run(a_job()))
        assert [first.init_ns is None, second.init_ns is None] == [True, False]
        assert driver.sandboxes[1].story == ["copied", "run"]
        assert driver.templates[0].story == [
            "init",
            f"copied into {driver.sandboxes[1].container_id}",
        ]
    assert driver.templates[0].story[-1] == "destroy"


async def test_a_copy_that_fails_costs_a_sandbox_and_not_the_call() -> None:
    driver = FakeDriver(slow)
    async with pool_of(driver, template_rules=TEMPLATES) as pool:
        begun: list[str] = []
        await pool.run(a_job())
        await until(lambda: State.TEMPLATE in states(pool))
        driver.templates[0].failures = 1
        job = dataclasses.replace(a_job(), begin=lambda: begun.append("begins"))
        _, execution = await asyncio.gather(pool.run(a_job()), pool.run(job))
        assert execution.response.status is Status.SUCCESS
        assert begun == ["begins"], "that it begins is noted once"
        assert [each.story for each in driver.sandboxes[1:]] == [["destroy"], ["init", "run"]]
        assert driver.templates[0].story[-1] == "destroy"


async def test_an_action_that_refuses_copies_has_none() -> None:
    driver = FakeDriver(slow)
    async with pool_of(driver, template_rules=TEMPLATES) as pool:
        job = a_job()
        action = dataclasses.replace(job.action, annotations={"template": False})
        await pool.run(dataclasses.replace(job, action=action))
        assert states(pool) == [State.READY]
    assert driver.templates == []


async def test_code_of_which_no_template_can_be_made_is_loaded_as_ever() -> None:
    driver = FakeDriver(slow)
    driver.no_templates = "it has started a thread"
    async with pool_of(driver, template_rules=TEMPLATES) as pool:
        for _ in range(2):
            executions = await asyncio.gather(pool.run(a_job()), pool.run(a_job()))
            assert {each.response.status for each in executions} == {Status.SUCCESS}
        await until(lambda: State.CASTING not in states(pool))
    assert driver.templates == []
    assert all("copied" not in each.story for each in driver.sandboxes)
