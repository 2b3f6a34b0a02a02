"""The pool's shell: what it does with real coroutines, and what is left when they are cancelled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from common import metrics
from common.clock import SystemClock
from common.entity.activation import Status
from common.ids import Namespace
from invoker.driver.port import (
    Answer,
    CannotStart,
    Died,
    ImageNotRun,
    Network,
    Operation,
    OwnImage,
    Reply,
)
from invoker.outcome import ABNORMAL_RUN
from invoker.pool.books import Books
from invoker.pool.container import State
from invoker.pool.defaults import SandboxDefaults
from invoker.pool.keepalive import FixedKeepAlive
from invoker.pool.pool import Pool
from invoker.pool.proxy import Proxy
from invoker.pool.templates import NO_TEMPLATES, TemplateRules
from tests.fakes.drivers import FakeDriver
from tests.fakes.jobs import a_job
from tests.fakes.turns import until


class LoopClock(SystemClock):
    """Monotonic time is the loop's, which a test may make virtual."""

    def elapsed_s(self) -> float:
        return asyncio.get_running_loop().time()


@asynccontextmanager
async def pool_of(
    driver: FakeDriver,
    *,
    capacity_mb: int = 1024,
    drain_s: float = 5,
    defaults: SandboxDefaults | None = None,
    template_rules: TemplateRules = NO_TEMPLATES,
) -> AsyncIterator[Pool]:
    clock = LoopClock()
    books = Books(
        prefix="t",
        capacity_mb=capacity_mb,
        max_starts=4,
        keep_alive=FixedKeepAlive(idle_timeout_s=600, pause_grace_s=10),
        stem_cells={},
        max_prewarmed=2,
        template_rules=template_rules,
    )
    async with Pool.open(
        books=books,
        driver=driver,
        proxy=Proxy(clock, answer_limit_bytes=1 << 20),
        clock=clock,
        defaults=defaults or SandboxDefaults(),
        drain_s=drain_s,
        check_invariants=True,
    ) as pool:
        yield pool
    assert not books.shelf.containers, "the pool left sandboxes behind"
    assert not books.line, "the pool left calls behind"
    assert books.shelf.reserved_mb == 0


def states(pool: Pool) -> list[State]:
    return [container.state for container in pool.books.shelf.containers.values()]


async def test_code_is_loaded_once_and_serves_many_calls() -> None:
    driver = FakeDriver()
    async with pool_of(driver) as pool:
        first = await pool.run(a_job(payload=b'{"n":1}'))
        second = await pool.run(a_job(payload=b'{"n":2}'))
        assert [first.init_ns is None, second.init_ns is None] == [False, True]
        assert b'"value":{"n":2}' in second.response.result
        assert driver.sandboxes[0].story == ["init", "run", "run"]
    assert driver.sandboxes[0].story[-1] == "destroy"


async def test_a_sandbox_that_broke_is_replaced() -> None:
    answers: list[Reply] = [Answer(200, b"{}", 2), Died("exit 1")]

    async def behaviour(operation: Operation, payload: bytes) -> Reply:
        return answers.pop(0) if answers else Answer(200, b"{}", 2)

    driver = FakeDriver(behaviour)
    async with pool_of(driver) as pool:
        broken = await pool.run(a_job())
        assert broken.response.status is Status.DEVELOPER_ERROR
        assert ABNORMAL_RUN.encode() in broken.response.result
        assert (await pool.run(a_job())).init_ns is not None
    assert [sandbox.story for sandbox in driver.sandboxes] == [["init", "run", "destroy"]] * 2


async def test_a_sandbox_that_dies_idle_is_noticed_before_the_next_call() -> None:
    driver = FakeDriver()
    async with pool_of(driver) as pool:
        await pool.run(a_job())
        driver.sandboxes[0].die()
        await until(lambda: not states(pool))
        assert (await pool.run(a_job())).init_ns is not None


async def test_a_sandbox_that_dies_right_after_its_answer_serves_nobody_else() -> None:
    driver = FakeDriver()
    dying = asyncio.Event()

    async def behaviour(operation: Operation, payload: bytes) -> Reply:
        if operation == "run" and not dying.is_set():
            dying.set()
            driver.sandboxes[0].die()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return Answer(200, b"{}", 2)

    driver.behaviour = behaviour
    async with pool_of(driver) as pool:
        await pool.run(a_job())
        assert State.READY not in states(pool)
        await pool.run(a_job())
        assert len(driver.sandboxes) == 2


async def test_a_call_for_which_no_sandbox_can_be_had_is_told_so() -> None:
    driver = FakeDriver()
    driver.failures = 1
    async with pool_of(driver) as pool:
        with pytest.raises(CannotStart, match="could not be started"):
            await pool.run(a_job())
        assert (await pool.run(a_job())).response.status is Status.SUCCESS


@pytest.mark.looptime
async def test_an_idle_sandbox_is_paused_resumed_and_at_last_removed() -> None:
    driver = FakeDriver()
    async with pool_of(driver) as pool:
        await pool.run(a_job())
        await asyncio.sleep(11.5)
        assert states(pool) == [State.PAUSED]
        await pool.run(a_job())
        assert states(pool) == [State.READY]
        await asyncio.sleep(601.5)
        assert states(pool) == []
    story = ["init", "run", "pause", "resume", "run", "pause", "destroy"]
    assert driver.sandboxes[0].story == story


async def never(operation: Operation, payload: bytes) -> Reply:
    forever: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    return await forever


async def while_waiting_for_a_start(pool: Pool, driver: FakeDriver) -> None:
    driver.gate.clear()
    await _cancel(pool, lambda: states(pool) == [State.STARTING])
    driver.gate.set()


async def while_waiting_in_line(pool: Pool, driver: FakeDriver) -> None:
    blocker = asyncio.ensure_future(pool.run(a_job("other", memory_mb=1024)))
    driver.behaviour = never
    await until(lambda: states(pool) == [State.BUSY])
    await _cancel(pool, lambda: len(pool.books.line) == 1)
    blocker.cancel()
    await asyncio.wait([blocker])


async def while_loading(pool: Pool, driver: FakeDriver) -> None:
    driver.behaviour = never
    await _cancel(pool, lambda: bool(driver.sandboxes) and driver.sandboxes[0].story == ["init"])


async def while_running(pool: Pool, driver: FakeDriver) -> None:
    await pool.run(a_job())
    driver.sandboxes[0]._behaviour = never
    await _cancel(pool, lambda: driver.sandboxes[0].story == ["init", "run", "run"])


async def while_being_given_a_sandbox(pool: Pool, driver: FakeDriver) -> None:
    driver.gate.clear()
    call = asyncio.ensure_future(pool.run(a_job()))
    await until(lambda: states(pool) == [State.STARTING])
    driver.gate.set()
    await until(lambda: states(pool) == [State.BUSY])
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()


async def _cancel(pool: Pool, moment: Callable[[], bool]) -> None:
    call = asyncio.ensure_future(pool.run(a_job()))
    await until(moment)
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()


@pytest.mark.parametrize(
    "moment",
    [
        while_waiting_for_a_start,
        while_waiting_in_line,
        while_loading,
        while_running,
        while_being_given_a_sandbox,
    ],
)
async def test_a_cancelled_call_leaves_the_books_right(
    moment: Callable[[Pool, FakeDriver], Awaitable[None]],
) -> None:
    driver = FakeDriver()
    async with pool_of(driver) as pool:
        await moment(pool, driver)
        assert State.BUSY not in states(pool)
        driver.behaviour = FakeDriver().behaviour
        assert (await pool.run(a_job("next"))).response.status is Status.SUCCESS


async def test_a_pool_that_closes_while_a_sandbox_is_being_made_waits_for_it() -> None:
    driver = FakeDriver()
    driver.gate.clear()
    async with pool_of(driver) as pool:
        call = asyncio.ensure_future(pool.run(a_job()))
        await until(lambda: states(pool) == [State.STARTING])
        call.cancel()
        asyncio.get_running_loop().call_later(0.01, driver.gate.set)
    assert driver.sandboxes[0].story == ["destroy"]


async def test_a_pull_that_hangs_holds_up_nobody_else() -> None:
    driver, never = FakeDriver(), asyncio.Event()

    async def pull(image: OwnImage) -> None:
        await never.wait()

    driver.pull = pull
    async with pool_of(driver, capacity_mb=256) as pool:
        hanging = [asyncio.ensure_future(pool.run(a_job(f"a{n}", image="x/y"))) for n in range(9)]
        await until(lambda: len(driver.prepared) == 9)
        assert (await pool.run(a_job("b"))).response.status is Status.SUCCESS
        for each in hanging:
            each.cancel()
        await asyncio.wait(hanging)


async def test_who_waits_for_a_bad_image_is_told_what_is_wrong_with_it() -> None:
    driver = FakeDriver()
    driver.gate.clear()
    driver.broken = ImageNotRun("x/y", "no such user")
    async with pool_of(driver, capacity_mb=256) as pool:
        waiting = [asyncio.ensure_future(pool.run(a_job(f"a{n}", image="x/y"))) for n in range(3)]
        await until(lambda: len(pool.books.line) == 3)
        driver.gate.set()
        for each in waiting:
            with pytest.raises(ImageNotRun):
                await each
        assert len(driver.prepared) == 3


async def test_a_warm_sandbox_of_an_image_serves_without_another_look_at_it() -> None:
    driver = FakeDriver()
    async with pool_of(driver) as pool:
        for _ in range(3):
            await pool.run(a_job("a", image="x/y"))
    assert len(driver.prepared) == 1
    assert [sandbox.spec.image for sandbox in driver.sandboxes] == driver.prepared


async def test_an_action_that_asks_for_less_network_gets_a_sandbox_of_its_own_kind() -> None:
    driver = FakeDriver()
    async with pool_of(driver, defaults=SandboxDefaults(network=Network.EGRESS)) as pool:
        for asked in ({}, {"network": "none"}, {"network": "host"}, {"network": ["none"]}):
            await pool.run(a_job(f"asks {asked}", annotations=dict(asked)))
    got = [sandbox.spec.network for sandbox in driver.sandboxes]
    assert got == [Network.EGRESS, Network.NONE, Network.EGRESS, Network.EGRESS]


async def test_where_sandboxes_hold_nobody_a_second_namespace_is_refused() -> None:
    driver = FakeDriver()
    async with pool_of(driver, defaults=SandboxDefaults(are_isolated=False)) as pool:
        await pool.run(a_job())
        with pytest.raises(CannotStart, match="guest runs code"):
            await pool.run(a_job("other", namespace="other"))
        await pool.run(a_job())
    assert len(driver.sandboxes) == 1


async def test_a_network_that_is_lent_to_one_namespace_is_not_another_ones() -> None:
    driver = FakeDriver()
    lent = SandboxDefaults(network=Network.HOST, lent_to=Namespace("guest"))
    async with pool_of(driver, defaults=lent) as pool:
        await pool.run(a_job())
        await pool.run(a_job("other", namespace="other"))
    assert [each.spec.network for each in driver.sandboxes] == [Network.HOST, Network.NONE]


async def test_calls_of_one_action_share_a_sandbox_and_a_failure_ends_only_its_own() -> None:
    arrived = 0
    everybody = asyncio.Event()

    async def behaviour(operation: Operation, payload: bytes) -> Reply:
        nonlocal arrived
        if operation == "init":
            assert b'"__OW_ALLOW_CONCURRENT":"true"' in payload
            return Answer(200, b"{}", 2, shares=True)
        arrived += 1
        if arrived == 3:
            everybody.set()
        await everybody.wait()
        return Died("exit 1") if b"bad" in payload else Answer(200, payload, len(payload))

    driver = FakeDriver(behaviour)
    async with pool_of(driver) as pool:
        payloads = (b'{"n":1}', b'{"n":"bad"}', b'{"n":3}')
        async with asyncio.timeout(5):
            ended = await asyncio.gather(
                *(pool.run(a_job(payload=payload, concurrency=3)) for payload in payloads)
            )
        statuses = [each.response.status for each in ended]
        assert statuses == [Status.SUCCESS, Status.DEVELOPER_ERROR, Status.SUCCESS]
        assert [each.init_ns is not None for each in ended] == [True, False, False]
    assert [sandbox.story for sandbox in driver.sandboxes] == [["init", *["run"] * 3, "destroy"]]


def hint_fates() -> dict[str, float]:
    return {fate: counter._value.get() for fate, counter in metrics.HINTS.items()}


async def test_what_was_foretold_finds_a_blank_sandbox() -> None:
    driver, job, before = FakeDriver(), a_job(), hint_fates()
    async with pool_of(driver) as pool:
        for _ in range(2):
            pool.foretold(job.entry.key, job.entry.shape)
        await until(lambda: states(pool) == [State.BLANK])
        await pool.run(job)
        assert [sandbox.story for sandbox in driver.sandboxes] == [["init", "run"]]
    assert hint_fates() == before | {
        "taken": before["taken"] + 1,
        "needless": before["needless"] + 1,
    }


async def test_nothing_is_made_for_a_second_namespace_where_sandboxes_hold_nobody() -> None:
    driver, job, before = FakeDriver(), a_job(), hint_fates()
    async with pool_of(driver, defaults=SandboxDefaults(are_isolated=False)) as pool:
        await pool.run(job)
        key = job.entry.key._replace(namespace=Namespace("other"))
        pool.foretold(key, job.entry.shape)
        assert states(pool) == [State.READY]
    assert hint_fates() == before | {"dropped": before["dropped"] + 1}
