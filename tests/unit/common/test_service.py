"""A start that waits: it says for what, gives up when told to stop, and hammers nobody."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from common.bus.port import BusUnavailable
from common.health import Health
from common.service import PAUSE_S, StoppedEarly, patiently
from common.store.port import (
    Corrupted,
    Denied,
    LayoutUnknown,
    RestoreUnfinished,
    StoreError,
    StoreUnavailable,
)
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.looptime


def failing(*errors: Exception) -> tuple[Callable[[], Awaitable[str]], list[float]]:
    """Return what raises each of *errors*, then opens; and when it was asked."""
    left, asked = list(errors), []

    async def open_() -> str:
        asked.append(asyncio.get_running_loop().time())
        if left:
            raise left.pop(0)
        return "opened"

    return open_, asked


async def test_it_tries_again_until_it_is_open(clock: FakeClock) -> None:
    open_, asked = failing(
        BusUnavailable("no"), StoreUnavailable("no"), RestoreUnfinished("not yet")
    )
    health = Health(clock, "kafka")

    assert await patiently(health, "kafka", open_, asyncio.Event()) == "opened"

    assert asked == [0, PAUSE_S, 2 * PAUSE_S, 2 * PAUSE_S + RestoreUnfinished.pause_s]
    assert health.complaints == {}


async def test_a_password_that_is_refused_is_not_tried_soon(clock: FakeClock) -> None:
    open_, asked = failing(Denied("Look at BRISK_COUCHDB__PASSWORD."))
    health = Health(clock, "couchdb")
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(patiently(health, "couchdb", open_, asyncio.Event()))
        await asyncio.sleep(80)
        assert health.complaints == {"couchdb": "Look at BRISK_COUCHDB__PASSWORD."}
        assert len(asked) == 1
        assert await waiting == "opened"
    # Five within 300 s lock the user out.
    assert asked == [0, Denied.pause_s]
    assert 4 * Denied.pause_s > 300


@pytest.mark.parametrize(
    "error", [Corrupted("The spool is damaged."), StoreError("odd"), LayoutUnknown("newer")]
)
async def test_what_waiting_does_not_mend_ends_the_start(
    clock: FakeClock, error: StoreError
) -> None:
    open_, asked = failing(error)
    with pytest.raises(type(error)):
        await patiently(Health(clock, "couchdb"), "couchdb", open_, asyncio.Event())
    assert len(asked) == 1


async def test_a_stop_ends_the_wait_also_in_the_middle_of_an_attempt(clock: FakeClock) -> None:
    stop, ended = asyncio.Event(), asyncio.Event()

    async def hangs() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    asyncio.get_running_loop().call_later(5, stop.set)
    with pytest.raises(StoppedEarly):
        await patiently(Health(clock, "kafka"), "kafka", hangs, stop)

    assert ended.is_set()
    assert asyncio.get_running_loop().time() == 5
    with pytest.raises(StoppedEarly):
        await patiently(Health(clock, "kafka"), "kafka", hangs, stop)
