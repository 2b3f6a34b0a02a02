"""The invoker: every message ends in one record, kept before it is answered, answered before it is
settled; and what is cancelled stays, for the next one, or is recorded as broken off.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from common import metrics
from common.bus.memory import MemoryBus, MemoryDelivery
from common.bus.port import BusUnavailable, Message
from common.clock import SystemClock
from common.codec import decode
from common.entity.action import BlobRef
from common.entity.activation import ActivationRecord, Status
from common.ids import ControllerId, InvokerId
from common.message import encoding, topics
from common.message.activation import ActivationMessage
from common.message.completion import Completion
from common.settings import Settings
from common.store.actions import ActionStore
from common.store.port import ActivationStore, Corrupted, Missing, StoreUnavailable
from common.telemetry.telling import Telling
from invoker import outcome
from invoker import service as service_module
from invoker.actions import PatientActions
from invoker.driver.port import Answer, ImageNotPulled, Operation, OwnImage, Reply
from invoker.pool.books import Books
from invoker.pool.defaults import SandboxDefaults
from invoker.pool.keepalive import FixedKeepAlive
from invoker.pool.pool import Pool
from invoker.pool.proxy import Proxy
from invoker.service import Invoker
from tests.fakes.drivers import FakeDriver
from tests.fakes.jobs import Actions, a_message, an_action
from tests.fakes.turns import until

INVOKER = InvokerId(0)


@dataclass
class Platform:
    """An invoker with everything around it, and the story of what it did."""

    bus: MemoryBus
    driver: FakeDriver
    pool: Pool
    actions: Actions
    story: list[str] = field(default_factory=list)
    records: list[ActivationRecord] = field(default_factory=list)
    refusals: int = 0
    drain_s: float = 5.0
    invoker: Invoker = field(init=False)

    def put(self, record: ActivationRecord) -> None:
        if self.refusals:
            self.refusals -= 1
            self.story.append("refused")
            raise StoreUnavailable
        self.records.append(record)
        self.story.append("kept")

    def heard(self, message: Message) -> None:
        assert isinstance(message, Completion)
        self.story.append("answered")

    async def send(self, message: ActivationMessage) -> None:
        await self.bus.send(topics.invoker(INVOKER), message, durable=False)

    async def ran(self, message: ActivationMessage) -> ActivationRecord:
        """Send *message*, and return its record once it is settled."""
        await self.send(message)
        await until(lambda: "unsettled=0" in repr(self.bus))
        [record] = [each for each in self.records if each.activation_id == message.activation_id]
        return record


@asynccontextmanager
async def running(
    driver: FakeDriver | None = None, *, wait_s: float = 0.0
) -> AsyncIterator[Platform]:
    clock = SystemClock()
    driver = driver or FakeDriver()
    books = Books(
        prefix="t",
        capacity_mb=1024,
        max_starts=4,
        keep_alive=FixedKeepAlive(idle_timeout_s=600, pause_grace_s=10),
        stem_cells={},
    )
    async with Pool.open(
        books=books,
        driver=driver,
        proxy=Proxy(clock, answer_limit_bytes=1 << 20),
        clock=clock,
        defaults=SandboxDefaults(),
        drain_s=5.0,
        check_invariants=True,
    ) as pool:
        platform = Platform(MemoryBus(None, capacity=100), driver, pool, Actions())
        await platform.bus.listen(topics.completed(ControllerId(0)), platform.heard)
        invoker = Invoker(
            INVOKER,
            bus=platform.bus,
            pool=pool,
            actions=PatientActions(cast(ActionStore, platform.actions), clock, wait_s=wait_s),
            activations=cast(ActivationStore, platform),
            clock=clock,
            telling=Telling.of("invoker0", platform.bus, clock, Settings()),
            max_under_way=20,
        )
        platform.invoker = invoker
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(invoker.serve(lambda: platform.drain_s))
            yield platform
            serving.cancel()
    assert not books.shelf.containers
    assert not books.line


def words(record: ActivationRecord) -> tuple[Status, object]:
    return record.response.status, decode(record.response.result)["error"]


async def test_a_record_is_kept_before_it_is_answered_and_answered_before_it_is_settled() -> None:
    async with running() as platform:
        record = await platform.ran(a_message(platform.actions.action, payload=b'{"n":1}'))
        assert record.response.status is Status.SUCCESS
        assert platform.story == ["kept", "answered"]
        assert (record.kind, record.limits) == ("python:3.11", platform.actions.action.limits)


async def test_a_warm_call_has_no_init_time_and_costs_no_more_than_it_ran() -> None:
    async with running() as platform:
        cold = await platform.ran(a_message(platform.actions.action))
        warm = await platform.ran(a_message(platform.actions.action))
        assert cold.init_ms is not None
        assert warm.init_ms is None
        assert warm.billed_ms == warm.duration_ms >= 1
        assert warm.memory_mb == 256


@pytest.mark.parametrize(
    ("failure", "status", "text", "kind"),
    [
        (Missing(), Status.APPLICATION_ERROR, outcome.ACTION_REMOVED, "unknown"),
        (Corrupted(), Status.WHISK_ERROR, outcome.ACTION_NOT_FETCHED, "unknown"),
        (StoreUnavailable(), Status.WHISK_ERROR, outcome.ACTION_NOT_FETCHED, "unknown"),
    ],
)
async def test_an_action_that_cannot_be_read_ends_in_its_record_and_costs_nothing(
    failure: Exception, status: Status, text: str, kind: str
) -> None:
    async with running() as platform:
        platform.actions.failure = failure
        record = await platform.ran(a_message(platform.actions.action))
        assert words(record) == (status, text)
        assert (record.kind, record.billed_ms, record.duration_ms) == (kind, 0, 0)


async def test_code_that_cannot_be_read_is_the_platforms_fault() -> None:
    async with running() as platform:
        platform.actions.code_failure = StoreUnavailable()
        record = await platform.ran(a_message(platform.actions.action))
        assert words(record) == (Status.WHISK_ERROR, outcome.ACTION_NOT_FETCHED)


async def test_no_sandbox_is_the_platforms_fault() -> None:
    driver = FakeDriver()
    driver.failures = 1
    async with running(driver) as platform:
        record = await platform.ran(a_message(platform.actions.action))
        assert words(record) == (Status.WHISK_ERROR, outcome.NO_RESOURCES)
        assert (record.kind, record.billed_ms) == ("python:3.11", 0)


async def test_a_fault_of_ours_ends_in_a_record_too() -> None:
    async with running() as platform:
        platform.actions.failure = ValueError("a bug")
        record = await platform.ran(a_message(platform.actions.action))
        assert words(record) == (Status.WHISK_ERROR, outcome.ABNORMAL_RUN)


async def test_while_the_store_takes_nothing_nothing_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service_module, "STORE_PAUSE_S", 0.0)
    async with running() as platform:
        platform.refusals = 3
        await platform.ran(a_message(platform.actions.action))
        assert platform.story == ["refused", "refused", "refused", "kept", "answered"]


async def test_arguments_that_were_too_large_for_the_bus_are_read_from_the_store() -> None:
    async with running() as platform:
        ref = await platform.actions.blobs.put(b'{"n":1}')
        message = replace(a_message(platform.actions.action), payload_ref=ref)
        record = await platform.ran(message)
        assert record.response.status is Status.SUCCESS
        assert b'"value":{"n":1}' in record.response.result, "the fake runtime echoes"


async def test_initial_parameters_that_were_too_large_for_the_bus_reach_the_load() -> None:
    loads = []

    async def listening(operation: Operation, payload: bytes) -> Reply:
        if operation == "init":
            loads.append(decode(payload)["value"]["env"]["model"])
        return Answer(200, b"{}", 2)

    async with running(FakeDriver(listening)) as platform:
        ref = await platform.actions.blobs.put(b'{"model":"large"}')
        message = replace(a_message(platform.actions.action), init_env_ref=ref)
        record = await platform.ran(message)
    assert record.response.status is Status.SUCCESS
    assert loads == ["large"]


@pytest.mark.parametrize("part", ["payload_ref", "init_env_ref"])
async def test_arguments_that_are_gone_are_the_platforms_fault_and_cost_nothing(part: str) -> None:
    async with running() as platform:
        gone: dict[str, Any] = {part: BlobRef("0" * 64, 7)}
        message = replace(a_message(platform.actions.action), **gone)
        record = await platform.ran(message)
        assert words(record) == (Status.WHISK_ERROR, outcome.ARGUMENTS_NOT_FETCHED)
        assert record.billed_ms == 0


async def test_many_calls_at_once_all_end_and_never_more_are_taken_than_there_is_room_for() -> None:
    async with running() as platform:
        messages = [a_message(platform.actions.action) for _ in range(60)]
        for message in messages:
            await platform.send(message)
        await until(lambda: len(platform.records) == len(messages))
        assert {each.activation_id for each in platform.records} == {
            message.activation_id for message in messages
        }
        assert len(platform.driver.sandboxes) <= 4


class Gate:
    """A behaviour whose runs wait until they are let go."""

    def __init__(self) -> None:
        self.running = 0
        self.open = asyncio.Event()

    async def __call__(self, operation: Operation, payload: bytes) -> Reply:
        if operation == "run":
            self.running += 1
            await self.open.wait()
        return Answer(200, b"{}", 2)


async def test_a_stop_lets_what_was_begun_end() -> None:
    gate = Gate()
    async with running(FakeDriver(gate)) as platform:
        await platform.send(a_message(platform.actions.action))
        await until(lambda: gate.running == 1)
        asyncio.get_running_loop().call_later(0.01, gate.open.set)
    assert [record.response.status for record in platform.records] == [Status.SUCCESS]


async def test_what_does_not_end_in_time_is_recorded_as_broken_off() -> None:
    gate = Gate()
    async with running(FakeDriver(gate)) as platform:
        platform.drain_s = 0.01
        await platform.send(a_message(platform.actions.action))
        await until(lambda: gate.running == 1)
    assert [words(record) for record in platform.records] == [
        (Status.WHISK_ERROR, outcome.INTERRUPTED)
    ]
    assert platform.records[0].billed_ms == 0


async def test_what_only_waited_for_a_sandbox_is_left_for_the_next_start() -> None:
    driver = FakeDriver()
    driver.gate.clear()
    async with running(driver) as platform:
        platform.drain_s = 0.01
        await platform.send(a_message(platform.actions.action))
        await until(lambda: len(platform.pool.books.line) == 1)
        asyncio.get_running_loop().call_later(0.05, driver.gate.set)
    assert platform.records == []
    assert "unsettled=1" in repr(platform.bus)


async def test_a_stop_at_any_turn_leaves_a_call_unsettled_or_recorded_once() -> None:
    outcomes = set()
    for turns in range(60):
        async with running() as platform:
            platform.drain_s = 0
            await platform.send(a_message(platform.actions.action))
            for _ in range(turns):
                await asyncio.sleep(0)
        outcome = (len(platform.records), "unsettled=0" in repr(platform.bus))
        assert outcome in {(0, False), (1, True)}, f"after {turns} turns"
        outcomes.add(outcome)
    assert len(outcomes) == 2, "stopped before it was begun, and after its end"


@pytest.mark.parametrize("when", ["prepared", "started"])
async def test_a_bad_image_is_the_developers_mistake_and_costs_nothing(when: str) -> None:
    action = an_action(image="nobody/nothing")
    fault = ImageNotPulled("nobody/nothing", "The registry does not have it.")
    counted = metrics.IMAGE_FAULTS["not_pulled"]
    before = counted._value.get()
    async with running() as platform:
        platform.actions.action = action
        if when == "started":
            platform.driver.broken = fault
        else:
            platform.driver.pull = _raising(fault)
        record = await platform.ran(a_message(action))

    assert record.response.status is Status.DEVELOPER_ERROR
    text = "Failed to pull container image 'nobody/nothing'."
    assert decode(record.response.result) == {"error": text}
    assert [line.partition("stderr: ")[2] for line in record.logs] == [
        "The registry does not have it.",
        "The action did not initialize or run as expected. Log data might be missing.",
    ]
    assert (record.billed_ms, record.duration_ms, record.init_ms) == (0, 0, None)
    assert counted._value.get() == before + 1


def _raising(error: Exception) -> Callable[[OwnImage], Awaitable[None]]:
    async def pull(_: OwnImage) -> None:
        raise error

    return pull


async def test_what_was_cached_before_an_update_is_read_anew() -> None:
    async with running() as platform:
        newer = replace(an_action(rev="2"), version="0.0.2")
        platform.actions.newer = newer
        assert (await platform.ran(a_message(newer))).version == "0.0.2"
        older = await platform.ran(a_message(an_action(rev="1")))
        assert older.version == "0.0.2", "the newest, for an order that is older"


class FullDisk:
    """Refuses to note that work begins, as often as it is told to."""

    def __init__(self, refusals: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refusals = refusals
        self.refused = 0
        self.starts: list[str] = []
        real = MemoryDelivery.start

        def start(delivery: MemoryDelivery) -> None:
            if self.refused < self.refusals:
                self.refused += 1
                raise BusUnavailable("The marks take no start: No space left on device.")
            real(delivery)
            self.starts.append(encoding.key(delivery.message))

        monkeypatch.setattr(MemoryDelivery, "start", start)
        monkeypatch.setattr(service_module, "STORE_PAUSE_S", 0.0)


async def test_what_cannot_be_noted_to_begin_waits_and_runs_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = FullDisk(5, monkeypatch)
    async with running() as platform:
        messages = [a_message(platform.actions.action) for _ in range(8)]
        for message in messages:
            await platform.send(message)
        await until(lambda: len(platform.records) == len(messages))

    ids = sorted(message.activation_id for message in messages)
    assert disk.refused == 5
    assert sorted(disk.starts) == ids
    assert sorted(record.activation_id for record in platform.records) == ids
    assert {record.response.status for record in platform.records} == {Status.SUCCESS}
    runs = [each for sandbox in platform.driver.sandboxes for each in sandbox.story]
    assert runs.count("run") == len(messages)


async def test_what_could_not_begin_when_the_platform_stops_is_left_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = FullDisk(math.inf, monkeypatch)
    async with running() as platform:
        platform.drain_s = 0.01
        await platform.send(a_message(platform.actions.action))
        await until(lambda: disk.refused > 2)
        assert not platform.invoker.is_healthy, "work is sent elsewhere meanwhile"

    assert platform.records == []
    assert "unsettled=1" in repr(platform.bus)
    assert not any("run" in sandbox.story for sandbox in platform.driver.sandboxes)
